package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// progress shows a rotation to people: the status query, the current details and
// the search attributes of the Temporal UI, and in the end the report.
type progress struct {
	phase   Phase
	report  farm.Report
	waiting *Wait
	// retires says that it is a retirement.
	retires bool
	// began holds when a running step began, by server and step.
	began map[place]time.Time
}

// place is a step on a server.
type place struct {
	host string
	step farm.Step
}

func newBoard(ctx workflow.Context, f farm.Farm, in RotateInput) *progress {
	b := &progress{
		report: farm.Report{Farm: f.Name, Reason: in.Reason, Intent: in.Intent, StartedAt: workflow.Now(ctx)},
		began:  map[place]time.Time{},
	}
	for _, host := range officeHosts(f) {
		b.report.Servers = append(b.report.Servers, farm.ServerReport{Host: host, Role: farm.OfficeRole})
	}
	for _, host := range sharePointHosts(f) {
		b.report.Servers = append(b.report.Servers, farm.ServerReport{Host: host, Role: farm.SharePointRole})
	}
	return b
}

// serve answers the status query and marks the run for searches.
func (b *progress) serve(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, StatusQuery, func() (Status, error) {
		return Status{Phase: b.phase, Report: b.report, Wait: b.waiting}, nil
	}); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(b.report.Farm), NeedsOperatorAttribute.ValueSet(false))
}

// aim shows the certificate that the rotation works towards.
func (b *progress) aim(ctx workflow.Context, target farm.Certificate) error {
	b.report.Target, b.report.NotAfter, b.report.FriendlyName = target.Thumbprint, target.NotAfter, target.FriendlyName
	return workflow.UpsertTypedSearchAttributes(ctx, ThumbprintAttribute.ValueSet(string(target.Thumbprint)))
}

// found shows what the first comparison found.
func (b *progress) found(target farm.Certificate, c activities.Comparison) {
	b.report.FriendlyName, b.report.Previous = target.FriendlyName, c.Previous.Thumbprint
	b.report.Differences, b.report.Findings = c.Differences, c.Findings
}

func (b *progress) enter(ctx workflow.Context, phase Phase) error {
	b.phase = phase
	b.show(ctx)
	return workflow.UpsertTypedSearchAttributes(ctx, PhaseAttribute.ValueSet(string(phase)))
}

// wait shows what is waited for; nil when nothing is.
func (b *progress) wait(w *Wait) { b.waiting = w }

// park shows the steps that wait for a decision.
func (b *progress) park(parked []*blockedStep) {
	b.waiting = nil
	if len(parked) == 0 {
		return
	}
	b.waiting = &Wait{For: ForDecision, Text: "decide about each: retry, skip, roll back or abort"}
	for _, p := range parked {
		b.waiting.Blocked = append(b.waiting.Blocked, p.Blocked)
		if !p.Until.IsZero() && (b.waiting.Until.IsZero() || p.Until.Before(b.waiting.Until)) {
			b.waiting.Until = p.Until
		}
	}
}

// needs marks whether a person is needed, for searches.
func (b *progress) needs(ctx workflow.Context, person bool) error {
	b.show(ctx)
	return workflow.UpsertTypedSearchAttributes(ctx, NeedsOperatorAttribute.ValueSet(person))
}

// skip shows a step that a person left out on a server.
func (b *progress) skip(host string, step farm.Step) { b.row(host, step).State = farm.StateSkipped }

// begin shows a step as running on a server.
func (b *progress) begin(ctx workflow.Context, host string, step farm.Step) {
	b.began[place{host, step}] = workflow.Now(ctx)
	row := b.row(host, step)
	if row.State == farm.StateFailed {
		row.Detail = "" // what it failed of is over
	}
	row.State = farm.StateRunning
	b.show(ctx)
}

// finish shows how a step ended. A step that runs twice on a server, as the
// two issuers do, adds its details up.
func (b *progress) finish(ctx workflow.Context, host string, step farm.Step, result activities.StepResult, err error) {
	row := b.row(host, step)
	b.stop(ctx, host, row)
	switch {
	case err != nil:
		row.State, row.Detail = farm.StateFailed, explain(err)
	case result.Changed || row.Changed:
		row.State, row.Changed = farm.StateChanged, true
	default:
		row.State = farm.StateUnchanged
	}
	if err == nil {
		row.Detail = joined(row.Detail, result.Detail)
	}
	b.show(ctx)
}

