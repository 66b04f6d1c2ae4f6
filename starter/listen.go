package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/ingest"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) listenCommand() *cobra.Command {
	var clear bool
	c := &cobra.Command{
		Use:   "listen",
		Short: "Take expiry events in over HTTP, until it is stopped",
		Long: `Opens the door for expiry events that the section listen of the configuration (--config)
describes, and delivers what comes to the farms that it concerns. A worker does the same
by itself where its configuration has that section: this command is for another network
zone, or another machine, than that of the workers. Its file needs neither farms nor
connections, and it reaches Temporal alone.

A sender is answered 202 once Temporal has its events, 503 with the time after which to
send again where they could not be stored, and 400 to 499 with the reason and the remedy
for what can never succeed. docs/events.md says what to write for each sender.`,
		Example: `  farmtrust listen --config door.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadIntake("listen", "who may send", func(c *config.Config) bool { c.Pull = nil; return c.Listen != nil })
			if err != nil {
				return err
			}
			return a.takeEvents(cmd.Context(), c, clear)
		},
	}
	addClearPayloadsFlag(c, &clear)
	return c
}

func addClearPayloadsFlag(c *cobra.Command, clear *bool) {
	c.Flags().BoolVar(clear, "clear-payloads", false, "send to workers in clear, as those do that have this flag")
}

// loadIntake reads the configuration of a command that takes events in. The command is
// called like the section that it needs, which says what is named besides; keep drops what
// is another command's, and reports whether the section is there.
func (a *app) loadIntake(section, says string, keep func(*config.Config) bool) (*config.Config, error) {
	if a.config == "" {
		return nil, usageErrorf("name the file that says %s: --config FILE", says)
	}
	c, err := a.loadConfig(config.LoadIntake)
	if err != nil {
		return nil, err
	}
	if !keep(c) {
		return nil, usageErrorf("%s has no section %s: docs/configuration.md shows one", a.config, section)
	}
	return c, nil
}

// takeEvents takes events in on every way that a configuration names, until ctx is done.
// It waits for Temporal as a worker does: nobody may be there to start it again.
func (a *app) takeEvents(ctx context.Context, c *config.Config, clear bool) error {
	log := logging.New(a.err, logging.DefaultFormat(a.err), zap.InfoLevel)
	for _, w := range c.Warnings {
		log.Warn(w.String())
	}
	problems, warnings := openNamed(ctx, c)
	for _, w := range warnings {
		log.Warn(w)
	}
	if len(problems) > 0 {
		return usageErrorf("%s", strings.Join(problems, "\n"))
	}
	keys := cmp.Or(c.Keys.Payloads, a.payloadKeys)
	if keys == "" && !clear {
		return usageErrorf("no key ring for payloads: workers that encrypt take nothing in clear. Write keys: {payloads: file:PATH} into %s with a copy of theirs, or give --clear-payloads", a.config)
	}
	payloads, err := payload.Open(keys, a.acceptClear)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	options, err := connect.Settings(connect.Options{Log: log, Plaintext: a.plaintext})
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	payloads.Apply(&options)
	a.options = options
	if a.temporal, err = connect.WorkerPatience().DialReady(ctx, options, workflows.SearchAttributes(), log); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it waited for Temporal
		}
		return err
	}
	site := client.New(a.temporal).Reading(options.DataConverter, options.FailureConverter).At(cmp.Or(a.site, c.Site))
	ways, err := ingest.Open(ctx, c, site, log)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	return ways.Run(ctx)
}
