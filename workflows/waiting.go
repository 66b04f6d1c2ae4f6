package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// waiting is what a run waits for.
type waiting struct {
	// describe says what is shown of it, as of now: what an operator can do changes
	// while time passes.
	describe func() farm.Wait
	// since is when the wait began.
	since time.Time
	// remindedAt is when an operator last had the chance to see it.
	remindedAt time.Time
}

// beginWait shows what the run waits for, tells the farm's controller, and reminds
// operators of it from now on.
func (o *operation) beginWait(ctx workflow.Context, describe func() farm.Wait) error {
	o.waiting = &waiting{describe: describe, since: workflow.Now(ctx), remindedAt: workflow.Now(ctx)}
	o.showWait(ctx)
	o.tellWait(ctx, eventWait)
	if o.progress.Wait.NeedsOperator() {
		if err := o.progress.setNeedsOperator(ctx, true); err != nil {
			return err
		}
	}
	o.sendHint(ctx, false)
	if !o.reminds && changeReminders.has(ctx) {
		o.reminds = true
		o.remindOfWaits(ctx)
	}
	return nil
}

// endWait notes that what was waited for has come, or that the run was cancelled. In
// that case an operator is needed no more either.
func (o *operation) endWait(ctx workflow.Context, cancelled error) error {
	needed := o.progress.Wait.NeedsOperator()
	o.tellWaited(ctx)
	o.recordWait(ctx, cancelled)
	o.waiting, o.progress.Wait = nil, nil
	o.progress.show()
	if cancelled != nil && !changeCancelledWait.has(ctx) {
		return nil
	}
	o.sendHint(ctx, false)
	if !needed {
		return nil
	}
	return o.progress.setNeedsOperator(ctx, false)
}

// recordWait has the report say what was waited for, and what ended that.
func (o *operation) recordWait(ctx workflow.Context, cancelled error) {
	w := farm.WaitReport{For: o.progress.Wait.For.Name(), From: o.waiting.since, To: workflow.Now(ctx), By: "nobody decided in time"}
	decisions := o.progress.Report.Decisions
	switch {
	case cancelled != nil:
		w.By = "it was cancelled"
	case len(decisions) > 0 && !decisions[len(decisions)-1].At.Before(w.From):
		last := decisions[len(decisions)-1]
		w.By = fmt.Sprintf("%s: %s", last.By, last.Choice)
	case o.progress.Wait.For == farm.ForWindow:
		w.By = "the window opened"
	}
	o.progress.Report.Waits = append(o.progress.Report.Waits, w)
}

// showWait shows what is waited for as of now.
func (o *operation) showWait(ctx workflow.Context) {
	w := o.waiting.describe()
	w.RollbackBlocked = o.decisions.rollbackBlocked
	w.Text = joinTexts(w.Text, o.describeInUse(workflow.Now(ctx)))
	w.Options, w.Then = o.optionsOf(w)
	o.progress.Wait = &w
	o.progress.show()
}

// describeInUse says how long the certificate in use still lives; empty while none is
// in use, or none is known to be.
func (o *operation) describeInUse(now time.Time) string {
	if o.inUse == nil {
		return ""
	}
	thumbprint, end := o.inUse()
	left := end.Sub(now)
	switch {
	case thumbprint == "" || end.IsZero():
		return ""
	case left <= 0:
		return fmt.Sprintf("the certificate in use, %s, has ended on %s: data refreshes fail", thumbprint.Short(), farm.FormatTime(end))
	case left < 2*day:
		return fmt.Sprintf("the certificate in use, %s, ends in %d hours, on %s", thumbprint.Short(), int(left.Hours()), farm.FormatTime(end))
	}
	return fmt.Sprintf("the certificate in use, %s, ends in %d days, on %s", thumbprint.Short(), int(left/day), farm.FormatTime(end))
}

const day = 24 * time.Hour

// remindOfWaits reminds operators of what the run waits for: once a day, when the end
// of the certificate in use is near, and when the certificate before ends, after which
// there is no way back. It is one coroutine for all waits, which may overlap.
func (o *operation) remindOfWaits(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(ctx, "reminders", func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return o.waiting != nil }) == nil {
			current := o.waiting
			at := o.nextReminder(workflow.Now(ctx))
			isOver := func() bool { return o.waiting != current }
			if at.IsZero() {
				if workflow.Await(ctx, isOver) != nil {
					return
				}
				continue
			}
			if awaitAtMost(ctx, at.Sub(workflow.Now(ctx)), "reminder; "+o.summarizeWait(), isOver) != nil {
				return
			}
			if !isOver() {
				o.remind(ctx)
			}
		}
	})
}

// nextReminder is when operators are reminded next of what is waited for; zero if
// never.
func (o *operation) nextReminder(now time.Time) time.Time {
	var next time.Time
	add := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if o.progress.Wait.NeedsOperator() {
		add(o.waiting.remindedAt.Add(day))
	}
	if o.inUse != nil {
		_, end := o.inUse()
		add(farm.NextUrgencyAt(now, end, 0))
	}
	if o.previousEnds != nil {
		add(o.previousEnds())
	}
	return next
}

// remind writes the page again, and a line into the log.
func (o *operation) remind(ctx workflow.Context) {
	o.judgeWayBack(ctx)
	o.waiting.remindedAt = workflow.Now(ctx)
	o.showWait(ctx)
	o.tellWait(ctx, eventReminder)
}

// judgeWayBack notes that the certificate before has ended meanwhile: it is not
// restored any more.
func (o *operation) judgeWayBack(ctx workflow.Context) {
	if o.expired == nil || o.decisions.rollbackBlocked != "" || !changeReminders.has(ctx) {
		return
	}
	o.decisions.rollbackBlocked = o.expired(workflow.Now(ctx))
}

// summarizeWait names what the run waits for, and the command that shows the rest: the
// timers of a wait have it for their summary, which is all that the first tab of the
// Temporal UI shows of it.
func (o *operation) summarizeWait() string {
	w, show := o.progress.Wait, "farmtrust status "+o.farm.Name
	switch {
	case w == nil:
		return ""
	case w.For == farm.ForApproval:
		return "WAITS FOR APPROVAL of what " + show + " lists, which also has the command"
	case w.For == farm.ForDecision && len(w.Blocked) > 0:
		first := w.Blocked[0]
		return fmt.Sprintf("BLOCKED, WAITS FOR A DECISION: %s on %s: see %s", first.Step, first.Server, show)
	case w.For == farm.ForWindow:
		return "waits for the maintenance window: see " + show
	}
	return "waits for " + string(w.For) + ": see " + show
}

// awaitUntil waits until a condition holds, or a moment comes; a zero moment never
// does.
func awaitUntil(ctx workflow.Context, moment time.Time, summary string, condition func() bool) error {
	if moment.IsZero() {
		return workflow.Await(ctx, condition)
	}
	return awaitAtMost(ctx, moment.Sub(workflow.Now(ctx)), summary, condition)
}