// looked shows how an observation ended.
func (b *progress) looked(ctx workflow.Context, host string, step farm.Step, err error) {
	row := b.row(host, step)
	b.stop(ctx, host, row)
	row.State, row.Detail = farm.StateObserved, ""
	if err != nil {
		row.State, row.Detail = farm.StateFailed, explain(err)
	}
	b.show(ctx)
}

// withdraw forgets a step that turned out to belong on another server.
func (b *progress) withdraw(host string, step farm.Step) {
	s := b.server(host)
	for i := range s.Steps {
		if s.Steps[i].Step == step {
			s.Steps = append(s.Steps[:i], s.Steps[i+1:]...)
			return
		}
	}
}

func (b *progress) stop(ctx workflow.Context, host string, row *farm.StepReport) {
	began := b.began[place{host, row.Step}]
	row.DurationMS += workflow.Now(ctx).Sub(began).Milliseconds()
}

func (b *progress) server(host string) *farm.ServerReport {
	for i := range b.report.Servers {
		if b.report.Servers[i].Host == host {
			return &b.report.Servers[i]
		}
	}
	b.report.Servers = append(b.report.Servers, farm.ServerReport{Host: host})
	return &b.report.Servers[len(b.report.Servers)-1]
}

func (b *progress) row(host string, step farm.Step) *farm.StepReport {
	s := b.server(host)
	for i := range s.Steps {
		if s.Steps[i].Step == step {
			return &s.Steps[i]
		}
	}
	s.Steps = append(s.Steps, farm.StepReport{Step: step})
	return &s.Steps[len(s.Steps)-1]
}

// close writes the last words: the outcome, and a statement that claims no
// more than was seen.
//
// Why is what made the rotation go back; empty when it did not, or when a
// cancellation or an order to undo did.
func (b *progress) close(ctx workflow.Context, outcome farm.Outcome, cause error, why string) (farm.Report, error) {
	b.phase, b.report.Outcome, b.waiting = Done, outcome, nil
	b.report.DurationMS = workflow.Now(ctx).Sub(b.report.StartedAt).Milliseconds()
	b.report.Statement = statement(outcome, cause, why, len(b.report.Findings) > 0)
	if b.retires {
		b.report.Statement = retired(outcome, cause)
	}
	b.show(ctx)
	return b.report, workflow.UpsertTypedSearchAttributes(ctx,
		PhaseAttribute.ValueSet(string(Done)), NeedsOperatorAttribute.ValueSet(cause != nil))
}

// statement claims no more than was seen.
func statement(outcome farm.Outcome, cause error, why string, stays bool) string {
	cancelled := temporal.IsCanceledError(cause)
	switch {
	case outcome == farm.RolledBack:
		return undone(cancelled, why, stays)
	case outcome == farm.Verified:
		return "configured as desired, key usable on every server"
	case outcome == farm.NoChange:
		return "nothing to do: configured as desired, key usable on every server"
	case outcome == farm.Partial:
		return "left as it is by decision; what differs is listed"
	case outcome == farm.Refused && cancelled:
		return "cancelled before anything was changed"
	case outcome == farm.Refused:
		return "not started, nothing was changed: " + explain(cause)
	case cancelled:
		return "cancelled, and nothing could be put back: what is listed as changed stays changed"
	}
	return "not finished, rotate again to resume: " + explain(cause)
}

// retired is the statement about a retirement.
func retired(outcome farm.Outcome, cause error) string {
	switch outcome {
	case farm.Verified:
		return "nothing used the old certificate; it is deleted on every office server, with its key"
	case farm.Partial, farm.Refused:
		return statement(outcome, cause, "", false)
	}
	if temporal.IsCanceledError(cause) {
		return "called off; the steps say on which servers the old certificate was archived, shown again or deleted"
	}
	return "not finished: " + explain(cause)
}

func undone(cancelled bool, why string, stays bool) string {
	text := "everything is as it was before"
	if stays {
		text += ", but for what is listed"
	}
	if cancelled {
		text = "cancelled, and " + text
	}
	if why != "" {
		text += "; it went back because " + why
	}
	return text
}

// explain is what a person should read of an error: its own words, without
// the names of workflows and activities around them.
func explain(err error) string {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		text := ""
		for _, e := range many.Unwrap() {
			text = joined(text, explain(e))
		}
		return text
	}
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	if temporal.IsCanceledError(err) {
		return "it was cancelled"
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return fmt.Sprintf("no answer in time (%s)", timeout.TimeoutType())
	}
	return err.Error()
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
