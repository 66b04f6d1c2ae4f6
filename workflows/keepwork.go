package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// start has a child rotate or undo. It outlives this run of the keeper.
func (k *controller) start(ctx workflow.Context, in RotateInput) error {
	if err := k.callOffRetirement(ctx); err != nil {
		return err
	}
	in.Keeper = workflow.GetInfo(ctx).WorkflowExecution.ID
	id := RotateID(k.Farm)
	return k.dispatch(ctx, id, in.Reason, func(ctx workflow.Context) workflow.ChildWorkflowFuture {
		return workflow.ExecuteChildWorkflow(ctx, RotateTrust, in)
	})
}

func (k *controller) dispatch(ctx workflow.Context, id, reason string, run func(workflow.Context) workflow.ChildWorkflowFuture) error {
	child := run(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: id, StaticSummary: brief(reason),
		ParentClosePolicy: abandon, WaitForCancellation: true,
	}))
	if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		if temporal.IsCanceledError(err) {
			return err
		}
		// Somebody started one by hand; the next look finds what it did.
		k.Next = farm.Next{Reason: fmt.Sprintf("%s runs already, started by hand", id)}
		return nil
	}
	k.child, k.ActiveRun = child, &ActiveRun{WorkflowID: id, Reason: reason, Since: workflow.Now(ctx)}
	return nil
}

// learnEnd takes the end of the child from its result, if that comes before
// its own word, or instead of it.
func (k *controller) learnEnd(ctx workflow.Context) {
	if k.ActiveRun == nil || k.child == nil || !k.child.IsReady() {
		return
	}
	f := Finished{WorkflowID: k.ActiveRun.WorkflowID}
	err := k.child.Get(ctx, &f.Rotation)
	f.Rotation, f.Problem = rotationOf(err, f.Rotation)
	k.conclude(ctx, f)
}

// attend waits for the end of the child.
func (k *controller) attend(ctx workflow.Context) error {
	k.learnEnd(ctx)
	if !workflow.Now(ctx).Before(k.askedAt.Add(k.InspectionInterval)) {
		k.askedAt = workflow.Now(ctx)
		if err := k.missWork(ctx); err != nil {
			return err
		}
	}
	if k.ActiveRun == nil {
		return nil
	}
	return k.rest(ctx)
}

// missWork asks Temporal whether the child runs, when this run of the keeper
// did not start it. One that was terminated says nothing itself.
func (k *controller) missWork(ctx workflow.Context) error {
	if k.ActiveRun == nil || k.child != nil {
		return nil
	}
	var running bool
	if err := workflow.ExecuteActivity(deciding(ctx, "see whether "+k.ActiveRun.WorkflowID+" runs"), a.IsRunning, k.ActiveRun.WorkflowID).Get(ctx, &running); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		workflow.GetLogger(ctx).Warn("cannot see whether the work goes on", "work", k.ActiveRun.WorkflowID, "error", err)
		return nil
	}
	k.drain(ctx)
	if !running && k.ActiveRun != nil {
		k.conclude(ctx, Finished{WorkflowID: k.ActiveRun.WorkflowID, Problem: "it ended without a word; look at its history"})
	}
	return nil
}

// retiring says whether the child is a retirement, which waits for people for
// days and must not keep anything else waiting.
func (k *controller) retiring() bool { return k.ActiveRun != nil && k.ActiveRun.WorkflowID == RetireID(k.Farm) }

