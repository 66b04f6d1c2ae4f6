package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/farmtrust/farmtrust/internal/event"
)

const (
	// burst events go to a farm at once, and then one each time that signalInterval has
	// passed. Temporal takes 10,000 signals for one run of a workflow, so that a flood fills
	// the history of a controller only once no worker has run for a day.
	//
	// Source: Temporal server 1.32, limit history.maximumSignalsPerExecution.
	burst          = 60
	signalInterval = 10 * time.Second
	// alikeFor is for how long an event that is like one before is not sent to a farm that
	// was sent too much: its controller looks at the farm anyway.
	alikeFor = time.Minute
	// storedFor is for how long an event that is delivered again is not sent again. The
	// controller itself recognises it for longer; but it may have been reset since.
	storedFor = time.Hour
	// mostRecent bounds both memories, some megabytes each.
	mostRecent = 20_000
	// signalTimeout bounds one signal. The SDK retries within it.
	signalTimeout = 10 * time.Second
)

// BusyError means that a farm was sent too many events that differ.
type BusyError struct {
	Farm string
	// After is when the next one may be sent.
	After time.Duration
}

// Error says what to do.
func (e *BusyError) Error() string {
	return fmt.Sprintf("farm %s was sent %d different events and hears another each %s: deliver the event again in %s, and look why its sources send so many",
		e.Farm, burst, signalInterval, e.After.Round(time.Second))
}

// gate lets each event through to a farm once, and keeps floods from it.
type gate struct {
	signals singleflight.Group

	mu sync.Mutex
	// events are the ones that are stored, and alike what they say, by farm.
	events, alike *recent
	// budgets are of the farms that were sent something: no more than there are farms.
	budgets map[string]*budget
}

func newGate() *gate {
	return &gate{events: newRecent(storedFor, mostRecent), alike: newRecent(alikeFor, mostRecent), budgets: map[string]*budget{}}
}

// pass sends an event to a farm, unless it is stored for it, and reports whether it was
// sent. Deliveries of one event at the same time are one.
func (g *gate) pass(ctx context.Context, farmName string, e event.Expiry, send func(context.Context) error) (sent bool, err error) {
	key, like := farmName+" "+e.Key(), farmName+" "+likeness(e)
	done := g.signals.DoChan(key, func() (any, error) {
		known, err := g.admit(farmName, key, like)
		if known || err != nil {
			return false, err
		}
		// Not for the first caller alone, who may go away.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signalTimeout)
		defer cancel()
		err = send(ctx)
		g.note(farmName, key, like, err == nil)
		return err == nil, err
	})
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case r := <-done:
		if r.Err != nil {
			return false, r.Err
		}
		return r.Val == true, nil
	}
}

// admit reports whether an event is known, so that nothing needs to be sent, and fails
// where nothing may be.
func (g *gate) admit(farmName, key, like string) (known bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.events.has(key, now) {
		return true, nil
	}
	if g.budgets[farmName] == nil {
		g.budgets[farmName] = newBudget(now)
	}
	switch wait := g.budgets[farmName].take(now); {
	case wait == 0:
		return false, nil
	case g.alike.has(like, now):
		return true, nil
	default:
		return false, &BusyError{Farm: farmName, After: wait}
	}
}

// note notes whether an event that was admitted is stored.
func (g *gate) note(farmName, key, like string, isStored bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !isStored {
		g.budgets[farmName].giveBack()
		return
	}
	now := time.Now()
	g.events.add(key, now)
	g.alike.add(like, now)
}

// likeness is the same for events that say the same of the same version of a certificate,
// from any source.
func likeness(e event.Expiry) string {
	e.ID, e.Source, e.Time, e.Labels, e.Farm = "", "", time.Time{}, nil, ""
	content, err := json.Marshal(e)
	if err != nil {
		return e.Key() // its fields are texts and times: this does not happen
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}
