// Package pull takes expiry events from where they wait: queues of Azure and Amazon, and
// folders.
//
// An event leaves its queue only when Temporal has it for sure, so that one may come twice
// but none is lost. What cannot be understood is never thrown away: it is left to the
// queue's own rules, or moved aside where a queue has none. Nothing is listened on.
package pull

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

const (
	// maxHeld is how many messages of one source are held at the same time. One whose farm
	// cannot be told keeps the others waiting only once all of them are like it.
	maxHeld = 32
	// maxBatch is how many messages are asked for at once: the most that SQS gives.
	maxBatch = 10
	// holdFor is for how long nobody else gets a message that was received. It is held again
	// and again while it is delivered, so that what a process held that was killed comes back
	// this soon.
	holdFor = time.Minute
	// deliverTimeout bounds one attempt to deliver one event.
	deliverTimeout = 30 * time.Second
	// releaseTimeout bounds how long giving messages back keeps a program from ending.
	releaseTimeout = 5 * time.Second
	// firstPause is the pause after something failed; it doubles up to maxPause.
	firstPause = time.Second
	maxPause   = time.Minute
	// minIdle is the pause after nothing was received, also from a queue that does not wait
	// as long as it is asked to.
	minIdle = time.Second
)

// Deliverer brings events to farms; without an error, Temporal has the event.
type Deliverer interface {
	Deliver(ctx context.Context, e event.Expiry, from delivery.Source) (delivery.Receipt, error)
}

// Puller takes the events of all sources of a configuration.
type Puller struct{ takers []*taker }

// New returns a puller. Nothing is opened or called before [Puller.Run]: a source that
// cannot be reached keeps no other from being read, and a secret is read again after
// something was refused, so that it can be changed while the program runs.
func New(sources []config.Pull, to Deliverer, log *zap.Logger) *Puller {
	p := &Puller{}
	for _, s := range sources {
		p.takers = append(p.takers, newTaker(s, to, log.With(zap.String("source", s.Name))))
	}
	return p
}

// Run takes events until ctx is done, and then gives back what it holds.
func (p *Puller) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, t := range p.takers {
		all.Go(func() { t.run(ctx) })
	}
	all.Wait()
}

// taker takes the events of one source.
type taker struct {
	config.EventSource

	place place
	to    Deliverer
	log   *zap.Logger
	// slots has an entry for each message that is held.
	slots chan struct{}
	held  sync.WaitGroup
}

func newTaker(s config.Pull, to Deliverer, log *zap.Logger) *taker {
	return &taker{EventSource: s.EventSource, place: findPlace(s), to: to, log: log, slots: make(chan struct{}, maxHeld)}
}

// run receives messages while there is room for them, and opens the queue again after it
// has failed.
func (t *taker) run(ctx context.Context) {
	defer t.held.Wait()
	t.log.Info("events are taken", zap.String("from", t.place.name))
	var q queue
	for pause := firstPause; ctx.Err() == nil; {
		if !t.awaitRoom(ctx) {
			return
		}
		received, err := t.receive(ctx, &q)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.log.Warn("no events can be taken; this is tried again", zap.String("from", t.place.name), zap.Duration("in", pause), zap.Error(err))
			q = nil
			sleep(ctx, pause)
			pause = min(2*pause, maxPause)
			continue
		case received == 0:
			sleep(ctx, max(t.place.idle, minIdle))
		}
		pause = firstPause
	}
}

// awaitRoom waits until another message can be held, and reports whether one can.
func (t *taker) awaitRoom(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case t.slots <- struct{}{}:
		<-t.slots
		return true
	}
}

// receive receives messages, as many as there is room for, and begins to take them.
func (t *taker) receive(ctx context.Context, q *queue) (int, error) {
	if *q == nil {
		opened, err := t.place.open(ctx)
		if err != nil {
			return 0, err
		}
		*q = opened
	}
	from := *q
	all, err := from.receive(ctx, min(maxBatch, maxHeld-len(t.slots)))
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		t.slots <- struct{}{}
		t.held.Go(func() {
			defer func() { <-t.slots }()
			t.take(ctx, from, m)
		})
	}
	return len(all), nil
}

