package workflows

import (
	"hash/fnv"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// ManageFarm is the keeper of a farm: it takes events and people's wishes,
// looks at the farm on a timer, decides what is to be done, and has one child
// at a time do it. It owns the journal until the old certificate is retired,
// the soak, and the hold after an undo. It runs for ever, continuing as new
// with everything that it knows.
func ManageFarm(ctx workflow.Context, known FarmState) error {
	k := &controller{FarmState: known}
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
	return workflow.NewContinueAsNewError(ctx, ManageFarm, k.FarmState)
}

// controller is a running keeper: what it knows, and what it waits on.
type controller struct {
	FarmState

	events     workflow.ReceiveChannel
	finished   workflow.ReceiveChannel
	configured workflow.ReceiveChannel
	// child resolves when the child ends; nil after continuing as new, when
	// only its own word, or its absence, tells.
	child workflow.Future
	// due asks for a look at once.
	due bool
	// waiting counts people who wait for what they wished to begin, and waits
	// of the keeper's own that must not be cut short by continuing as new.
	waiting int
	// begins says which rotation the keeper begins just now by itself.
	begins string
	// askedAt is when the keeper last asked Temporal about its child.
	askedAt time.Time
}

// open answers queries, lets wishes in and loads the configuration.
func (k *controller) open(ctx workflow.Context) error {
	k.events = workflow.GetSignalChannel(ctx, EventSignal)
	k.finished = workflow.GetSignalChannel(ctx, FinishedSignal)
	k.configured = workflow.GetSignalChannel(ctx, ConfigurationSignal)
	k.due, k.askedAt = k.InspectedAt.IsZero(), workflow.Now(ctx)
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (FarmState, error) { return k.FarmState, nil }); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, RequestUpdate, k.take, workflow.UpdateHandlerOptions{
		Validator: k.mayTake, Description: "A person's wish: rotate, undo or release",
	}); err != nil {
		return err
	}
	return workflow.UpsertTypedSearchAttributes(ctx, FarmAttribute.ValueSet(k.Farm))
}

// mayContinueAsNew says whether Temporal suggests it. A child does not hinder:
// it tells its end by signal as well. What is waited for does; see waiting.
func (k *controller) mayContinueAsNew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && k.waiting == 0
}

// turn does one thing, or waits for something to do.
func (k *controller) turn(ctx workflow.Context) error {
	k.drain(ctx)
	k.learnEnd(ctx)
	switch {
	case k.Unmanaged != "":
	case k.ActiveRun != nil && !k.retiring():
		return k.attend(ctx)
	case k.Request != nil:
		return k.fulfil(ctx)
	case k.due || len(k.PendingEvents) > 0 || k.lookDue(ctx):
		return k.look(ctx)
	case k.ActiveRun != nil:
		return k.attend(ctx)
	case k.retirementDue(ctx):
		return k.retire(ctx)
	}
	return k.rest(ctx)
}

// rest waits for a signal, a wish, the child's end or the next thing due.
func (k *controller) rest(ctx workflow.Context) error {
	k.show(ctx)
	wish, work, due := k.Request, k.ActiveRun, k.due
	stirred := func() bool {
		return k.events.Len() > 0 || k.finished.Len() > 0 || k.configured.Len() > 0 ||
			k.Request != wish || k.ActiveRun != work || k.due != due || (k.child != nil && k.child.IsReady()) || k.mayContinueAsNew(ctx)
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: k.pause(ctx), TimerOptions: workflow.TimerOptions{Summary: "next look"},
	}, stirred)
	return err
}

// pause is how long nothing is due.
func (k *controller) pause(ctx workflow.Context) time.Duration {
	now := workflow.Now(ctx)
	next := now.Add(k.InspectionInterval)
	if k.Unmanaged == "" && k.ActiveRun == nil {
		next = k.NextInspectionAt()
		if k.Retires() && k.RetainOldUntil.Before(next) {
			next = k.RetainOldUntil
		}
	}
	return max(next.Sub(now), time.Second)
}

func (k *controller) lookDue(ctx workflow.Context) bool {
	return !workflow.Now(ctx).Before(k.NextInspectionAt())
}

// unseenAgain is when a farm that could not be looked at is looked at again: a
// server that is away for a reboot must not read as trouble for hours.
const unseenAgain = 15 * time.Minute

