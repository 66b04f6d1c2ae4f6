package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// KeepTrust is the keeper of a farm: it takes events and people's wishes,
// looks at the farm on a timer, decides what is to be done, and has one child
// at a time do it. It owns the journal until the old certificate is retired,
// the soak, and the hold after an undo. It runs for ever, continuing as new
// with everything that it knows.
func KeepTrust(ctx workflow.Context, known Keeping) error {
	k := &keeper{Keeping: known}
	if err := k.open(ctx); err != nil {
		return err
	}
	for !k.mayContinueAsNew(ctx) {
		if err := k.turn(ctx); err != nil {
			return err
		}
	}
	k.drain(ctx)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, KeepTrust, k.Keeping)
}

// keeper is a running keeper: what it knows, and what it waits on.
type keeper struct {
	Keeping

	events     workflow.ReceiveChannel
	finished   workflow.ReceiveChannel
	configured workflow.ReceiveChannel
	// child resolves when the child ends; nil after continuing as new, when
	// only its own word, or its absence, tells.
	child workflow.Future
	// due asks for a look at once.
	due bool
}

// open answers queries, lets wishes in and loads the configuration.
func (k *keeper) open(ctx workflow.Context) error {
	k.events = workflow.GetSignalChannel(ctx, EventSignal)
	k.finished = workflow.GetSignalChannel(ctx, FinishedSignal)
	k.configured = workflow.GetSignalChannel(ctx, ConfiguredSignal)
	k.due = k.LookedAt.IsZero()
	if err := workflow.SetQueryHandler(ctx, KeepingQuery, func() (Keeping, error) { return k.Keeping, nil }); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, WishUpdate, k.take, workflow.UpdateHandlerOptions{
		Validator: k.mayTake, Description: "A person's wish: rotate, undo or release",
	}); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(k.Farm))
}

// mayContinueAsNew says whether Temporal suggests it. A child does not hinder:
// it tells its end by signal as well.
func (k *keeper) mayContinueAsNew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

// turn does one thing, or waits for something to do.
func (k *keeper) turn(ctx workflow.Context) error {
	k.drain(ctx)
	switch {
	case k.Paused != "":
	case k.Work != nil && !k.retiring():
		return k.attend(ctx)
	case k.Wish != nil:
		return k.fulfil(ctx)
	case k.due || len(k.Asked) > 0 || k.lookDue(ctx):
		return k.look(ctx)
	case k.Work != nil:
		return k.attend(ctx)
	case k.retirementDue(ctx):
		return k.retire(ctx)
	}
	return k.rest(ctx)
}

// rest waits for a signal, a wish, the child's end or the next thing due.
func (k *keeper) rest(ctx workflow.Context) error {
	k.show(ctx)
	wish, work, due := k.Wish, k.Work, k.due
	stirred := func() bool {
		return k.events.Len() > 0 || k.finished.Len() > 0 || k.configured.Len() > 0 ||
			k.Wish != wish || k.Work != work || k.due != due || (k.child != nil && k.child.IsReady()) || k.mayContinueAsNew(ctx)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: k.pause(ctx), TimerOptions: workflow.TimerOptions{Summary: "next look"},
	}, stirred)
	return err
}

// pause is how long nothing is due.
func (k *keeper) pause(ctx workflow.Context) time.Duration {
	now := workflow.Now(ctx)
	next := now.Add(k.LookEvery)
	if k.Paused == "" && k.Work == nil {
		next = k.LookedAt.Add(k.LookEvery)
		if k.retires() && k.SoakUntil.Before(next) {
			next = k.SoakUntil
		}
	}
	return max(next.Sub(now), time.Second)
}

func (k *keeper) lookDue(ctx workflow.Context) bool {
	return !workflow.Now(ctx).Before(k.LookedAt.Add(k.LookEvery))
}

// drain takes what has arrived. Events are kept while a child works, and
// judged after it.
func (k *keeper) drain(ctx workflow.Context) {
	for {
		var e Event
		if !k.events.ReceiveAsync(&e) {
			break
		}
		k.hear(e)
	}
	for {
		var f Finished
		if !k.finished.ReceiveAsync(&f) {
			break
		}
		if k.Work != nil && f.WorkflowID == k.Work.WorkflowID {
			k.conclude(ctx, f)
		}
	}
	for {
		var c Configured
		if !k.configured.ReceiveAsync(&c) {
			break
		}
		k.due = k.due || (k.Paused != "" && c.Paused == "")
		k.Paused = c.Paused
	}
}

// remembered is how many event IDs are kept to recognise repeats: sources
// repeat an event for days, not for ever.
const remembered = 500

// hear keeps an event that was not heard before.
func (k *keeper) hear(e Event) {
	if slices.Contains(k.Heard, e.ID) {
		return
	}
	k.Heard = append(k.Heard, e.ID)
	k.Heard = k.Heard[max(0, len(k.Heard)-remembered):]
	k.Asked = append(k.Asked, e)
}

// look has the farm looked at, and decides.
func (k *keeper) look(ctx workflow.Context) error {
	if err := k.missWork(ctx); err != nil {
		return err
	}
	asked := k.Asked
	k.Asked, k.due = nil, false
	var seen Inspection
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: LookID(k.Farm), StaticSummary: "look at " + k.Farm})
	err := workflow.ExecuteChildWorkflow(child, InspectTrust, InspectInput{Farm: k.Farm}).Get(ctx, &seen)
	if temporal.IsCanceledError(err) {
		return err
	}
	k.LookedAt = workflow.Now(ctx)
	situation := farm.Situation{
		Now: k.LookedAt, Farm: seen.Config, Current: seen.Current, Target: seen.Target,
		Differences: seen.Plan, Findings: seen.Findings, Unseen: seen.unseen(err), Asked: len(asked) > 0, Held: k.Hold,
	}
	if seen.Config.Rotation.LookEvery > 0 {
		k.LookEvery, k.Soak = seen.Config.Rotation.LookEvery, seen.Config.Rotation.Soak
	}
	if err := workflow.ExecuteActivity(deciding(ctx, "decide what to do"), a.Decide, situation).Get(ctx, &k.Next); err != nil {
		return err
	}
	k.Current = seen.Current
	if k.Next.Do != farm.Turn {
		return nil
	}
	reason := k.Next.Why
	if len(asked) > 0 {
		reason = asked[len(asked)-1].Summary + ": " + reason
	}
	return k.start(ctx, RotateInput{Farm: k.Farm, Reason: reason, Journal: k.Journal})
}

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
		k.Next = farm.Next{NeedsPerson: false, Why: fmt.Sprintf("%s runs already: %v", id, err)}
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
	if err := workflow.ExecuteActivity(deciding(ctx, "see whether "+k.Work.WorkflowID+" runs"), a.IsRunning, k.Work.WorkflowID).Get(ctx, &running); err != nil {
		return err
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

// retires says whether an old certificate is to be retired some time.
func (k *keeper) retires() bool {
	return k.Journal != nil && k.Journal.Previous.Thumbprint != "" && !k.SoakUntil.IsZero() && k.Hold == ""
}

func (k *keeper) retirementDue(ctx workflow.Context) bool {
	return k.retires() && !workflow.Now(ctx).Before(k.SoakUntil)
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