// take delivers what a message holds, and removes it. Where it cannot, it gives the message
// back.
func (t *taker) take(ctx context.Context, q queue, m *message) {
	err := t.takeHeld(ctx, q, m)
	if err == nil {
		return
	}
	if errors.Is(err, errGone) {
		t.log.Info("a message is not held any longer: it comes again, or somebody else has taken it", zap.String("message", m.id), zap.Error(err))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := q.release(ctx, m); err != nil {
		t.log.Info("a message is not given back, and comes again by itself", zap.String("message", m.id), zap.Error(err))
	}
}

// takeHeld takes a message that is held. It returns an error where the message was lost or
// ctx is done.
func (t *taker) takeHeld(ctx context.Context, q queue, m *message) error {
	batch, err := t.Decode(event.Message{Header: m.header, Body: m.body})
	if err != nil {
		return t.refuse(ctx, q, m, err)
	}
	for _, passed := range batch.Passed {
		t.log.Info("nothing to do: "+passed.Reason, zap.String("message", m.id), zap.String("place", passed.Place))
	}
	if err := t.deliverAll(ctx, q, m, batch.Events); err != nil {
		return err
	}
	return t.settle(ctx, "remove a message whose events are stored", m, func(ctx context.Context) error { return q.finish(ctx, m) })
}

// refuse puts aside a message that is not understood.
func (t *taker) refuse(ctx context.Context, q queue, m *message, why error) error {
	return t.settle(ctx, "put aside a message that is not understood", m, func(ctx context.Context) error {
		fate, err := q.refuse(ctx, m, why)
		if err == nil {
			t.log.Warn("a message is not understood", zap.String("message", m.id), zap.String("fate", fate), zap.Error(why))
		}
		return err
	})
}

// deliverAll delivers the events of a message for as long as that is held.
func (t *taker) deliverAll(ctx context.Context, q queue, m *message, events []event.Expiry) error {
	ctx, stop := context.WithCancelCause(ctx)
	var held sync.WaitGroup
	held.Go(func() { stop(keepHeld(ctx, q, m)) })
	defer func() { stop(nil); held.Wait() }()
	from := delivery.Source{Name: t.Name, Farms: t.Farms}
	for _, e := range events {
		err := t.insist(ctx, "deliver an event, which waits in its queue", m, func(ctx context.Context) error {
			_, err := t.to.Deliver(ctx, e, from)
			return err
		})
		if err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// keepHeld keeps a message from others until ctx is done, or returns why it cannot: the
// message is received again then, and must not be held twice.
func keepHeld(ctx context.Context, q queue, m *message) error {
	for sleep(ctx, holdFor/3) {
		if err := q.hold(ctx, m); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
	}
	return ctx.Err()
}

// settle insists on something for as long as a message is held. Where that is not
// permitted, it would not help to hold the message for ever.
func (t *taker) settle(ctx context.Context, what string, m *message, do func(context.Context) error) error {
	held, cancel := context.WithTimeout(ctx, holdFor)
	defer cancel()
	err := t.insist(held, what, m, do)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

// insist does something again and again until it succeeds, the message is gone, or ctx is
// done.
func (t *taker) insist(ctx context.Context, what string, m *message, do func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		attempt, cancel := context.WithTimeout(ctx, deliverTimeout)
		err := do(attempt)
		cancel()
		switch {
		case err == nil, errors.Is(err, errGone):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		wait := pause
		if busy, is := errors.AsType[*delivery.BusyError](err); is {
			wait = max(wait, busy.After)
		}
		t.log.Warn("cannot "+what+"; this is tried again", zap.String("message", m.id), zap.Duration("in", wait), zap.Error(err))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// sleep waits, and reports whether ctx is not done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