// NextInspectionAt is when the next look is due. Keepers that start together, as all of
// a worker do, drift apart: each looks a little more often than configured, by
// up to a tenth, which depends on the farm's name alone.
func (k *FarmState) NextInspectionAt() time.Time {
	every := k.InspectionInterval
	if k.Unreachable {
		every = min(every, unseenAgain)
	}
	sum := fnv.New32a()
	sum.Write([]byte(k.Farm)) //nolint:errcheck // a hash takes everything
	const parts = 1000
	early := every / 10 * time.Duration(sum.Sum32()%parts) / parts
	return k.InspectedAt.Add(every - early)
}

// drain takes what has arrived. Events are kept while a child works, and
// judged after it.
func (k *controller) drain(ctx workflow.Context) {
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
		if k.ActiveRun != nil && f.WorkflowID == k.ActiveRun.WorkflowID {
			k.conclude(ctx, f)
		}
	}
	for {
		var c Configuration
		if !k.configured.ReceiveAsync(&c) {
			break
		}
		k.due = k.due || (k.Unmanaged != "" && c.Unmanaged == "")
		if k.Unmanaged = c.Unmanaged; k.Unmanaged != "" {
			k.Request = nil // whoever wished it is told
		}
	}
}

// remembered is how many events are kept to be judged, and how many IDs to
// recognise repeats: sources repeat an event for days, not for ever.
const remembered = 500

// hear keeps an event that was not heard before.
func (k *controller) hear(e Event) {
	if slices.Contains(k.SeenEventIDs, e.ID) {
		return
	}
	k.SeenEventIDs = append(k.SeenEventIDs, e.ID)
	k.SeenEventIDs = k.SeenEventIDs[max(0, len(k.SeenEventIDs)-remembered):]
	// The last is as good a reason to look as any before it.
	k.PendingEvents = append(k.PendingEvents, e)
	k.PendingEvents = k.PendingEvents[max(0, len(k.PendingEvents)-remembered):]
}

// look has the farm looked at, and decides.
func (k *controller) look(ctx workflow.Context) error {
	if err := k.missWork(ctx); err != nil {
		return err
	}
	asked := k.PendingEvents
	k.due = false
	k.show(ctx)
	var seen Inspection
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: InspectionID(k.Farm), StaticSummary: "look at " + k.Farm})
	err := workflow.ExecuteChildWorkflow(child, InspectTrust, InspectInput{Farm: k.Farm}).Get(ctx, &seen)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the keeper is cancelled, and not only its look
	case k.InspectedAt.IsZero() && isUnknownFarm(err):
		// Nobody ever configured it: a name was mistyped.
		return temporal.NewNonRetryableApplicationError(explain(err), UnknownFarmError, nil)
	}
	k.InspectedAt, k.Unreachable = workflow.Now(ctx), seen.unseen(err) != ""
	situation := farm.DecisionInput{
		Now: k.InspectedAt, Farm: seen.Config, Current: seen.Current, Target: seen.Target,
		Differences: seen.Plan, Findings: seen.Findings, Unobserved: seen.unseen(err), EventPending: len(asked) > 0, Suspended: k.Suspended,
	}
	if seen.Config.Rotation.InspectionInterval > 0 {
		k.InspectionInterval, k.KeepOldFor = seen.Config.Rotation.InspectionInterval, seen.Config.Rotation.KeepOldFor
	}
	if err := workflow.ExecuteActivity(deciding(ctx, "decide what to do"), a.Decide, situation).Get(ctx, &k.Next); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		// A keeper never ends for a reason of its own; the next look decides.
		k.Next = farm.Next{NeedsOperator: true, Reason: "cannot decide: " + explain(err)}
	}
	if !k.Unreachable {
		k.Current = seen.Current // else the last that was seen stands
	}
	k.settle(ctx)
	// A wish that came meanwhile goes first; the look after it judges anew.
	if k.Next.Action == farm.ActionRotate && k.Request == nil {
		reason := k.Next.Reason
		if len(asked) > 0 {
			reason = asked[len(asked)-1].Summary + ": " + reason
		}
		k.begins = reason
		err := k.start(ctx, RotateInput{Farm: k.Farm, Reason: reason, Snapshot: k.Snapshot})
		if k.begins = ""; err != nil {
			return err
		}
	}
	// Judged, and not before: whoever follows an event reads what came of it.
	k.PendingEvents = nil
	return nil
}
