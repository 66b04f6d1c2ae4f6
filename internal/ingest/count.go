package ingest

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/tally"
)

// counted counts what becomes of the events that it delivers.
type counted struct {
	*delivery.Deliverer

	counts *tally.Counts
}

// Deliver delivers an event as [delivery.Deliverer.Deliver] does.
func (c counted) Deliver(ctx context.Context, e event.Expiry, from delivery.Source) (delivery.Receipt, error) {
	receipt, err := c.Deliverer.Deliver(ctx, e, from)
	outcome := tally.Delivered
	switch {
	case err != nil:
		outcome = tally.Failed
	case len(receipt.Farms) == 0:
		outcome = tally.NoFarm
	}
	c.counts.Add(tally.Events, from.Name, outcome, 1)
	return receipt, err
}
