package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// failedStep is a step whose retries ran out.
type failedStep struct {
	host  string
	step  farm.Step
	cause error
	// accept names what an operator can accept for a retry.
	accept []string
	// everywhere marks a step that was about all servers: which of them it failed on may
	// change from one attempt to the next.
	everywhere bool
	// canary marks the restart that proves the new settings on one server.
	canary bool
}

// key is by what the retries of a step are counted.
func (f failedStep) key() hostStep {
	if f.everywhere {
		return hostStep{step: f.step}
	}
	return hostStep{f.host, f.step}
}

// block waits for an operator to decide about a failed step, and returns the
// choice. When nobody decides in time the run is rolled back; where that is not
// possible the step is tried again and, if need be, blocked again, some times.
//
// Two failures roll back immediately: any step when the policy says so, and the
// canary, whose users have no service until someone answers, and before which no
// other server is restarted.
func (o *operation) block(ctx workflow.Context, failed failedStep) (farm.Choice, error) {
	d, since := o.decisions, workflow.Now(ctx)
	d.lastBlocked = failed
	b := o.newBlockedStep(ctx, failed)
	if d.rollsBackByItself() && (failed.canary || o.rollsBackOnFailure() && !b.Until.IsZero() && !b.Until.After(workflow.Now(ctx))) {
		d.requestRollback("%s", failed.explainRollback())
		return farm.RollBack, nil
	}
	o.noteRefresh(ctx)
	d.blocked = append(d.blocked, b)
	o.tellBlocked(ctx, b.Blocked)
	if err := o.showBlocked(ctx); err != nil {
		return "", err
	}
	err := o.awaitDecision(ctx, b, func() time.Time { return o.setDeadline(ctx, b, failed, since) })
	d.blocked = slices.DeleteFunc(d.blocked, func(other *blockedStep) bool { return other == b })
	d.unblockedAt = workflow.Now(ctx)
	if err := errors.Join(err, o.showUnblocked(ctx, err)); err != nil {
		return "", err
	}
	if d.notAdmitted != nil {
		return "", d.notAdmitted
	}
	o.judgeWayBack(ctx)
	decided := b.choice != "" || d.resolution.choice != ""
	choice := o.choiceAfter(b, failed)
	if !decided {
		o.tellUndecided(ctx, b.Blocked, choice)
	}
	return choice, nil
}

// showBlocked shows one more step that waits for a decision.
func (o *operation) showBlocked(ctx workflow.Context) error {
	if len(o.decisions.blocked) == 1 {
		return o.beginWait(ctx, o.decisions.describeBlocked)
	}
	o.showWait(ctx)
	return o.progress.setNeedsOperator(ctx, true)
}

// showUnblocked shows one step less that waits for a decision.
func (o *operation) showUnblocked(ctx workflow.Context, cancelled error) error {
	if len(o.decisions.blocked) == 0 {
		return o.endWait(ctx, cancelled)
	}
	o.showWait(ctx)
	if cancelled != nil && !changeCancelledWait.has(ctx) {
		return nil
	}
	return o.progress.setNeedsOperator(ctx, true)
}

// choiceAfter is what follows a wait for a decision: what was decided about the
// step or about the whole run, or what happens when nobody decided.
func (o *operation) choiceAfter(b *blockedStep, failed failedStep) farm.Choice {
	d := o.decisions
	switch {
	case b.choice != "":
		delete(d.retries, failed.key())
		return b.choice
	case d.resolution.choice != "":
		return d.resolution.choice
	case !d.rollsBackByItself():
		d.retries[failed.key()]++
		return farm.Retry
	}
	d.requestRollback("nobody decided in time about %s on %s: %s", failed.step, failed.host, Explain(failed.cause))
	return farm.RollBack
}

func (f failedStep) explainRollback() string {
	if f.canary {
		return fmt.Sprintf("the canary failed, before any other office server was restarted: %s on %s: %s", f.step, f.host, Explain(f.cause))
	}
	return fmt.Sprintf("%s on %s failed: %s", f.step, f.host, Explain(f.cause))
}

