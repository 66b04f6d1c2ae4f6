package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func (a *app) eventCommand() *cobra.Command {
	var farmName string
	var detach bool
	c := &cobra.Command{
		Use:   "event FILE|-",
		Short: "Let a certificate-expiry event in, and watch what follows",
		Long: `Reads one event or a batch from a file, or from the standard input (-), and starts
a rotation of the farm that each concerns. An event is a hint: a farm that is as
desired is not changed.

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
			requests, err := a.requests(args[0], farmName)
			if err != nil {
				return err
			}
			return a.rotate(cmd.Context(), requests, detach)
		},
	}
	c.Flags().StringVar(&farmName, "farm", "", "the `farm` that the events concern, whatever they say")
	must(c.RegisterFlagCompletionFunc("farm", a.farmNames))
	addDetach(c, &detach)
	return c
}

// requests reads the events of a file and says which farms they ask to rotate:
// each once, however many events concern it.
func (a *app) requests(path, farmName string) ([]request, error) {
	events, err := a.events(path)
	if err != nil {
		return nil, err
	}
	var requests []request
	for _, e := range events {
		name := farmName
		if name == "" {
			if name, err = a.farmOf(e); err != nil {
				return nil, err
			}
		}
		i := slices.IndexFunc(requests, func(r request) bool { return r.farm == name })
		if i < 0 {
			requests = append(requests, request{name, e.String()})
		} else {
			requests[i].reason += "; " + e.String()
		}
	}
	return requests, nil
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
