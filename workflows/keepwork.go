package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// start has a child rotate or undo. It outlives this run of the keeper.
func (k *keeper) start(ctx workflow.Context, in RotateInput) error {
	if err := k.callOffRetirement(ctx); err != nil {
		return err
	}
	in.Keeper = workflow.GetInfo(ctx).WorkflowExecution.ID
	id := RotateID(k.Farm)
	return k.dispatch(ctx, id, in.Reason, func(ctx workflow.Context) workflow.ChildWorkflowFuture {
		return workflow.ExecuteChildWorkflow(ctx, RotateTrust, in)
	})
}

func (k *keeper) dispatch(ctx workflow.Context, id, reason string, run func(workflow.Context) workflow.ChildWorkflowFuture) error {
	child := run(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, StaticSummary: fmt.Sprintf("%.300s", reason),
		ParentClosePolicy: abandon, WaitForCancellation: true,
	}))
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		if temporal.IsCanceledError(err) {
			return err
		}
		// Somebody started one by hand; the next look finds what it did.
		k.Next = farm.Next{Why: fmt.Sprintf("%s runs already, started by hand", id)}
		return nil
	}
	k.child, k.Work = child, &Work{WorkflowID: id, Reason: reason, Since: workflow.Now(ctx)}
	return nil
}

// attend waits for the end of the child, and takes it from the child's result
// or from its own word, whichever comes first.
func (k *keeper) attend(ctx workflow.Context) error {
	if k.child != nil && k.child.IsReady() {
		f := Finished{WorkflowID: k.Work.WorkflowID}
		f.Rotation, f.Problem = rotationOf(k.child.Get(ctx, &f.Rotation), f.Rotation)
		k.conclude(ctx, f)
		return nil
	}
	if k.lookDue(ctx) {
		if err := k.missWork(ctx); err != nil {
			return err
		}
		k.LookedAt = workflow.Now(ctx)
	}
	if k.Work == nil {
		return nil
	}
	return k.rest(ctx)
}

// missWork asks Temporal whether the child runs, when this run of the keeper
// did not start it. One that was terminated says nothing itself.
func (k *keeper) missWork(ctx workflow.Context) error {
	if k.Work == nil || k.child != nil {
		return nil
	}
	var running bool
	if err := workflow.ExecuteActivity(deciding(ctx, "see whether "+k.Work.WorkflowID+" runs"), a.IsRunning, k.Work.WorkflowID).Get(ctx, &running); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		workflow.GetLogger(ctx).Warn("cannot see whether the work goes on", "work", k.Work.WorkflowID, "error", err)
		return nil
	}
	k.drain(ctx)
	if !running && k.Work != nil {
		k.conclude(ctx, Finished{WorkflowID: k.Work.WorkflowID, Problem: "it ended without a word; look at its history"})
	}
	return nil
}

// retiring says whether the child is a retirement, which waits for people for
// days and must not keep anything else waiting.
func (k *keeper) retiring() bool { return k.Work != nil && k.Work.WorkflowID == RetireID(k.Farm) }

// callOffRetirement cancels a retirement that waits; it is due again later.
func (k *keeper) callOffRetirement(ctx workflow.Context) error {
	if !k.retiring() {
		return nil
	}
	if err := workflow.RequestCancelExternalWorkflow(ctx, k.Work.WorkflowID, "").Get(ctx, nil); err != nil {
		// It has just ended by itself; its word is on the way.
		workflow.GetLogger(ctx).Info("retirement is not called off", "error", err)
	}
	for k.retiring() {
		if err := k.attend(ctx); err != nil {
			return err
		}
		k.drain(ctx)
	}
	return nil
}

// conclude learns from what a child did.
func (k *keeper) conclude(ctx workflow.Context, f Finished) {
	retired := k.Work.WorkflowID == RetireID(k.Farm)
	k.Work, k.child, k.due = nil, nil, true
	k.Last = Last{At: workflow.Now(ctx), Outcome: f.Rotation.Outcome, Statement: f.Rotation.Statement}
	if f.Problem != "" {
		k.Last.Statement = f.Problem
	}
	if f.Rotation.Journal != nil {
		k.Journal = f.Rotation.Journal
	}
	switch {
	case retired && f.Rotation.Outcome == farm.Verified:
		k.Journal, k.SoakUntil = nil, time.Time{}
	case retired:
		// A person kept it, or something else came first: asked again later.
		k.SoakUntil = workflow.Now(ctx).Add(max(k.Soak, k.LookEvery))
	case f.Rotation.Outcome == farm.Verified:
		k.Hold, k.SoakUntil = "", workflow.Now(ctx).Add(k.Soak)
		if f.Compromised {
			k.SoakUntil = workflow.Now(ctx)
		}
	case f.Rotation.Outcome == farm.Already, f.Rotation.Outcome == farm.Refused:
	case f.Rotation.Outcome == farm.Undone:
		k.Hold, k.Journal = "the rotation was undone", nil
	default:
		k.Hold = "the rotation ended otherwise than planned: " + k.Last.Statement
	}
}

// Retires says whether an old certificate is to be retired at SoakUntil.
func (k *Keeping) Retires() bool {
	return k.Journal != nil && k.Journal.Previous.Thumbprint != "" && !k.SoakUntil.IsZero() && k.Hold == ""
}

func (k *keeper) retirementDue(ctx workflow.Context) bool {
	return k.Retires() && !workflow.Now(ctx).Before(k.SoakUntil)
}

func (k *keeper) retire(ctx workflow.Context) error {
	old := k.Journal.Previous
	in := RetireInput{
		Farm: k.Farm, Reason: fmt.Sprintf("%s has soaked", old.Thumbprint.Short()), Old: old, Keeper: workflow.GetInfo(ctx).WorkflowExecution.ID,
	}
	return k.dispatch(ctx, RetireID(k.Farm), in.Reason, func(ctx workflow.Context) workflow.ChildWorkflowFuture {
		return workflow.ExecuteChildWorkflow(ctx, RetireCertificate, in)
	})
}

func isUnknownFarm(err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && application.Type() == UnknownFarmError
}
