package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// What the worker's log is told of a run: a line for each thing that happens. Each has
// the keys run, farm and event and, where it is about them, server, step and took. The
// words are those of the page in the Temporal UI. The workflow logger tells nothing
// again on replay.

// events are the values of the key event.
const (
	eventBegin    = "begin"
	eventPlan     = "plan"
	eventPhase    = "phase"
	eventStep     = "step"
	eventWait     = "wait"
	eventReminder = "reminder"
	eventWaited   = "waited"
	eventBlocked  = "blocked"
	eventDecision = "decision"
	eventRollback = "rollback"
	eventEnd      = "end"
	eventFarm     = "farm"
	eventRequest  = "request"
	eventReceived = "received"
)

// log is the worker's log for an event of the run.
func (p *progress) log(ctx workflow.Context, event string) log.Logger {
	return log.With(workflow.GetLogger(ctx), "run", workflow.GetInfo(ctx).WorkflowExecution.ID, "farm", p.Report.Farm, "event", event)
}

// noun is what a run is.
func (p *progress) noun(ctx workflow.Context) string {
	switch {
	case isRetirement(ctx):
		return "retirement"
	case p.Report.Intent == farm.Rollback || p.Report.Intent == farm.Undo:
		return string(p.Report.Intent)
	}
	return "rotation"
}

func (p *progress) tellBegin(ctx workflow.Context) {
	p.log(ctx, eventBegin).Info(joinNonEmpty(": ", p.noun(ctx)+" begins", p.Report.Reason), "intent", string(p.Report.Intent))
}

// tellPlan tells what the first comparison found.
func (p *progress) tellPlan(ctx workflow.Context) {
	r := p.Report
	var servers []string
	for _, d := range r.Differences {
		if !slices.Contains(servers, d.Server) {
			servers = append(servers, d.Server)
		}
	}
	p.log(ctx, eventPlan).Info(fmt.Sprintf("plan: %d differences on %d servers, towards %s, which ends on %s",
		len(r.Differences), len(servers), r.Target.Short(), farm.FormatTime(r.NotAfter)), "target", string(r.Target))
}

func (p *progress) tellPhase(ctx workflow.Context) {
	p.log(ctx, eventPhase).Info("phase: " + string(p.Phase))
}

// tellStep tells how a step ended on a server. One that changed nothing is for
// developers.
func (p *progress) tellStep(ctx workflow.Context, host string, step farm.Step, result activities.StepResult, err error) {
	to := log.With(p.log(ctx, eventStep), "server", host, "step", string(step), "took", workflow.Now(ctx).Sub(p.startedAt[hostStep{host, step}]))
	switch {
	case err != nil:
		to.Warn(joinNonEmpty(": ", string(step), string(farm.StateFailed), farm.TrimHost(Explain(err), host)), "state", string(farm.StateFailed))
	case result.Changed:
		to.Info(joinNonEmpty(", ", string(step)+": "+string(farm.StateChanged), result.Detail), "state", string(farm.StateChanged))
	default:
		to.Debug(joinNonEmpty(", ", string(step)+": done, nothing changed", result.Detail), "state", string(farm.StateUnchanged))
	}
}

// tellWait tells what the run waits for, and until when; the decisions are shown by
// status. Of blocked steps each is told by itself.
func (o *operation) tellWait(ctx workflow.Context, event string) {
	wait := o.progress.Wait
	if wait.For == farm.ForDecision && event != eventReminder {
		return
	}
	to := log.With(o.progress.log(ctx, event), "for", string(wait.For))
	text := "waits for " + wait.For.Name() + untilTime(wait.Until) + ": " + wait.Text
	if wait.NeedsOperator() {
		text += o.toDecide()
	}
	switch {
	case event == eventReminder:
		to.Warn("still " + text)
	case wait.NeedsOperator():
		to.Warn(text)
	default:
		to.Info(text)
	}
}

// untilTime is " until" a time, or nothing where there is none.
func untilTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + farm.FormatTime(t)
}

// toDecide names the command that shows the decisions.
func (o *operation) toDecide() string {
	return "; to decide: " + report.StatusCommand(o.farm.Name).Line(report.Program)
}

// tellWaited tells that a wait is over, and how long it was.
func (o *operation) tellWaited(ctx workflow.Context) {
	if o.waiting == nil || o.progress.Wait == nil {
		return
	}
	waited := string(o.progress.Wait.For)
	o.progress.log(ctx, eventWaited).Info("the wait for the "+waited+" is over", "for", waited, "took", workflow.Now(ctx).Sub(o.waiting.since))
}

// tellBlocked tells that a step waits for a decision, and what happened unless the
// failed step has told that.
func (o *operation) tellBlocked(ctx workflow.Context, b farm.Blocked) {
	what := ""
	if !o.progress.showsFailure(b) {
		what = farm.TrimHost(b.Text, b.Server)
	}
	log.With(o.progress.log(ctx, eventBlocked), "server", b.Server, "step", string(b.Step)).
		Warn(joinNonEmpty(": ", string(b.Step), what, "waits for a decision"+untilTime(b.Until)+", "+o.decisions.thenOf(b)+o.toDecide()))
}

// showsFailure reports whether the step that is blocked has failed with that very
// text, and not what it found.
func (p *progress) showsFailure(b farm.Blocked) bool {
	return slices.ContainsFunc(p.Report.Servers, func(s farm.ServerReport) bool {
		return s.Host == b.Server && slices.ContainsFunc(s.Steps, func(row farm.StepReport) bool {
			return row.Step == b.Step && row.State == farm.StateFailed && row.Detail == b.Text
		})
	})
}

// tellUndecided tells what follows because nobody decided about a step.
func (o *operation) tellUndecided(ctx workflow.Context, b farm.Blocked, choice farm.Choice) {
	log.With(o.progress.log(ctx, eventDecision), "server", b.Server, "step", string(b.Step)).
		Warn(fmt.Sprintf("%s: nobody decided: %s", b.Step, choice), "decision", string(choice))
}

// tellDecision tells who decided what.
func (p *progress) tellDecision(ctx workflow.Context, d farm.Decision) {
	to := log.With(p.log(ctx, eventDecision), "decision", string(d.Choice), "by", d.By, "reason", d.Reason)
	if d.Server != "" {
		to = log.With(to, "server", d.Server)
	}
	if d.Digest != "" {
		to = log.With(to, "digest", d.Digest)
	}
	to.Info(fmt.Sprintf("%s decided by %s: %s", d.Choice, d.By, d.Reason))
}

// tellRollback tells why the run turns back.
func (r *rotation) tellRollback(ctx workflow.Context) {
	if why := r.decisions.resolution.why; why != "" {
		r.progress.log(ctx, eventRollback).Warn("it is rolled back: " + why)
	}
}

// tellEnd tells how the run has ended.
func (p *progress) tellEnd(ctx workflow.Context) {
	r := p.Report
	to := log.With(p.log(ctx, eventEnd), "outcome", string(r.Outcome), "took", time.Duration(r.DurationMS)*time.Millisecond)
	text := joinNonEmpty(": ", p.noun(ctx)+" ends", string(r.Outcome), r.Statement)
	if slices.Contains([]farm.Outcome{farm.Verified, farm.NoChange, farm.RolledBack}, r.Outcome) {
		to.Info(text)
		return
	}
	to.Warn(text)
}
