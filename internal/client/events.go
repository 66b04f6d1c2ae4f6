package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// Delivery is an event that the controller of a farm has received.
type Delivery struct {
	farm  Farm
	event controller.Event
}

// SendEvent sends an event to the farm's controller, and starts the controller
// if it does not run. It returns as soon as Temporal has stored the event: no
// worker needs to run.
func (f Farm) SendEvent(ctx context.Context, e controller.Event) (*Delivery, error) {
	if _, err := f.signalWithStart(ctx, workflows.EventSignal, e); err != nil {
		return nil, fmt.Errorf("send %s: %w", e.Summary, err)
	}
	return &Delivery{farm: f, event: e}, nil
}

// Delivered is an event that has come to the farm's controller on another way.
func (f Farm) Delivered(e controller.Event) *Delivery { return &Delivery{farm: f, event: e} }

// answerTimeout is how long a worker may take to answer a query, and for how long none
// may answer before it is not waited for any longer.
const answerTimeout = 10 * time.Second

// Wait waits until the controller has recorded what came of the event, and
// returns that. While a rotation runs, events stay pending until it has ended;
// pending is called with the controller's state each time that it is asked.
//
// The event of a farm that is unmanaged stays pending too, but is not waited
// for: its result says so, and has no time. Nor is it waited for where no worker answers
// for ten seconds; see [IsUnanswered].
func (d *Delivery) Wait(ctx context.Context, pending func(controller.State)) (controller.EventResult, error) {
	answeredAt := time.Now()
	for {
		state, err := d.readState(ctx)
		if !IsUnanswered(err) {
			answeredAt = time.Now()
		}
		switch result, answered := state.Mailbox.ResultOf(d.event.ID); {
		case errors.Is(err, ErrNoController):
			return result, fmt.Errorf("%s ended before it answered the event; see its history", d.farm.ControllerID())
		case err != nil && ctx.Err() == nil && time.Since(answeredAt) >= answerTimeout:
			return result, err
		case err != nil:
			// No worker answers now. The event is stored; ask again.
		case answered:
			return result, nil
		case state.Unmanaged != "":
			return controller.EventResult{
				EventID: d.event.ID, NeedsOperator: true,
				Reason: "the farm is unmanaged, and the event stays pending: " + state.Unmanaged,
			}, nil
		default:
			pending(state)
		}
		if err := waitInterval(ctx); err != nil {
			return controller.EventResult{}, err
		}
	}
}

func (d *Delivery) readState(ctx context.Context) (controller.State, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return d.farm.State(ctx)
}
