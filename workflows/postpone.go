package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// maxPostponement is how long a rotation can be postponed: what is staged for it must
// not be older than a plan can be trusted.
const maxPostponement = 90 * day

// validatePostponement refuses a postponement where nothing waits for its time.
func (o *operation) validatePostponement(now time.Time, d farm.Decision) error {
	switch {
	case !o.decisions.postponable:
		return fmt.Errorf("postpone: only a rotation is postponed: nothing is deleted before it is approved, and abort keeps the old certificate")
	case !o.progress.Wait.CanPostpone():
		return fmt.Errorf("postpone: the rotation waits neither for an approval nor for its window; cancel stops it, and puts back what it has changed")
	case !d.Until.After(now):
		return fmt.Errorf("postpone: %s is over: name a time to come", farm.FormatTime(d.Until))
	case d.Until.After(now.Add(maxPostponement)):
		return fmt.Errorf("postpone: %s is too late for what is staged: at most until %s; to give it up, roll back", farm.FormatTime(d.Until), farm.FormatTime(now.Add(maxPostponement)))
	}
	return nil
}

// postpone has the gates passed again, at another time. What was approved does not count
// any more.
func (d *decisions) postpone(decision farm.Decision) {
	d.postponement, d.gatesReopened = decision, true
	d.approval.void(fmt.Sprintf("it was postponed until %s", farm.FormatTime(decision.Until)))
}

// awaitPostponement waits until the time has come that the run is postponed to, and
// reports whether the gates before the cutover are to be passed again.
func (r *rotation) awaitPostponement(ctx workflow.Context) (again bool, err error) {
	d := r.decisions
	for d.gatesReopened {
		d.gatesReopened, again = false, true
		if until := d.postponement.Until; until.After(workflow.Now(ctx)) {
			if err := r.waitUntil(ctx, until); err != nil {
				return again, err
			}
		}
	}
	return again, d.err()
}

// waitUntil waits for the time that the run is postponed to, or for another word.
func (r *rotation) waitUntil(ctx workflow.Context, until time.Time) error {
	d := r.decisions
	if err := r.beginWait(ctx, func() farm.Wait {
		_, end := r.findInUse()
		return farm.Wait{
			For: farm.ForPostponement, Until: until, TooLate: !end.IsZero() && !end.After(until),
			Text: fmt.Sprintf("postponed by %s: %s", d.postponement.By, d.postponement.Reason),
		}
	}); err != nil {
		return err
	}
	err := awaitUntil(ctx, until, "postponed", func() bool { return d.err() != nil || d.gatesReopened })
	return errors.Join(err, r.endWait(ctx, err), d.err())
}

// awaitDeadline waits until a condition holds or a deadline has come, which is moved when
// the farm's policy is read again; a zero deadline never comes.
func (o *operation) awaitDeadline(ctx workflow.Context, deadline time.Time, moved func() time.Time, summary string, condition func() bool) error {
	for {
		seen := o.reconfigured
		if err := awaitUntil(ctx, deadline, summary, func() bool { return condition() || o.reconfigured != seen }); err != nil {
			return err
		}
		if condition() || o.reconfigured == seen {
			return nil
		}
		deadline = moved()
		o.showWait(ctx)
	}
}

// watchConfiguration reads the farm's policy again whenever the controller says that a
// worker has started. Deadlines then move, and gates that are others now are passed
// again; servers and settings stay as the rotation was planned.
func (o *operation) watchConfiguration(ctx workflow.Context) {
	told := workflow.GetSignalChannel(ctx, ConfigurationSignal)
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(ctx, "configuration", func(ctx workflow.Context) {
		for told.Receive(ctx, nil) {
			var f farm.Farm
			if err := workflow.ExecuteActivity(localOptions(ctx, "read the configuration of "+o.farm.Name), a.LoadFarm, o.farm.Name).Get(ctx, &f); err != nil {
				workflow.GetLogger(ctx).Warn("the configuration is not read: the run goes on with the one before", "farm", o.farm.Name, "error", err)
				continue
			}
			o.applyPolicy(ctx, f.Rotation)
		}
	})
}

func (o *operation) applyPolicy(ctx workflow.Context, p farm.RotationPolicy) {
	before := o.farm.Rotation
	o.farm.Rotation = p
	o.reconfigured++
	if o.decisions.gated && (p.Approval != before.Approval || p.Window.String() != before.Window.String()) {
		o.decisions.gatesReopened = true
	}
	if o.waiting != nil {
		o.sendHint(ctx, false)
	}
}
