package workflows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// progress is what a run has done so far, as operators see it: in the status
// query, in the current details and the search attributes of the Temporal UI,
// and in the end as the report.
type progress struct {
	farm.Status

	// startedAt holds when a running step started, finishedAt when one that has succeeded
	// did, and failures how many attempts at it have failed.
	startedAt, finishedAt map[hostStep]time.Time
	failures              map[hostStep]int
	// pageStale asks for the page in the Temporal UI to be written again.
	pageStale bool
}

// hostStep is a step on a server.
type hostStep struct {
	host string
	step farm.Step
}

func newProgress(ctx workflow.Context, f farm.Farm, reason string, intent farm.Intent) *progress {
	p := &progress{startedAt: map[hostStep]time.Time{}, finishedAt: map[hostStep]time.Time{}, failures: map[hostStep]int{}}
	p.Report = farm.Report{Farm: f.Name, Reason: reason, Intent: intent, StartedAt: workflow.Now(ctx)}
	p.noteRun(ctx)
	for _, host := range f.OfficeHosts() {
		p.Report.Servers = append(p.Report.Servers, farm.ServerReport{Host: host, Role: farm.OfficeRole})
	}
	for _, host := range f.SharePointHosts() {
		p.Report.Servers = append(p.Report.Servers, farm.ServerReport{Host: host, Role: farm.SharePointRole})
	}
	p.tellBegin(ctx)
	return p
}

// registerQuery registers the status query, keeps the page in the Temporal UI up
// to date and marks the run for searches.
func (p *progress) registerQuery(ctx workflow.Context) error {
	p.writePages(ctx)
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (farm.Status, error) { return p.boundedStatus(), nil }); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(p.Report.Farm), NeedsOperatorAttribute.ValueSet(false))
}

// boundedStatus is the status as far as Temporal takes it, whatever servers have said in
// every step.
func (p *progress) boundedStatus() farm.Status {
	s := p.Status
	s.Report = s.Report.Compact(farm.MaxRunReport)
	return s
}

// setTarget shows the certificate that the run is about.
func (p *progress) setTarget(ctx workflow.Context, target farm.Certificate) error {
	p.noteTarget(target)
	return workflow.UpsertTypedSearchAttributes(ctx, ThumbprintAttribute.ValueSet(string(target.Thumbprint)))
}

func (p *progress) noteTarget(target farm.Certificate) {
	p.Report.Target, p.Report.NotAfter, p.Report.FriendlyName = target.Thumbprint, target.NotAfter, target.FriendlyName
}

// noteRun names the run in Temporal: a reset gives it another run ID.
func (p *progress) noteRun(ctx workflow.Context) {
	run := workflow.GetInfo(ctx).WorkflowExecution
	p.Report.WorkflowID, p.Report.RunID = run.ID, run.RunID
}

// noteVersion notes which build of a worker did something; workers may be upgraded
// while the run goes on.
func (p *progress) noteVersion(version string) {
	if known := strings.Split(p.Report.Version, ", "); version != "" && !slices.Contains(known, version) {
		p.Report.Version = strings.TrimPrefix(p.Report.Version+", "+version, ", ")
	}
}

// setPlan shows what the first comparison found.
func (p *progress) setPlan(ctx workflow.Context, target farm.Certificate, c activities.Comparison) {
	p.Report.FriendlyName = target.FriendlyName
	p.setPrevious(c.Previous)
	p.setFound(ctx, c.Differences, c.Findings)
	p.tellPlan(ctx)
}

// setPrevious shows the certificate that was in use before.
func (p *progress) setPrevious(c farm.StoreCertificate) {
	p.Report.Previous, p.Report.PreviousName, p.Report.PreviousNotAfter = c.Thumbprint, c.FriendlyName, c.NotAfter
}

// setInUse shows the certificate that was seen in use.
func (p *progress) setInUse(ctx workflow.Context, c farm.StoreCertificate) {
	p.Report.InUse = farm.UseOf(c, workflow.Now(ctx))
}

// setFound shows what was found last, and what was accepted before.
func (p *progress) setFound(ctx workflow.Context, differences []farm.Difference, findings []farm.Finding) {
	p.Report.Differences, p.Report.Findings = differences, farm.KeepAccepted(findings, p.Report.Findings)
	p.Report.ComparedAt = workflow.Now(ctx)
}

// forgetRemoved leaves out what a step has removed since a moment on servers that were
// not seen since, and the certificate in use where that was changed there.
func (p *progress) forgetRemoved(since time.Time, isUnseen func(host string) bool) {
	isDone := func(host string, step farm.Step) bool {
		row := p.Report.Row(host, step)
		return isUnseen(host) && row != nil && (row.State == farm.StateChanged || row.State == farm.StateUnchanged) &&
			!p.finishedAt[hostStep{host, step}].Before(since)
	}
	p.Report.Differences = slices.DeleteFunc(slices.Clone(p.Report.Differences), func(d farm.Difference) bool { return isDone(d.Server, d.Step) })
	for _, s := range p.Report.Servers {
		if isDone(s.Host, farm.StepS2SName) || isDone(s.Host, farm.StepRestoreS2SName) {
			p.Report.InUse = nil
		}
	}
}

func (p *progress) setPhase(ctx workflow.Context, phase farm.Phase) error {
	if phase != p.Phase {
		p.Phase = phase
		p.tellPhase(ctx)
	}
	p.show()
	return workflow.UpsertTypedSearchAttributes(ctx, PhaseAttribute.ValueSet(string(phase)))
}

