package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Told is an event that a keeper was told.
type Told struct {
	keeper Keeper
	event  controller.Event
	// before is the run ID of the last rotation before the event.
	before string
}

// Tell tells the keeper an event, and starts the keeper if it does not run. It
// returns as soon as Temporal has the event for sure: no worker need run.
func (k Keeper) Tell(ctx context.Context, e controller.Event) (*Told, error) {
	last, err := newest(ctx, k.client, workflows.RotateID(k.farm))
	if err != nil {
		return nil, err
	}
	_, err = k.client.SignalWithStartWorkflow(ctx, workflows.ControllerID(k.farm), workflows.EventSignal, e, workflows.ControllerOptions(k.farm), workflows.ManageFarm, k.first)
	if err != nil {
		return nil, fmt.Errorf("tell %s of %s: %w", workflows.ControllerID(k.farm), e.Summary, err)
	}
	return &Told{keeper: k, event: e, before: last.GetExecution().GetRunId()}, nil
}

// Judgement is what came of an event.
type Judgement struct {
	// Run is the rotation that it led to, or that ran already; nil if nothing
	// is done.
	Run *Run
	// Next says what the keeper does instead, and why.
	Next farm.Next
}

// answering is how long a worker may take to answer a question.
const answering = 10 * time.Second

// Judged waits until the keeper has judged the event. While something is at
// work the keeper keeps events, and judges them after it; meanwhile is told
// what it knows, each time that it is asked.
func (t *Told) Judged(ctx context.Context, meanwhile func(controller.State)) (Judgement, error) {
	for {
		known, err := t.ask(ctx)
		switch {
		case errors.Is(err, ErrNoKeeper):
			return Judgement{}, fmt.Errorf("%s ended before it judged the event: look at its history", workflows.ControllerID(t.keeper.farm))
		case err != nil:
			// No worker answers now; the event is safe, and is asked for again.
		case t.judged(known):
			return t.judgement(ctx, known)
		case known.Unmanaged != "":
			return Judgement{Next: farm.Next{NeedsOperator: true, Reason: "the farm is paused, and the event kept: " + known.Unmanaged}}, nil
		default:
			meanwhile(known)
		}
		if err := pause(ctx); err != nil {
			return Judgement{}, err
		}
	}
}

func (t *Told) ask(ctx context.Context) (controller.State, error) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	return t.keeper.Knows(ctx)
}

// judged says whether what the keeper knows holds for the event. Between the
// end of a rotation and the look that follows it, it does not.
func (t *Told) judged(known controller.State) bool {
	if known.ActiveRun == nil && known.Next.Action == farm.ActionRotate {
		return false
	}
	kept := slices.ContainsFunc(known.PendingEvents, func(e controller.Event) bool { return e.ID == t.event.ID })
	return slices.Contains(known.SeenEventIDs, t.event.ID) && !kept
}

// judgement finds the rotation by the run that was not there before, because
// one that was refused may have ended by now.
func (t *Told) judgement(ctx context.Context, known controller.State) (Judgement, error) {
	last, err := newest(ctx, t.keeper.client, workflows.RotateID(t.keeper.farm))
	if err != nil {
		return Judgement{}, err
	}
	if last != nil && (runs(last) || last.Execution.RunId != t.before) {
		run := t.keeper.run(ctx, last)
		run.Joined = last.Execution.RunId == t.before
		return Judgement{Run: run}, nil
	}
	return Judgement{Next: known.Next}, nil
}
