package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) eventCommand() *cobra.Command {
	var farmName string
	var detach bool
	c := &cobra.Command{
		Use:   "event FILE|-",
		Short: "Let a certificate-expiry event in, and watch what follows",
		Long: `Reads one event or a batch from a file, or from the standard input (-), and tells the
keeper of the farm that each concerns. An event is a hint: the keeper looks at the
farm, and rotates if there is a reason to. Then this watches, or says why nothing is
done: exit code 0 if all is well, 4 if a person must act first. The same event twice
is one event. While a rotation is at work its keeper keeps events, and judges them
after it.

Understood are CloudEvents 1.0 in structured JSON and the Event Grid schema, with
Key Vault's certificate events or types that end in .certificate.near-expiry.v1,
.certificate.expired.v1 or .certificate.new-version.v1. The farm is the one that
the event names, else the one whose certificate.events in the configuration match
it, else the one given by --farm.`,
		Example: `  starter event near-expiry.json --config farmtrust.yaml
  curl -s https://example.com/last-event | starter event - --farm contoso`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return wrong("name one file, or - for the standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			told, err := a.toTell(args[0], farmName)
			if err != nil {
				return err
			}
			return a.tell(cmd.Context(), told, detach)
		},
	}
	c.Flags().StringVar(&farmName, "farm", "", "the `farm` that the events concern, whatever they say")
	must(c.RegisterFlagCompletionFunc("farm", a.farmNames))
	addDetach(c, &detach)
	return c
}

// hints are the events that concern one farm.
type hints struct {
	farm   string
	events []controller.Event
}

// toTell reads the events of a file and says which farms they concern.
func (a *app) toTell(path, farmName string) ([]hints, error) {
	events, err := a.events(path)
	if err != nil {
		return nil, err
	}
	var all []hints
	for _, e := range events {
		name := farmName
		if name == "" {
			if name, err = a.farmOf(e); err != nil {
				return nil, err
			}
		}
		i := slices.IndexFunc(all, func(h hints) bool { return h.farm == name })
		if i < 0 {
			i, all = len(all), append(all, hints{farm: name})
		}
		all[i].events = append(all[i].events, controller.Event{ID: e.Key(), Summary: e.String()})
	}
	return all, nil
}

// tell tells the keepers all events, then watches what comes of them, farm by
// farm. The first that did not end well is the error.
func (a *app) tell(ctx context.Context, all []hints, detach bool) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	// Whatever comes of the last event comes of those before it.
	last := make([]*rotation.Told, len(all))
	for i, h := range all {
		for _, e := range h.events {
			if last[i], err = rotation.KeeperOf(c, h.farm).Tell(ctx, e); err != nil {
				return fmt.Errorf("%s: %w", h.farm, a.explain(ctx, c, err))
			}
		}
		if detach {
			if err := a.accept(h.farm, accepted{Farm: h.farm, WorkflowID: workflows.ControllerID(h.farm)}); err != nil {
				return err
			}
		}
	}
	if err := a.hint(ctx, c); err != nil || detach {
		return err
	}
	var first error
	for i, h := range all {
		if err := a.judged(ctx, c, h.farm, last[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// judged waits for a keeper's judgement, and follows what comes of it.
func (a *app) judged(ctx context.Context, c client.Client, farmName string, told *rotation.Told) error {
	var once sync.Once
	judgement, err := told.Judged(ctx, func(known controller.State) {
		if known.ActiveRun != nil {
			once.Do(func() {
				fmt.Fprintf(a.err, "%s: %s is at work; the event is judged after it\n", farmName, known.ActiveRun.WorkflowID)
			})
		}
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped watching; the keeper has the event: starter status %s", farmName)
	case err != nil:
		return fmt.Errorf("%s: %w", farmName, a.explain(ctx, c, err))
	case judgement.Run != nil:
		return a.follow(ctx, c, farmName, judgement.Run, a.err, farm.Verified, farm.NoChange)
	}
	return a.nothingDone(judged{Farm: farmName, Next: judgement.Next})
}

// judged is what programs read of an event that led to no rotation.
type judged struct {
	Farm string `json:"farm"`
	farm.Next
}

func (a *app) nothingDone(j judged) error {
	err := a.show(j, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: nothing is done: %s\n", j.Farm, j.Reason)
		return err
	})
	if err == nil && j.NeedsOperator {
		err = &exitError{code: exitDiffers}
	}
	return err
}

func (a *app) events(path string) ([]event.Expiry, error) {
	source := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, wrong("read event: %w", err)
		}
		defer file.Close()
		source = file
	} else {
		path = "standard input"
	}
	// One byte more than allowed shows that there is more.
	body, err := io.ReadAll(io.LimitReader(source, event.MaxBody+1))
	if err != nil {
		return nil, wrong("read event: %w", err)
	}
	events, err := event.Decode("", body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
}

// farmOf finds the farm of an event. An event that names its farm needs no
// configuration here: the worker knows whether there is one.
func (a *app) farmOf(e event.Expiry) (string, error) {
	if a.config == "" {
		if e.Farm != "" {
			return e.Farm, nil
		}
		return "", wrong("find the farm of %s: give --config FILE, whose certificate.events say which farm it concerns, or --farm FARM", e)
	}
	c, err := a.load()
	if err != nil {
		return "", err
	}
	farms := make([]farm.Farm, len(c.Farms))
	for i, f := range c.Farms {
		farms[i] = f.Farm
	}
	f, err := e.FarmOf(farms)
	if err != nil {
		return "", fmt.Errorf("%w (in %s)", err, a.config)
	}
	return f.Name, nil
}

// load reads the configuration. Whatever keeps it from being read is a matter
// of usage.
func (a *app) load() (*config.Config, error) {
	c, err := config.Load(a.config)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return c, nil
}
