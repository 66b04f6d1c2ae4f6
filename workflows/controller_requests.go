package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// validateRequest refuses a request that makes no sense now.
func (c *farmController) validateRequest(_ workflow.Context, r controller.Request) error {
	return c.CheckRequest(r, c.starting)
}

// handleRequest accepts a request and returns what was started for it.
func (c *farmController) handleRequest(ctx workflow.Context, r controller.Request) (StartedRun, error) {
	if r.Kind == controller.RequestResume {
		c.Resume()
		c.found = nil
		return StartedRun{}, nil
	}
	c.AcceptRequest(&r)
	c.started = StartedRun{}
	if err := workflow.Await(ctx, func() bool { return c.Mailbox.Request != &r }); err != nil {
		return StartedRun{}, err
	}
	switch {
	case c.started != StartedRun{}:
		return c.started, nil
	case c.Unmanaged != "":
		return StartedRun{}, refuseRequest(r, "the farm is unmanaged: "+c.Unmanaged)
	}
	return StartedRun{}, refuseRequest(r, c.Next.Reason)
}

func refuseRequest(r controller.Request, reason string) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s: %s", r.Kind, reason), RefusedError, nil)
}

// startRequested starts what an operator asked for, if that still makes sense
// once no retirement runs: one that is cancelled may have ended first.
func (c *farmController) startRequested(ctx workflow.Context) error {
	request := *c.Mailbox.Request
	defer func() { c.Mailbox.Request = nil }()
	if err := c.cancelRetirement(ctx); err != nil {
		return err
	}
	if c.receiveSignals(ctx); c.Mailbox.Request == nil {
		return nil // the farm has become unmanaged
	}
	if blocked := c.RollbackBlocked(); request.Kind == controller.RequestRollback && blocked != "" {
		c.Next = farm.Next{Code: farm.CodeRefused, Reason: blocked}
		return nil
	}
	in := RotateInput{
		Farm: c.Farm, Reason: fmt.Sprintf("%s (%s)", request.Reason, request.By),
		Accepted: farm.NewAcceptances(request.Accept, request.By, request.Reason, workflow.Now(ctx)),
	}
	switch {
	case request.Kind == controller.RequestRollback:
		in.Intent = farm.Rollback
	case request.Compromised:
		in.Intent = farm.ReplaceCompromised
	}
	err := c.startRotation(ctx, in)
	if run := c.Active; run != nil {
		// Noted now: the run may have ended before the request is answered.
		c.started = StartedRun{WorkflowID: run.WorkflowID, RunID: run.RunID}
	}
	return err
}