// callOffRetirement cancels a retirement that waits; it is due again later.
func (k *controller) callOffRetirement(ctx workflow.Context) error {
	if !k.retiring() {
		return nil
	}
	k.waiting++
	defer func() { k.waiting-- }()
	if err := workflow.RequestCancelExternalWorkflow(ctx, k.ActiveRun.WorkflowID, "").Get(ctx, nil); err != nil {
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
func (k *controller) conclude(ctx workflow.Context, f Finished) {
	retired := k.ActiveRun.WorkflowID == RetireID(k.Farm)
	k.ActiveRun, k.child, k.due = nil, nil, true
	k.LastRun = LastRun{At: workflow.Now(ctx), Outcome: f.Rotation.Outcome, Statement: f.Rotation.Statement}
	if f.Problem != "" {
		k.LastRun.Statement = f.Problem
	}
	if retired {
		k.concludeRetirement(ctx, f.Rotation.Report)
		return
	}
	switch f.Rotation.Outcome {
	case farm.NoChange:
	case farm.Refused:
		// What refused it may not show in a look: the next is not at once.
		k.due, k.Next = false, farm.Next{NeedsOperator: true, Reason: k.LastRun.Statement}
	case farm.Verified:
		k.adopt(f.Rotation.Snapshot)
		k.Suspended, k.RetainOldUntil = "", workflow.Now(ctx).Add(k.KeepOldFor)
		if k.Snapshot != nil && k.Snapshot.Compromised {
			k.RetainOldUntil = workflow.Now(ctx)
		}
	case farm.RolledBack:
		k.Suspended = "the rotation was undone"
		if !k.isAnother(f.Rotation.Snapshot) || !since(ctx, keepsJournal) {
			k.Snapshot, k.RetainOldUntil = nil, time.Time{}
		}
	default:
		anew := k.isAnother(f.Rotation.Snapshot) && since(ctx, beginsSoakAnew)
		if k.adopt(f.Rotation.Snapshot); anew {
			k.RetainOldUntil = time.Time{} // it soaks once it is settled
		}
		k.Suspended = "the rotation ended otherwise than planned: " + k.LastRun.Statement
	}
}

// isDifferentRotation says whether a journal is of another rotation than the keeper's.
func (k *controller) isAnother(j *farm.Snapshot) bool {
	return k.Snapshot != nil && j != nil && k.Snapshot.Target.Thumbprint != j.Target.Thumbprint
}

// keepSnapshot takes the journal of a rotation, and remembers the certificate that
// the one before it has not retired yet.
func (k *controller) adopt(j *farm.Snapshot) {
	if j == nil {
		return
	}
	if k.Retires() && k.isAnother(j) {
		k.Older = append(k.Older, k.Snapshot.Previous)
	}
	k.Snapshot = j
}

// settle begins the soak of a rotation that ended otherwise than planned once
// the farm is as that rotation wanted it, whoever finished it.
func (k *controller) settle(ctx workflow.Context) {
	done := k.Next.Action == farm.ActionNone && !k.Next.NeedsOperator
	if j := k.Snapshot; j != nil && done && k.RetainOldUntil.IsZero() && k.Current.Thumbprint == j.Target.Thumbprint {
		k.RetainOldUntil = workflow.Now(ctx).Add(k.KeepOldFor)
	}
}

// CanRollBack says whether there is a rotation to undo.
func (k *FarmState) CanRollBack() bool { return k.rollbackBlocked() == "" }

// Retires says whether an old certificate is to be retired at RetainOldUntil.
func (k *FarmState) Retires() bool {
	return k.Snapshot != nil && k.Snapshot.Replaces() && !k.RetainOldUntil.IsZero() && k.Suspended == ""
}

func (k *controller) retirementDue(ctx workflow.Context) bool {
	return k.Retires() && !workflow.Now(ctx).Before(k.RetainOldUntil)
}

// retire retires the oldest certificate that is not in use again.
func (k *controller) retire(ctx workflow.Context) error {
	k.Older = slices.DeleteFunc(k.Older, func(c farm.StoreCertificate) bool { return c.Thumbprint == k.Current.Thumbprint })
	old := append(slices.Clone(k.Older), k.Snapshot.Previous)[0]
	in := RetireInput{
		Farm: k.Farm, Reason: fmt.Sprintf("%s has soaked", old.Thumbprint.Short()), Old: old, Keeper: workflow.GetInfo(ctx).WorkflowExecution.ID,
	}
	return k.dispatch(ctx, RetireID(k.Farm), in.Reason, func(ctx workflow.Context) workflow.ChildWorkflowFuture {
		return workflow.ExecuteChildWorkflow(ctx, RetireCertificate, in)
	})
}

// concludeRetirement learns from a retirement. One that did not retire, because
// a person kept the certificate or something else came first, is asked for
// again later.
func (k *controller) concludeRetirement(ctx workflow.Context, r farm.Report) {
	older := func(c farm.StoreCertificate) bool { return c.Thumbprint == r.Target }
	if k.Snapshot != nil && k.Snapshot.Previous.Thumbprint == r.Target && r.Reached(farm.StepDelete) {
		k.Snapshot.Deleting = true
	}
	switch {
	case r.Outcome != farm.Verified:
		k.RetainOldUntil = workflow.Now(ctx).Add(max(k.KeepOldFor, k.InspectionInterval))
	case slices.ContainsFunc(k.Older, older):
		k.Older = slices.DeleteFunc(k.Older, older)
	default:
		k.Snapshot, k.RetainOldUntil = nil, time.Time{}
	}
}

// brief cuts a text to the 400 bytes that Temporal Cloud allows a summary.
func brief(text string) string {
	const most = 400
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-3], "") + "..."
}

func isUnknownFarm(err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && application.Type() == UnknownFarmError
}
