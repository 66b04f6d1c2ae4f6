package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// awaitDecision waits until an operator decides about a blocked step, or its deadline has
// come and is still one: without a worker, the window for the way back may have passed.
func (o *operation) awaitDecision(ctx workflow.Context, b *blockedStep, moved func() time.Time) error {
	isDecided := func() bool { return b.choice != "" || o.decisions.err() != nil }
	for {
		err := o.awaitDeadline(ctx, b.Until, moved, o.summarizeWait(), isDecided)
		if err != nil || isDecided() {
			return err
		}
		if until := moved(); !until.IsZero() && !until.After(workflow.Now(ctx)) {
			return nil
		}
		o.showWait(ctx)
	}
}

// setDeadline notes and returns until when a step is blocked that is since a moment, as
// the configuration has it now; zero is until an operator decides.
func (o *operation) setDeadline(ctx workflow.Context, b *blockedStep, failed failedStep, since time.Time) time.Time {
	if b.Until = (time.Time{}); o.decisionTimeout(ctx, failed) > 0 {
		b.Until = since.Add(o.decisionTimeout(ctx, failed))
	}
	if o.decisions.rollsBackByItself() {
		if o.rollsBackOnFailure() {
			b.Until = since
		}
		if now := workflow.Now(ctx); !b.Until.IsZero() && b.Until.Before(now) {
			b.Until = now
		}
		if !failed.canary {
			b.Until = o.wayBackAt(ctx, b.Until)
		}
	}
	return b.Until
}

func (o *operation) rollsBackOnFailure() bool {
	return o.farm.Rotation.OnFailure == farm.OnFailureRollBack
}

// wayBackAt is when a way back that no operator asks for may begin, at the earliest from
// a moment on; zero where it takes one. What restarts servers keeps to the window, or
// asks where a cutover would.
func (o *operation) wayBackAt(ctx workflow.Context, earliest time.Time) time.Time {
	policy := o.farm.Rotation
	isGated := policy.Approval || !policy.Window.IsZero()
	if earliest.IsZero() || !isGated || o.changesUse == nil || !o.changesUse() || !changeWayBack.has(ctx) {
		return earliest
	}
	if policy.Window.IsZero() {
		return time.Time{}
	}
	var next activities.NextOpening
	err := workflow.ExecuteActivity(localOptions(ctx, "find the next maintenance window"), a.FindOpening,
		activities.OpeningInput{Window: policy.Window, Now: earliest}).Get(ctx, &next)
	switch {
	case err != nil:
		return time.Time{}
	case next.Opening.From.After(earliest):
		return next.Opening.From
	}
	return earliest
}

// maxRetries is how often a blocked step is tried again by itself. Each time adds up
// to a megabyte to the history of a large farm, of which Temporal allows 50.
const maxRetries = 12

// decisionTimeout is how long a blocked step waits; zero is until an operator decides.
// Where it is tried again after that, it waits longer each time, up to a day.
func (o *operation) decisionTimeout(ctx workflow.Context, failed failedStep) time.Duration {
	timeout, retries := o.farm.Rotation.DecisionTimeout, o.decisions.retries[failed.key()]
	switch {
	case o.decisions.rollsBackByItself() || retries == 0 || !changeBackOff.has(ctx):
		return timeout
	case retries >= maxRetries:
		return 0
	}
	return max(timeout, min(timeout<<retries, day))
}