// setNeedsOperator marks for searches whether an operator is needed.
func (p *progress) setNeedsOperator(ctx workflow.Context, needed bool) error {
	p.show()
	return workflow.UpsertTypedSearchAttributes(ctx, NeedsOperatorAttribute.ValueSet(needed))
}

// skipStep shows a step that an operator left out on a server.
func (p *progress) skipStep(host string, step farm.Step) { p.row(host, step).State = farm.StateSkipped }

// startStep shows a step as running on a server.
func (p *progress) startStep(ctx workflow.Context, host string, step farm.Step) {
	p.startedAt[hostStep{host, step}] = workflow.Now(ctx)
	row := p.row(host, step)
	if row.StartedAt.IsZero() {
		row.StartedAt = workflow.Now(ctx)
	}
	if row.State == farm.StateFailed {
		row.LastError, row.Detail = row.Detail, ""
	}
	row.State = farm.StateRunning
	p.show()
}

// finishStep shows how a step ended. A step that runs twice on a server, as the
// two issuers do, adds up its details.
func (p *progress) finishStep(ctx workflow.Context, host string, step farm.Step, result activities.StepResult, err error) {
	row := p.row(host, step)
	p.addDuration(ctx, host, row)
	p.countAttempts(ctx, host, row, result.Attempts, err)
	p.noteVersion(result.Version)
	switch {
	case err != nil:
		row.State, row.Detail = farm.StateFailed, Explain(err)
	case result.Changed || row.Changed:
		row.State, row.Changed = farm.StateChanged, true
	default:
		row.State = farm.StateUnchanged
	}
	if err == nil {
		row.Detail = joinTexts(row.Detail, result.Detail)
		row.LastError = cmp.Or(result.LastError, row.LastError)
		row.Changes = append(row.Changes, result.Changes...)
		row.AddWarnings(result.Warnings)
	}
	p.tellStep(ctx, host, step, result, err)
	p.show()
}

// countAttempts counts the attempts at a step that has succeeded after so many, or
// failed.
func (p *progress) countAttempts(ctx workflow.Context, host string, row *farm.StepReport, attempts int, err error) {
	key, last := hostStep{host, row.Step}, 1
	if err != nil {
		p.failures[key] += activities.AttemptsOf(err)
		last = 0
	} else {
		p.failures[key] += max(attempts-1, 0)
		p.finishedAt[key] = workflow.Now(ctx)
	}
	if failures := p.failures[key]; failures > 0 {
		row.Attempts = failures + last
	}
}

// finishObservation shows how an observation ended.
func (p *progress) finishObservation(ctx workflow.Context, host string, step farm.Step, err error) {
	row := p.row(host, step)
	p.addDuration(ctx, host, row)
	p.countAttempts(ctx, host, row, 0, err)
	row.State, row.Detail = farm.StateObserved, ""
	if err != nil {
		row.State, row.Detail = farm.StateFailed, Explain(err)
	}
	p.tellStep(ctx, host, step, activities.StepResult{}, err)
	p.show()
}

// removeStep forgets a step that turned out to belong on another server.
func (p *progress) removeStep(host string, step farm.Step) {
	s := p.server(host)
	for i := range s.Steps {
		if s.Steps[i].Step == step {
			s.Steps = append(s.Steps[:i], s.Steps[i+1:]...)
			return
		}
	}
}

func (p *progress) addDuration(ctx workflow.Context, host string, row *farm.StepReport) {
	startedAt := p.startedAt[hostStep{host, row.Step}]
	row.DurationMS += workflow.Now(ctx).Sub(startedAt).Milliseconds()
}

func (p *progress) server(host string) *farm.ServerReport {
	for i := range p.Report.Servers {
		if p.Report.Servers[i].Host == host {
			return &p.Report.Servers[i]
		}
	}
	p.Report.Servers = append(p.Report.Servers, farm.ServerReport{Host: host})
	return &p.Report.Servers[len(p.Report.Servers)-1]
}

func (p *progress) row(host string, step farm.Step) *farm.StepReport {
	if row := p.Report.Row(host, step); row != nil {
		return row
	}
	s := p.server(host)
	s.Steps = append(s.Steps, farm.StepReport{Step: step})
	return &s.Steps[len(s.Steps)-1]
}

// close records the outcome and the final statement. A run that has ended needs no
// operator: what has to be done about it is the farm's controller's to say.
func (p *progress) close(ctx workflow.Context, outcome farm.Outcome, statement string) error {
	p.Phase, p.Report.Outcome, p.Wait = farm.PhaseDone, outcome, nil
	p.Report.EndedAt = workflow.Now(ctx)
	p.Report.DurationMS = p.Report.EndedAt.Sub(p.Report.StartedAt).Milliseconds()
	p.noteRun(ctx)
	p.Report.Statement = statement
	p.tellEnd(ctx)
	p.writePage(ctx)
	return workflow.UpsertTypedSearchAttributes(ctx,
		PhaseAttribute.ValueSet(string(farm.PhaseDone)), NeedsOperatorAttribute.ValueSet(false))
}

// show has the run's page in the Temporal UI written again, soon.
func (p *progress) show() { p.pageStale = true }

// writePages writes the page whenever it is stale, in a coroutine of its own: the
// steps of a hundred servers that end in one workflow task are one page, and not a
// hundred, which would take longer than a task may.
func (p *progress) writePages(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(ctx, "page", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return p.pageStale }) == nil {
			p.writePage(ctx)
		}
	})
}

func (p *progress) writePage(ctx workflow.Context) {
	p.pageStale = false
	workflow.SetCurrentDetails(ctx, report.Run(p.Status).Markdown())
}
