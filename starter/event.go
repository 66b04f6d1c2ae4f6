package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) eventCommand() *cobra.Command {
	var farmName string
	var detach bool
	c := &cobra.Command{
		Use:   "event FILE|-",
		Short: "Deliver certificate-expiry events, and watch what follows",
		Long: `Reads one event or a batch from a file, or from standard input (-), and sends each to
the controllers of the farms that it concerns. An event is a hint: the controller
inspects the farm, and rotates if there is a reason to. This command then watches the
rotation, or says why nothing is done: exit code 0 if all is well, 5 if an operator
must act first. An event that is delivered twice counts once. While a rotation runs,
events wait until it has ended.

It understands every format of docs/events.md but the generic one, and recognises it by
what the file holds.

The farm is the one given by --farm, or else the one that the event names. Otherwise all
farms hear an event whose configured certificate.events match it (also those of the file
--config), or that were seen to use the certificate that it is about.`,
		Example: `  farmtrust event near-expiry.json --config farmtrust.yaml
  curl -s https://example.com/last-event | farmtrust event - --farm contoso`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("name one file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			events, err := a.readEvents(args[0])
			if err != nil {
				return err
			}
			configured, err := a.configuredFarms()
			if err != nil {
				return err
			}
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			all, err := a.findFarms(cmd.Context(), delivery.New(c, configured, zap.NewNop()), events, farmName)
			if err != nil {
				return err
			}
			return a.deliver(cmd.Context(), c, all, detach)
		},
	}
	c.Flags().StringVar(&farmName, "farm", "", "the `farm` that the events concern, whatever they name")
	must(c.RegisterFlagCompletionFunc("farm", a.completeFarm))
	addDetachFlag(c, &detach)
	return c
}

// deliver sends all events, then watches what comes of them, farm by farm. The
// first that did not end well is the error. Where one farm is unknown, none is sent.
func (a *app) deliver(ctx context.Context, c client.Client, all []farmEvents, detach bool) (err error) {
	farms := make([]client.Farm, len(all))
	for i, one := range all {
		if farms[i], err = a.locateFarm(ctx, c.Farm(one.farm)); err != nil {
			return err
		}
	}
	deliveries, err := a.sendEvents(ctx, farms, all)
	if err != nil {
		return err
	}
	if detach {
		for _, f := range farms {
			if err := a.showAcceptance(acceptance{Farm: f.Name(), WorkflowID: f.ControllerID()}); err != nil {
				return err
			}
		}
		return a.warnWithoutWorkers(ctx, farms)
	}
	var first error
	for i, f := range farms {
		if err := a.awaitResult(ctx, f, deliveries[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// warnWithoutWorkers says, once for each site, which events wait for a worker.
func (a *app) warnWithoutWorkers(ctx context.Context, farms []client.Farm) error {
	seen := map[string]bool{}
	for _, f := range farms {
		if seen[f.Site()] {
			continue
		}
		seen[f.Site()] = true
		if err := a.warnWithoutWorker(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// sendEvents sends all events, and returns the deliveries to each farm.
func (a *app) sendEvents(ctx context.Context, farms []client.Farm, all []farmEvents) ([][]*client.Delivery, error) {
	deliveries := make([][]*client.Delivery, len(all))
	for i, one := range all {
		for _, e := range one.events {
			d, err := farms[i].SendEvent(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", one.farm, a.explain(ctx, err))
			}
			deliveries[i] = append(deliveries[i], d)
		}
	}
	return deliveries, nil
}

// awaitResult waits for what comes of a farm's events, and watches the run if there is
// one. What was sent is kept, so it is not waited for where no worker answers.
func (a *app) awaitResult(ctx context.Context, f client.Farm, deliveries []*client.Delivery) error {
	if _, err := a.findWorker(ctx, f); err != nil {
		if isCannotTell(err) {
			return eventIsKept(err)
		}
		return err
	}
	result, err := a.awaitLatest(ctx, f.Name(), deliveries)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped watching; the controller has the event: %s", a.commandLine(report.StatusCommand(f.Name())))
	case client.IsUnanswered(err):
		return eventIsKept(silentWorker(f))
	case err != nil:
		return fmt.Errorf("%s: %w", f.Name(), a.explain(ctx, err))
	case result.WorkflowID != "":
		return a.watchRun(ctx, f.Name(), f.Run(ctx, result.WorkflowID, result.RunID), a.err, farm.Verified, farm.NoChange)
	}
	return a.showNothingDone(nothingDone{Farm: f.Name(), Reason: result.Reason, NeedsOperator: result.NeedsOperator})
}

// eventIsKept adds what becomes of an event that no worker has taken yet.
func eventIsKept(silence error) error {
	return &exitError{code: exitCannotTell, err: fmt.Errorf("%w; the event is kept, and acted on when a worker runs", silence)}
}

// awaitLatest waits for what comes of each event of a farm, and returns what came
// last: events that are delivered again have a result of earlier, and new ones are
// answered together. A result without a time stands for an event that is not
// answered yet.
func (a *app) awaitLatest(ctx context.Context, farmName string, deliveries []*client.Delivery) (latest controller.EventResult, err error) {
	var once sync.Once
	for _, d := range deliveries {
		result, err := d.Wait(ctx, func(state controller.State) {
			if run := state.Active; run != nil && !run.Retirement {
				once.Do(func() {
					a.tell("%s: %s is running; the event waits until it has ended", farmName, run.WorkflowID)
				})
			}
		})
		if err != nil {
			return result, err
		}
		if result.At.IsZero() || result.At.After(latest.At) {
			latest = result
		}
	}
	return latest, nil
}

// nothingDone is the JSON object for an event that led to no rotation.
type nothingDone struct {
	Farm          string `json:"farm"`
	Reason        string `json:"reason"`
	NeedsOperator bool   `json:"needsOperator"`
}

func (a *app) showNothingDone(n nothingDone) error {
	err := a.show(n, func(w io.Writer) error {
		return a.say(w, "%s: nothing is done: %s", n.Farm, n.Reason)
	})
	if err == nil && n.NeedsOperator {
		err = &exitError{code: exitOperator}
	}
	return err
}

// readEvents reads the events of a file or, for -, of standard input.
func (a *app) readEvents(path string) ([]event.Expiry, error) {
	source := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usageErrorf("read event: %w", err)
		}
		defer file.Close()
		source = file
	} else {
		path = "standard input"
	}
	// One byte more than allowed shows that there is more.
	body, err := io.ReadAll(io.LimitReader(source, event.MaxBody+1))
	if err != nil {
		return nil, usageErrorf("read event: %w", err)
	}
	batch, err := event.Decode("", event.Message{Body: body}, event.Fields{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(batch.Events) == 0 {
		return nil, usageErrorf("%s: %s: %s", path, batch.Passed[0].Place, batch.Passed[0].Reason)
	}
	for _, p := range batch.Passed {
		a.tell("%s: passed over: %s", p.Place, p.Reason)
	}
	return batch.Events, nil
}

// loadConfig reads the configuration. What keeps it from being read is for the
// operator to correct.
func (a *app) loadConfig(load func(path string) (*config.Config, error)) (*config.Config, error) {
	c, err := load(a.config)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return c, nil
}
