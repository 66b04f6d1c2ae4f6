package pull

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

// clockQueue is a queue on synctest's clock, with the rule that all queues have: who
// receives a message has it until its time is over, and then another one gets it.
type clockQueue struct {
	mu sync.Mutex
	// until is until when each message is hidden, received how often it was received.
	until    map[string]time.Time
	received map[string]int
	// mayHold, mayFinish and mayRefuse are what the queue permits.
	mayHold, mayFinish, mayRefuse bool
	refused                       []string
}

var errForbidden = errors.New("forbidden")

func newClockQueue(ids ...string) *clockQueue {
	q := &clockQueue{until: map[string]time.Time{}, received: map[string]int{}, mayHold: true, mayFinish: true, mayRefuse: true}
	for _, id := range ids {
		q.until[id] = time.Now()
	}
	return q
}

func (q *clockQueue) receive(_ context.Context, max int) (all []*message, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(q.until)) {
		if q.until[id].After(time.Now()) || len(all) == max {
			continue
		}
		q.until[id] = time.Now().Add(holdFor)
		q.received[id]++
		body := `{"specversion":"1.0","id":"` + id + `","source":"//ca","type":"com.contoso.certificate.near-expiry.v1","data":{}}`
		if id == "poison" {
			body = "{"
		}
		all = append(all, &message{id: id, handle: id, received: q.received[id], body: []byte(body)})
	}
	return all, nil
}

func (q *clockQueue) hide(m *message, d time.Duration, may bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch _, is := q.until[m.id]; {
	case !may:
		return errForbidden
	case !is:
		return errGone
	}
	q.until[m.id] = time.Now().Add(d)
	return nil
}

func (q *clockQueue) hold(_ context.Context, m *message) error {
	return q.hide(m, holdFor, q.mayHold)
}

func (q *clockQueue) release(_ context.Context, m *message) error { return q.hide(m, 0, q.mayHold) }

func (q *clockQueue) finish(_ context.Context, m *message) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.mayFinish {
		return errForbidden
	}
	delete(q.until, m.id)
	return nil
}

func (q *clockQueue) refuse(_ context.Context, m *message, _ error) (string, error) {
	return "left", q.hide(m, laterAfter(m.received), q.mayRefuse)
}

// outage is a Temporal that is away until a time, or for one event for ever.
type outage struct {
	mu       sync.Mutex
	until    time.Time
	stubborn string
	stored   map[string]int
}

func (o *outage) Deliver(_ context.Context, e event.Expiry, _ delivery.Source) (delivery.Receipt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Now().Before(o.until) || e.ID == o.stubborn {
		return delivery.Receipt{}, errors.New("away")
	}
	if o.stored == nil {
		o.stored = map[string]int{}
	}
	o.stored[e.ID]++
	return delivery.Receipt{}, nil
}

// takeFrom takes from a queue on synctest's clock for a while.
func takeFrom(q *clockQueue, to Deliverer, d time.Duration) {
	t := &taker{
		EventSource: config.EventSource{Name: "ca", Format: event.CloudEvents}, to: to, log: zap.NewNop(), slots: make(chan struct{}, maxHeld),
		place: place{open: func(context.Context) (queue, error) { return q, nil }},
	}
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	t.run(ctx)
}

func TestHold_NobodyElseGetsAMessageWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, o := newClockQueue("1", "2"), &outage{until: time.Now().Add(24 * time.Hour)}
		takeFrom(q, o, 25*time.Hour)
		if q.received["1"] != 1 || q.received["2"] != 1 {
			t.Errorf("received %v times: the limit of a queue would have moved them away while Temporal was", q.received)
		}
		if o.stored["1"] != 1 || o.stored["2"] != 1 || len(q.until) > 0 {
			t.Errorf("stored %v, left %v", o.stored, q.until)
		}
	})
}

func TestHold_OneThatCannotBeDeliveredKeepsNoOtherWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := []string{"1"}
		for i := range 100 {
			ids = append(ids, "other-"+string(rune('0'+i/10))+string(rune('0'+i%10)))
		}
		q, o := newClockQueue(ids...), &outage{stubborn: "1"}
		takeFrom(q, o, time.Minute)
		if len(o.stored) != 100 || len(q.until) != 1 {
			t.Errorf("%d stored, %d left, want 100 and 1", len(o.stored), len(q.until))
		}
	})
}

// What the queue does not permit is a mistake of its configuration, which must cost no
// event, and no more than the messages that it is about.
func TestHold_WhatIsNotPermittedBlocksNothing(t *testing.T) {
	for name, forbid := range map[string]func(*clockQueue){
		"to hold":   func(q *clockQueue) { q.mayHold = false },
		"to remove": func(q *clockQueue) { q.mayFinish = false },
		"to refuse": func(q *clockQueue) { q.mayRefuse = false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, o := newClockQueue("1", "poison"), &outage{until: time.Now().Add(12 * time.Hour)}
				forbid(q)
				time.AfterFunc(12*time.Hour+30*time.Minute, func() {
					q.mu.Lock()
					defer q.mu.Unlock()
					q.until["z"] = time.Now()
				})
				takeFrom(q, o, 13*time.Hour)
				if o.stored["1"] == 0 || o.stored["z"] == 0 {
					t.Errorf("stored %v, want 1 and z", o.stored)
				}
				if _, left := q.until["poison"]; !left {
					t.Error("what is not understood was thrown away")
				}
			})
		})
	}
}
