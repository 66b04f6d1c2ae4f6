// Package delivery brings expiry events to the controllers of the farms that they concern.
//
// It decodes nothing and decides nothing about a farm: an event is a reason for its
// controller to look.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Deliverer delivers events. Its methods may be called at the same time.
type Deliverer struct {
	index  *index
	gate   *gate
	misses *misses
	counts counts
	log    *zap.Logger
}

// New returns a deliverer over a client at the site where controllers of the configured
// farms are started; there may be none. The events of other farms go to where their
// controllers run.
func New(site client.Client, configured []farm.Farm, log *zap.Logger) *Deliverer {
	return &Deliverer{index: newIndex(site, configured, log), gate: newGate(), misses: newMisses(), log: log}
}

// Run keeps what is known of the farms fresh until ctx is done. Without it, events are
// delivered by what was known when one last concerned no farm.
func (d *Deliverer) Run(ctx context.Context) {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for failed := false; ; {
		err := d.index.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failed {
			d.log.Warn("events are delivered by what was known of the farms before; this is tried again each minute", zap.Error(err))
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Receipt is what became of an event.
type Receipt struct {
	// Farms are those that hear it, by name.
	Farms []string
	// Reason says why no farm does, or that those that do had it before.
	Reason string
}

// Find returns the farms that an event concerns, and sends nothing: the receipt is the one
// that [Deliverer.Deliver] would give.
func (d *Deliverer) Find(ctx context.Context, e event.Expiry, from Source) (r Receipt, err error) {
	farms, err := d.findFarms(ctx, e, from)
	if err != nil {
		return Receipt{}, err
	}
	for _, l := range farms {
		r.Farms = append(r.Farms, l.farm.Name())
	}
	if len(farms) == 0 {
		r.Reason = explainMiss(e, from)
	}
	return r, nil
}

// Deliver hands an event to every farm that it concerns. Without an error, Temporal has
// stored it for each of them, now or before; or it concerns none, and the receipt says why.
//
// With an error the event is to be delivered again: Temporal could not be reached, or, in
// a [*BusyError], a farm was sent too much. It may then have been stored for some of the
// farms, which are not sent it again.
func (d *Deliverer) Deliver(ctx context.Context, e event.Expiry, from Source) (Receipt, error) {
	r, err := d.deliver(ctx, e, from)
	switch _, isBusy := errors.AsType[*BusyError](err); {
	case isBusy:
		d.counts.count(from.Name, busy)
	case err != nil:
		d.counts.count(from.Name, failed)
	case len(r.Farms) == 0:
		d.counts.count(from.Name, unmatched)
	case r.Reason != "":
		d.counts.count(from.Name, repeated)
	default:
		d.counts.count(from.Name, delivered)
	}
	return r, err
}

func (d *Deliverer) deliver(ctx context.Context, e event.Expiry, from Source) (Receipt, error) {
	farms, err := d.findFarms(ctx, e, from)
	switch {
	case err != nil:
		return Receipt{}, err
	case len(farms) > 0:
		return d.send(ctx, farms, e, from)
	}
	r := Receipt{Reason: explainMiss(e, from)}
	if untold, tell := d.misses.tell(e.Key(), time.Now()); tell {
		d.log.Warn("event not delivered: "+r.Reason, zap.String("source", from.Name), zap.String("id", e.Key()), zap.Int("moreNotLogged", untold))
	}
	return r, nil
}

// findFarms returns the farms that an event concerns. Where it concerns none of those that
// are known, it is looked once more: a controller may just have started.
func (d *Deliverer) findFarms(ctx context.Context, e event.Expiry, from Source) ([]listener, error) {
	all, refreshed := d.index.list()
	found := concernedFarms(e, from, all)
	if isComplete(found, from) && !refreshed.IsZero() || time.Since(refreshed) < missInterval {
		return found, missingFarm(found, from)
	}
	if err := d.index.refreshAfterMiss(ctx); err != nil && len(found) == 0 {
		return nil, err
	}
	all, _ = d.index.list()
	found = concernedFarms(e, from, all)
	return found, missingFarm(found, from)
}

// isComplete reports whether all farms were found that could be.
func isComplete(found []listener, from Source) bool {
	return len(found) > 0 && missingFarm(found, from) == nil
}

// missingFarm is the error of a source whose configuration names a farm that has no
// controller. What the source sends is kept where it is until there is one.
func missingFarm(found []listener, from Source) error {
	for _, name := range from.Farms {
		if len(filter(found, func(_ int, l listener) bool { return strings.EqualFold(l.farm.Name(), name) })) == 0 {
			return fmt.Errorf("farm %q, which source %s is for, has no controller: "+
				"start a worker that has the farm in its configuration, or correct the name under farms of the source", name, from.Name)
		}
	}
	return nil
}

// send sends an event to each of the farms. One that cannot be reached keeps no other
// from being told.
func (d *Deliverer) send(ctx context.Context, farms []listener, e event.Expiry, from Source) (r Receipt, err error) {
	message := controller.Event{ID: e.Key(), Summary: e.String()}
	anySent := false
	var failed []error
	for _, l := range farms {
		name := l.farm.Name()
		sent, err := d.gate.pass(ctx, name, e, func(ctx context.Context) error {
			_, err := l.farm.SendEvent(ctx, message)
			if err == nil {
				d.log.Info("event delivered: "+message.Summary, zap.String("farm", name), zap.String("source", from.Name), zap.String("id", message.ID))
			}
			return err
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		r.Farms, anySent = append(r.Farms, name), anySent || sent
	}
	if len(failed) > 0 {
		return Receipt{}, errors.Join(failed...)
	}
	if !anySent {
		r.Reason = "it was delivered before, or one that says the same"
	}
	return r, nil
}
