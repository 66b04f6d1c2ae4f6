// Package ingest takes expiry events in on every way that a configuration names, and has
// them delivered to the farms that they concern.
//
// A worker does so beside its work, farmtrust listen and farmtrust pull and nothing else.
package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/pull"
)

// Ways are the ways that are open.
type Ways struct {
	deliverer *delivery.Deliverer
	door      *intake.Door
	puller    *pull.Puller
	metrics   *metrics
	log       *zap.Logger
}

// Open opens every way that a configuration names; there may be none. Controllers of its
// farms are started at the client's site. Errors name what cannot be opened.
func Open(ctx context.Context, c *config.Config, site client.Client, log *zap.Logger) (*Ways, error) {
	farms := make([]farm.Farm, len(c.Farms))
	for i, f := range c.Farms {
		farms[i] = f.Farm
	}
	w := &Ways{deliverer: delivery.New(site, farms, log), log: log}
	if len(c.Pull) > 0 {
		w.puller = pull.New(c.Pull, w.deliverer, log)
	}
	var err error
	if w.metrics, err = openMetrics(ctx, c.Metrics, w.deliverer, log); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	if c.Listen == nil {
		return w, nil
	}
	w.door, err = intake.Open(ctx, intake.Options{Listen: *c.Listen, Deliverer: w.deliverer, Ready: site.Ping, Log: log, Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return w, nil
}

// IsOpen reports whether events can come in at all.
func (w *Ways) IsOpen() bool { return w.door != nil || w.puller != nil || w.metrics != nil }

// Run takes events in until ctx is done. It ends with an error where a way is closed that
// nobody closed.
func (w *Ways) Run(ctx context.Context) error {
	if !w.IsOpen() {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer func() { stop(); beside.Wait() }()
	beside.Go(func() { w.deliverer.Run(ctx) })
	beside.Go(func() { w.metrics.serve(ctx, w.log) })
	if w.puller != nil {
		beside.Go(func() { w.puller.Run(ctx) })
	}
	if w.door == nil {
		<-ctx.Done()
		return nil
	}
	return w.door.Serve(ctx)
}