// newBlockedStep says what is blocked, and until when.
func (o *operation) newBlockedStep(ctx workflow.Context, failed failedStep) *blockedStep {
	b := &blockedStep{Blocked: farm.Blocked{
		Server: failed.host, Step: failed.step, Text: Explain(failed.cause),
		Skippable: o.isSkippable(failed.host), Serving: o.isServing(failed.host), Accept: failed.accept,
	}}
	o.setDeadline(ctx, b, failed, workflow.Now(ctx))
	return b
}

// noteRefresh looks whether data refreshes work, where a run that is about to block may
// have changed that.
func (o *operation) noteRefresh(ctx workflow.Context) {
	if o.decisions.refresh = ""; o.changesUse != nil && o.changesUse() && changeWayBack.has(ctx) {
		o.decisions.refresh = o.doubtRefresh(ctx)
	}
}

// describeBlocked is what is shown of the blocked steps.
func (d *decisions) describeBlocked() farm.Wait {
	w := farm.Wait{For: farm.ForDecision, Text: joinTexts("decide about each blocked step", d.refresh)}
	for _, b := range d.blocked {
		b.Then = d.thenOf(b.Blocked)
		w.Blocked = append(w.Blocked, b.Blocked)
		if !b.Until.IsZero() && (w.Until.IsZero() || b.Until.Before(w.Until)) {
			w.Until = b.Until
		}
	}
	return w
}

// thenOf says what follows when nobody decides about a blocked step.
func (d *decisions) thenOf(b farm.Blocked) string {
	switch {
	case b.Until.IsZero() && d.rollsBackByItself():
		return "it stays as it is until an operator decides: the way back restarts servers"
	case b.Until.IsZero():
		return "it is not tried again by itself"
	case d.rollsBackByItself():
		return "the rotation is rolled back"
	}
	return "it is tried again"
}

// blockUnlessResolved blocks a failed step and returns nil when the run goes on
// after it: the step was to be retried, or its server left out.
func (o *operation) blockUnlessResolved(ctx workflow.Context, failed failedStep) error {
	choice, err := o.block(ctx, failed)
	if err != nil || (choice != farm.Retry && choice != farm.Skip) {
		return errors.Join(err, errResolved)
	}
	return nil
}

// retryOrBlock repeats an observation until it succeeds, and blocks on the server
// that it fails on; an error that is not tied to a server is returned.
func (o *operation) retryOrBlock(ctx workflow.Context, step farm.Step, observe func() error) error {
	for {
		err := observe()
		failed, ok := errors.AsType[*serverError](err)
		if !ok || endsRun(err) {
			return err
		}
		if err := o.blockUnlessResolved(ctx, failedStep{host: failed.host, step: step, cause: failed.cause, everywhere: true}); err != nil {
			return err
		}
	}
}

// isSkippable reports whether a run can go on without a server: an office server
// other than the master can be left out, and a SharePoint server other than the front
// end, once they were observed.
func (o *operation) isSkippable(host string) bool {
	if frontEnd := o.farm.FrontEndOf(host); frontEnd != "" {
		sharePoint, _ := o.observed.Farm(frontEnd)
		return host != frontEnd && sharePoint.Server(host).Machine.Host != ""
	}
	office, isOffice := o.farm.OfficeOf(host)
	known := o.knownMasters[office.Name].Machine.Host
	return known != "" && host != known && isOffice
}

// isServing reports whether a server still belongs to its farm: the master of its
// office farm lists it as a machine, or the SharePoint farm as a server.
func (o *operation) isServing(host string) bool {
	if frontEnd := o.farm.FrontEndOf(host); frontEnd != "" {
		sharePoint, _ := o.observed.Farm(frontEnd)
		return sharePoint.HasMember(sharePoint.Server(host).Machine.Name)
	}
	office, isOffice := o.farm.OfficeOf(host)
	if !isOffice {
		return false
	}
	server := o.observed.OfficeServer(host)
	return o.master(office).Settings.HasMachine(server.Machine.Name)
}

// endsRun reports whether an error is not to be blocked on: the run was cancelled,
// has been decided to end, or must not go on.
func endsRun(err error) bool {
	return temporal.IsCanceledError(err) || errors.Is(err, errResolved) || isNotAdmitted(err)
}

// awaitAtMost waits until a condition holds, for a limited time.
func awaitAtMost(ctx workflow.Context, timeout time.Duration, summary string, condition func() bool) error {
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: timeout, TimerOptions: workflow.TimerOptions{Summary: summarize(summary)},
	}, condition)
	return err
}
