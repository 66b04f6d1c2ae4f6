package workflows

import (
	"hash/fnv"
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
	// waiting counts people who wait for what they wished to begin, and waits
	// of the keeper's own that must not be cut short by continuing as new.
	waiting int
	// begins says which rotation the keeper begins just now by itself.
	begins string
	// askedAt is when the keeper last asked Temporal about its child.
	askedAt time.Time
}

// open answers queries, lets wishes in and loads the configuration.
func (k *keeper) open(ctx workflow.Context) error {
	k.events = workflow.GetSignalChannel(ctx, EventSignal)
	k.finished = workflow.GetSignalChannel(ctx, FinishedSignal)
	k.configured = workflow.GetSignalChannel(ctx, ConfiguredSignal)
	k.due, k.askedAt = k.LookedAt.IsZero(), workflow.Now(ctx)
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
// it tells its end by signal as well. What is waited for does; see waiting.
func (k *keeper) mayContinueAsNew(ctx workflow.Context) bool {
	return workflow.GetInfo(ctx).GetContinueAsNewSuggested() && k.waiting == 0
}

// turn does one thing, or waits for something to do.
func (k *keeper) turn(ctx workflow.Context) error {
	k.drain(ctx)
	k.learnEnd(ctx)
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
		next = k.NextLook()
		if k.Retires() && k.SoakUntil.Before(next) {
			next = k.SoakUntil
		}
	}
	return max(next.Sub(now), time.Second)
}

func (k *keeper) lookDue(ctx workflow.Context) bool {
	return !workflow.Now(ctx).Before(k.NextLook())
}

// unseenAgain is when a farm that could not be looked at is looked at again: a
// server that is away for a reboot must not read as trouble for hours.
const unseenAgain = 15 * time.Minute

// NextLook is when the next look is due. Keepers that start together, as all of
// a worker do, drift apart: each looks a little more often than configured, by
// up to a tenth, which depends on the farm's name alone.
func (k *Keeping) NextLook() time.Time {
	every := k.LookEvery
	if k.Unseen {
		every = min(every, unseenAgain)
	}
	sum := fnv.New32a()
	sum.Write([]byte(k.Farm)) //nolint:errcheck // a hash takes everything
	const parts = 1000
	early := every / 10 * time.Duration(sum.Sum32()%parts) / parts
	return k.LookedAt.Add(every - early)
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
		if k.Paused = c.Paused; k.Paused != "" {
			k.Wish = nil // whoever wished it is told
		}
	}
}

// remembered is how many events are kept to be judged, and how many IDs to
// recognise repeats: sources repeat an event for days, not for ever.
const remembered = 500

// hear keeps an event that was not heard before.
func (k *keeper) hear(e Event) {
	if slices.Contains(k.Heard, e.ID) {
		return
	}
	k.Heard = append(k.Heard, e.ID)
	k.Heard = k.Heard[max(0, len(k.Heard)-remembered):]
	// The last is as good a reason to look as any before it.
	k.Asked = append(k.Asked, e)
	k.Asked = k.Asked[max(0, len(k.Asked)-remembered):]
}

// look has the farm looked at, and decides.
func (k *keeper) look(ctx workflow.Context) error {
	if err := k.missWork(ctx); err != nil {
		return err
	}
	asked := k.Asked
	k.due = false
	k.show(ctx)
	var seen Inspection
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: LookID(k.Farm), StaticSummary: "look at " + k.Farm})
	err := workflow.ExecuteChildWorkflow(child, InspectTrust, InspectInput{Farm: k.Farm}).Get(ctx, &seen)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the keeper is cancelled, and not only its look
	case k.LookedAt.IsZero() && isUnknownFarm(err):
		// Nobody ever configured it: a name was mistyped.
		return temporal.NewNonRetryableApplicationError(explain(err), UnknownFarmError, nil)
	}
	k.LookedAt, k.Unseen = workflow.Now(ctx), seen.unseen(err) != ""
	situation := farm.Situation{
		Now: k.LookedAt, Farm: seen.Config, Current: seen.Current, Target: seen.Target,
		Differences: seen.Plan, Findings: seen.Findings, Unseen: seen.unseen(err), Asked: len(asked) > 0, Held: k.Hold,
	}
	if seen.Config.Rotation.LookEvery > 0 {
		k.LookEvery, k.Soak = seen.Config.Rotation.LookEvery, seen.Config.Rotation.Soak
	}
	if err := workflow.ExecuteActivity(deciding(ctx, "decide what to do"), a.Decide, situation).Get(ctx, &k.Next); temporal.IsCanceledError(err) {
		return err
	} else if err != nil {
		// A keeper never ends for a reason of its own; the next look decides.
		k.Next = farm.Next{NeedsPerson: true, Why: "cannot decide: " + explain(err)}
	}
	if !k.Unseen {
		k.Current = seen.Current // else the last that was seen stands
	}
	k.settle(ctx)
	// A wish that came meanwhile goes first; the look after it judges anew.
	if k.Next.Do == farm.Turn && k.Wish == nil {
		reason := k.Next.Why
		if len(asked) > 0 {
			reason = asked[len(asked)-1].Summary + ": " + reason
		}
		k.begins = reason
		err := k.start(ctx, RotateInput{Farm: k.Farm, Reason: reason, Journal: k.Journal})
		if k.begins = ""; err != nil {
			return err
		}
	}
	// Judged, and not before: whoever follows an event reads what came of it.
	k.Asked = nil
	return nil
}
