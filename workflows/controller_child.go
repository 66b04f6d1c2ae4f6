package workflows

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
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

// startRotation starts a rotation or a way back, once no retirement runs any more: with
// the snapshot of what is unfinished, which is carried on or restored, or with that of
// the renewal that is undone. A retirement that is cancelled for it changes
// what the inspection saw.
func (c *farmController) startRotation(ctx workflow.Context, in RotateInput) error {
	if c.RunsRetirement() {
		in.Inspection = nil
	}
	if err := c.cancelRetirement(ctx); err != nil {
		return err
	}
	if in.Snapshot = c.LastUnfinished(); in.Intent == farm.Undo || in.Intent == farm.Rollback && in.Snapshot == nil {
		in.Snapshot = c.Retention.Snapshot
	}
	in.Configured = c.Configured.Hash != "" || !c.Inspected.At.IsZero()
	if farm.SizeOf(in) > maxInput {
		in.Inspection = nil // the rotation observes the farm itself
	}
	return c.startChild(ctx, controller.ActiveRun{WorkflowID: RotateID(c.Farm), Intent: in.Intent, Reason: in.Reason}, RotateTrust, in)
}

// maxInput is how large the input of a rotation may be that has an inspection in it, in
// bytes: Temporal takes two megabytes.
const maxInput = 1 << 20

// startRetirement starts the retirement of the oldest certificate that is not in
// use again.
func (c *farmController) startRetirement(ctx workflow.Context) error {
	c.ForgetOlderInUse()
	old := c.NextToRetire()
	in := RetireInput{Farm: c.Farm, Reason: c.retirementReason(old), Old: old}
	if at := c.Inspected.At; !at.IsZero() {
		in.InUse = farm.UseOf(c.Inspected.Current, at)
	}
	return c.startChild(ctx, controller.ActiveRun{WorkflowID: RetireID(c.Farm), Retirement: true, Reason: in.Reason}, RetireCertificate, in)
}

// retirementReason says why a certificate is due.
func (c *farmController) retirementReason(old farm.StoreCertificate) string {
	if kept := c.Retention.Snapshot; kept != nil && kept.Compromised && kept.Previous.Thumbprint == old.Thumbprint {
		return fmt.Sprintf("%s is compromised, and no longer in use", old.Thumbprint.Short())
	}
	return fmt.Sprintf("the retention of %s has ended", old.Thumbprint.Short())
}

// childTimeout is how long a rotation or a retirement may take, all waits for operators
// included. One that Temporal cannot continue needs an operator long before: the controller
// reads it, and says that it does not answer. It ends by this where nobody ever acts, and
// the next inspection finds what is left.
const childTimeout = 400 * 24 * time.Hour

// startChild starts a child workflow and notes it, or that another run has its
// workflow ID. The child goes on when the controller is terminated: it would
// otherwise stop between two steps. A controller that was reset starts nothing, and one
// that was cancelled only what an operator asked for.
func (c *farmController) startChild(ctx workflow.Context, run controller.ActiveRun, child, in any) error {
	if c.noticeReset(ctx); c.Recalling || c.isCancelled() && c.Mailbox.Request == nil {
		return nil
	}
	c.launching = run.WorkflowID
	defer func() { c.launching = "" }()
	future := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: run.WorkflowID, StaticSummary: summarize(run.Reason),
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON, WaitForCancellation: true, WorkflowExecutionTimeout: childTimeout,
	}), child, in)
	var execution workflow.Execution
	if err := future.GetChildWorkflowExecution().Get(ctx, &execution); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		return c.meetRun(ctx, run)
	}
	run.RunID, run.Since = execution.RunID, workflow.Now(ctx)
	c.child, c.reconfigured = future, false
	c.BeginRun(run)
	return nil
}

// meetRun takes the run that has the workflow ID of a child which could not be started:
// one of the controller's own that it did not know of, or one that was started by hand.
func (c *farmController) meetRun(ctx workflow.Context, run controller.ActiveRun) error {
	runID := ""
	if !c.legacy {
		record, err := c.readRun(ctx, activities.ReadRunInput{WorkflowID: run.WorkflowID})
		if err != nil {
			workflow.GetLogger(ctx).Warn("a run that was met is not read", "workflow", run.WorkflowID, "error", err)
		}
		if record != nil {
			runID = record.RunID
			c.noteRun(workflow.Now(ctx), *record)
		}
	}
	if c.Active == nil {
		c.MeetForeignRun(workflow.Now(ctx), run, runID)
	}
	return nil
}

func (c *farmController) childEnded() bool { return c.child != nil && c.child.IsReady() }

// endChild takes the result of a child that has ended. One that left no report is
// read: it tells how far it was although it was terminated.
func (c *farmController) endChild(ctx workflow.Context) error {
	if !c.childEnded() {
		return nil
	}
	var result farm.RotationResult
	err := c.child.Get(ctx, &result)
	c.child = nil
	result, reported := RotationResultOf(result, err)
	problem := ""
	if !reported {
		if !c.legacy {
			return c.watchRun(ctx)
		}
		problem = fmt.Sprintf("%s left no report (%s); see its history", c.Active.WorkflowID, Explain(err))
	}
	if c.RunsRetirement() {
		c.EndRetirement(workflow.Now(ctx), result, problem)
		return nil
	}
	c.EndRotation(workflow.Now(ctx), result, problem)
	if !c.reconfigured {
		c.found = result.Inspection
	}
	return nil
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
	if c.legacy {
		if err := workflow.Await(ctx, c.childEnded); err != nil {
			return err
		}
		return c.endChild(ctx)
	}
	return c.awaitRetirement(ctx)
}

// retirementPatience is how long a retirement that was cancelled takes at most to be
// noticed, where it can only be read.
const retirementPatience = time.Minute

// awaitRetirement waits until a retirement that was cancelled has ended.
func (c *farmController) awaitRetirement(ctx workflow.Context) error {
	for c.RunsRetirement() && !c.Recalling {
		if err := c.endChild(ctx); err != nil || !c.RunsRetirement() {
			return err
		}
		c.showPage(ctx)
		_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
			Timeout: retirementPatience, TimerOptions: workflow.TimerOptions{Summary: "the retirement is read again"},
		}, func() bool { return c.childEnded() || c.hints.Len() > 0 || c.Recalling || !c.RunsRetirement() })
		if err != nil {
			return err
		}
		c.receiveWithdrawals()
		if c.receiveHints(); c.childEnded() || !c.RunsRetirement() || c.Recalling {
			continue
		}
		c.ending = true
		if err := c.watchRun(ctx); err != nil {
			return err
		}
	}
	return nil
}
