package workflows

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// startDecided starts the rotation that was decided on, from the inspection that
// caused it.
func (c *farmController) startDecided(ctx workflow.Context, found farm.Inspection) error {
	reason := c.Next.Reason
	if pending := c.Mailbox.Pending; len(pending) > 0 {
		reason = pending[len(pending)-1].Summary + ": " + reason
	}
	c.starting = reason
	defer func() { c.starting = "" }()
	return c.startRotation(ctx, RotateInput{Farm: c.Farm, Reason: reason, Inspection: &found})
}

// startRotation starts a rotation or a rollback, with the snapshot that is kept
// once no retirement runs any more. A retirement that is cancelled for it changes
// what the inspection saw.
func (c *farmController) startRotation(ctx workflow.Context, in RotateInput) error {
	if c.RunsRetirement() {
		in.Inspection = nil
	}
	if err := c.cancelRetirement(ctx); err != nil {
		return err
	}
	in.Snapshot = c.Retention.Snapshot
	in.Configured = c.Configured.Hash != "" || !c.Inspected.At.IsZero()
	return c.startChild(ctx, controller.ActiveRun{WorkflowID: RotateID(c.Farm), Reason: in.Reason}, RotateTrust, in)
}

// startRetirement starts the retirement of the oldest certificate that is not in
// use again.
func (c *farmController) startRetirement(ctx workflow.Context) error {
	c.ForgetOlderInUse()
	old := c.NextToRetire()
	in := RetireInput{Farm: c.Farm, Reason: fmt.Sprintf("the retention of %s has ended", old.Thumbprint.Short()), Old: old}
	return c.startChild(ctx, controller.ActiveRun{WorkflowID: RetireID(c.Farm), Retirement: true, Reason: in.Reason}, RetireCertificate, in)
}

// startChild starts a child workflow and notes it, or that another run has its
// workflow ID. The child goes on when the controller is terminated: it would
// otherwise stop between two steps.
func (c *farmController) startChild(ctx workflow.Context, run controller.ActiveRun, child, in any) error {
	future := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: run.WorkflowID, StaticSummary: shorten(run.Reason, maxSummary),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON, WaitForCancellation: true,
	}), child, in)
	var execution workflow.Execution
	if err := future.GetChildWorkflowExecution().Get(ctx, &execution); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		c.MeetForeignRun(workflow.Now(ctx), run)
		return nil
	}
	run.RunID, run.Since = execution.RunID, workflow.Now(ctx)
	c.child, c.reconfigured = future, false
	c.BeginRun(run)
	return nil
}

func (c *farmController) childEnded() bool { return c.child != nil && c.child.IsReady() }

// endChild takes the result of a child that has ended. It is the only way in
// which the controller learns of that.
func (c *farmController) endChild(ctx workflow.Context) {
	if !c.childEnded() {
		return
	}
	var result farm.RotationResult
	err := c.child.Get(ctx, &result)
	c.child = nil
	result, reported := RotationResultOf(result, err)
	problem := ""
	if !reported {
		problem = fmt.Sprintf("%s left no report (%s); see its history", c.Active.WorkflowID, explain(err))
	}
	if c.RunsRetirement() {
		c.EndRetirement(workflow.Now(ctx), result.Report, problem)
		return
	}
	c.EndRotation(workflow.Now(ctx), result, problem)
	if !c.reconfigured {
		c.found = result.Inspection
	}
}

// cancelRetirement cancels a retirement that waits; it is due again later.
func (c *farmController) cancelRetirement(ctx workflow.Context) error {
	if !c.RunsRetirement() {
		return nil
	}
	if err := workflow.RequestCancelExternalWorkflow(ctx, c.Active.WorkflowID, c.Active.RunID).Get(ctx, nil); err != nil {
		// It has just ended by itself, and its result is on the way.
		workflow.GetLogger(ctx).Info("retirement is not cancelled", "error", err)
	}
	if err := workflow.Await(ctx, c.childEnded); err != nil {
		return err
	}
	c.endChild(ctx)
	return nil
}
