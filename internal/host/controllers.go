package host

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
)

// signalsInParallel bounds how many controllers are signalled at the same time.
// Each signal is one short call to Temporal, and a worker may have hundreds of
// farms.
const signalsInParallel = 16

// configureControllers starts a controller for each configured farm that has none,
// and signals to every running controller whether its farm is configured. All
// workers of a task queue should have the same configuration; if they do not, the
// last one to start decides.
func configureControllers(ctx context.Context, c client.Client, cfg *config.Config) error {
	running, err := c.RunningControllers(ctx)
	if err != nil {
		return fmt.Errorf("find controllers of farms that are no longer configured "+
			"(Temporal's visibility store must be reachable before a worker starts): %w", err)
	}
	worker, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("get this worker's host name: %w", err)
	}
	signals, ctx := errgroup.WithContext(ctx)
	signals.SetLimit(signalsInParallel)
	configured := map[string]bool{}
	for _, f := range cfg.Farms {
		configured[f.Name] = true
		signals.Go(func() error { return c.Farm(f.Name).Under(f.Rotation).Configure(ctx) })
	}
	for _, name := range running {
		if configured[name] {
			continue
		}
		f := c.Farm(name)
		signals.Go(func() error {
			return f.MarkUnmanaged(ctx, fmt.Sprintf("no longer configured on worker %s (%s): add the farm to its configuration again and restart the worker, or terminate %s", worker, cfg.Path, f.ControllerID()))
		})
	}
	return signals.Wait()
}
