package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// validateRequest refuses a request that makes no sense now. What a controller that is
// still recalling cannot judge yet waits until it can.
func (c *farmController) validateRequest(ctx workflow.Context, r controller.Request) error {
	if c.Recalling {
		return r.CheckComplete()
	}
	return c.checkRequest(ctx, r)
}

// checkRequest returns the reason why a request makes no sense now. What is just being
// begun cannot be withdrawn any more.
func (c *farmController) checkRequest(ctx workflow.Context, r controller.Request) error {
	starting := c.starting
	if r.Kind == controller.RequestWithdraw {
		starting = c.launching
	}
	return c.CheckRequest(workflow.Now(ctx), r, starting)
}

// handleRequest accepts a request and returns what was started for it. A controller that
// is cancelled goes on, and takes requests.
func (c *farmController) handleRequest(ctx workflow.Context, r controller.Request) (StartedRun, error) {
	ctx = c.outliveCancel(ctx)
	if err := c.awaitRecall(ctx); err != nil {
		return StartedRun{}, err
	}
	r.ID = workflow.GetCurrentUpdateInfo(ctx).ID
	c.receiveWithdrawals()
	if c.Mailbox.IsWithdrawn(r.ID) {
		return StartedRun{}, refuseWithdrawn(r)
	}
	if err := c.checkRequest(ctx, r); err != nil {
		return StartedRun{}, refuseRequest(err.Error())
	}
	if !c.Mailbox.TakeRequest(r.ID) {
		return StartedRun{}, refuseRequest(fmt.Sprintf("%s: this was answered before the controller was reset: ask again if it is still wanted", r.Kind))
	}
	if err := c.checkAuthority(ctx, &r); err != nil {
		return StartedRun{}, err
	}
	c.tellRequest(ctx, r)
	if c.ApplyImmediate(workflow.Now(ctx), r) {
		c.found, c.updated = nil, true
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
	case c.forgotten:
		return StartedRun{}, nil
	case c.Mailbox.IsWithdrawn(r.ID):
		return StartedRun{}, refuseWithdrawn(r)
	case r.IsExpired(workflow.Now(ctx)):
		return StartedRun{}, refuseRequest(r.ExplainExpired().Error())
	case c.Recalling:
		return StartedRun{}, refuseRequest(fmt.Sprintf("%s: the controller was reset: ask again", r.Kind))
	case r.Kind == controller.RequestForget:
		return StartedRun{}, refuseRequest("forget: a worker that has the farm in its configuration has just started")
	case c.Unmanaged != "":
		return StartedRun{}, refuseRequest(fmt.Sprintf("%s: the farm is unmanaged: %s", r.Kind, c.Unmanaged))
	}
	return StartedRun{}, refuseRequest(fmt.Sprintf("%s: %s", r.Kind, c.Next.Reason))
}

func refuseRequest(reason string) error {
	return temporal.NewNonRetryableApplicationError(reason, RefusedError, nil)
}

func refuseWithdrawn(r controller.Request) error {
	return refuseRequest(fmt.Sprintf("%s: the request of %s was withdrawn, and nothing was begun", r.Kind, r.By))
}

// startRequested starts what an operator asked for, if that still makes sense
// once no retirement runs: one that is cancelled may have ended first.
func (c *farmController) startRequested(ctx workflow.Context) error {
	asked := c.Mailbox.Request
	request := *asked
	defer func() {
		if c.Mailbox.Request == asked {
			c.Mailbox.Request = nil
		}
	}()
	if err := c.cancelRetirement(ctx); err != nil {
		return err
	}
	c.receiveSignals(ctx)
	if c.dropExpired(ctx); c.Mailbox.Request != asked {
		return nil // it was withdrawn, or has expired, or the farm has become unmanaged
	}
	if request.Kind == controller.RequestForget {
		c.forgotten = c.Unmanaged != ""
		return nil
	}
	if blocked := c.WhyNotBack(request.Kind); blocked != "" {
		c.Next = farm.Next{Code: farm.CodeRefused, Reason: blocked}
		return nil
	}
	in := RotateInput{
		Farm: c.Farm, Reason: fmt.Sprintf("%s (%s)", request.Reason, request.By),
		Accepted: farm.NewAcceptances(request.Accept, request.By, request.Reason, workflow.Now(ctx)),
		Asked:    request.Authorization,
	}
	switch {
	case request.Kind == controller.RequestRollback:
		in.Intent = farm.Rollback
	case request.Kind == controller.RequestUndo:
		in.Intent, in.Now = farm.Undo, request.Now
	case request.Compromised:
		in.Intent, in.LeftOut = farm.ReplaceCompromised, request.LeftOut()
	}
	err := c.startRotation(ctx, in)
	if run := c.Active; run != nil {
		// Noted now: the run may have ended before the request is answered.
		c.started = StartedRun{WorkflowID: run.WorkflowID, RunID: run.RunID}
	}
	return err
}
