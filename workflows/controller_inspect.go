package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// inspect inspects the farm, or takes what the rotation before observed, and
// starts a rotation if one is needed.
func (c *farmController) inspect(ctx workflow.Context) error {
	found, unobserved, err := c.findState(ctx)
	if err != nil {
		return err
	}
	if c.Active != nil && !c.RunsRetirement() {
		return nil // a run was found to be the controller's meanwhile
	}
	c.tellInspection(ctx, found, unobserved)
	now := workflow.Now(ctx)
	next, err := c.decide(ctx, c.DecisionInput(now, found, unobserved))
	if err != nil {
		return err
	}
	// What an operator asks for goes first, also while it is found out who that is.
	if err := workflow.Await(ctx, func() bool { return c.checking == 0 }); err != nil {
		return err
	}
	if next.Action == farm.ActionRotate && c.IsHeld(workflow.Now(ctx)) {
		return nil // an operator has said so meanwhile: what is found next is decided again
	}
	c.ApplyInspection(now, found, unobserved, next)
	switch {
	case next.Action != farm.ActionRotate:
		c.AnswerEvents(controller.EventResult{At: now, Reason: next.Reason, NeedsOperator: next.NeedsOperator})
		return nil
	case c.Mailbox.Request != nil:
		return nil // a request that arrived meanwhile goes first, and answers the events
	}
	return c.startDecided(ctx, found)
}

// attend inspects the farm while a rotation waits, and waits while it works. A
// rotation that nobody approves must not hide that the certificate ends, or that
// an administrator has changed the farm. Nothing is decided: that is the rotation's.
func (c *farmController) attend(ctx workflow.Context) error {
	if c.legacy || !c.InspectionDue(workflow.Now(ctx)) {
		return c.wait(ctx)
	}
	found, unobserved, err := c.findState(ctx)
	if err != nil {
		return err
	}
	if c.Active == nil {
		return nil
	}
	// One that has gone on meanwhile may have been observed in the middle of a change.
	if err := c.watchRun(ctx); err != nil || c.Active == nil || !c.MayInspect() {
		return err
	}
	c.tellInspection(ctx, found, unobserved)
	c.NoteObservation(workflow.Now(ctx), found, unobserved)
	return nil
}

// findState returns what is found on the farm, and why it could not be observed;
// empty when it was.
func (c *farmController) findState(ctx workflow.Context) (farm.Inspection, string, error) {
	c.BeginInspection()
	if found := c.takeFound(ctx); found != nil {
		return *found, "", nil
	}
	c.showPage(ctx)
	found, err := c.observe(ctx)
	switch {
	case ctx.Err() != nil:
		return found, "", ctx.Err() // the controller is cancelled, and not only its inspection
	case c.Inspected.At.IsZero() && c.Configured.Hash == "" && isUnknownFarm(err):
		// No worker was ever configured for it: the name was mistyped.
		return found, "", temporal.NewNonRetryableApplicationError(Explain(err), UnknownFarmError, nil)
	case err != nil:
		return found, Explain(err), nil
	}
	return found, found.Unobserved(), nil
}

func (c *farmController) observe(ctx workflow.Context) (farm.Inspection, error) {
	if c.legacy {
		return c.inspectByChild(ctx)
	}
	return executeInspection(ctx, c.Farm)
}

// takeFound returns what the rotation that has just ended observed. It is nil
// when that was some time ago, as after the worker was away, and when events have
// arrived: they may be about a certificate that was not there yet when the
// rotation chose its own.
func (c *farmController) takeFound(ctx workflow.Context) *farm.Inspection {
	found := c.found
	c.found = nil
	if found == nil || len(c.Mailbox.Pending) > 0 || workflow.Now(ctx).Sub(found.At) > maxInspectionAge {
		return nil
	}
	return found
}

// decide decides what to do next. A controller never ends for a reason of its
// own: when the decision fails, the next inspection decides.
func (c *farmController) decide(ctx workflow.Context, in farm.DecisionInput) (farm.Next, error) {
	var next farm.Next
	run := func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(localOptions(ctx, "decide what to do"), a.Decide, in)
	}
	var err error
	if c.legacy {
		err = run(ctx).Get(ctx, &next)
	} else {
		err = executeBounded(ctx, run, &next)
	}
	if ctx.Err() != nil {
		return next, ctx.Err()
	}
	if err != nil {
		return farm.Next{NeedsOperator: true, Code: farm.CodeUndecided, Reason: "cannot decide: " + Explain(err)}, nil
	}
	return next, nil
}
