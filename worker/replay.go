package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/internal/replay"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

const replayHelp = `Replays the open workflows of the namespace with this version of farmtrust, and
shows those that it could not continue. It changes nothing: run it with the new
version before it replaces the old one, and with the old one before you go back.

Server and namespace come from the standard TEMPORAL_* variables and profiles.

Examples:
  farmtrust-worker replay
  farmtrust-worker replay -config /etc/farmtrust/farmtrust.yaml

Flags:
`

const replayExitHelp = `
Exit codes:
  0  this version can continue every open workflow
  1  it could not continue some, or Temporal cannot be read
  2  a flag or the configuration is wrong
`

// runReplay replays the open workflows.
func runReplay(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet(name+" replay", flag.ContinueOnError)
	stored := addPayloadFlags(flags)
	file := flags.String("config", "", "replay only workflows of the site of this configuration `file`; without it, of all sites")
	plaintext := plaintextFlag(flags)
	if err := parseFlags(flags, args, replayHelp, replayExitHelp, stderr); err != nil {
		return err
	}
	queue, keys := "", ""
	if *file != "" {
		c, err := config.Load(*file)
		if err != nil {
			return &usageError{err}
		}
		queue, keys = workflows.TaskQueue(c.Site), c.Keys.Payloads
	}
	payloads, err := stored.open(keys)
	if err != nil {
		return &usageError{err}
	}
	log := logging.New(stderr, logging.DefaultFormat(stderr), zap.WarnLevel)
	options, err := connect.Settings(connect.Options{Log: log, Plaintext: *plaintext})
	if err != nil {
		return &usageError{err}
	}
	c, err := connect.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()
	result, err := replay.Run(ctx, replay.Options{
		Client: c, Namespace: options.Namespace, TaskQueue: queue, Types: workflows.Types(), Register: workflows.Register,
		Converters: payload.NewConverters(payloads),
		Report: func(b replay.Break) {
			fmt.Fprintf(stdout, "%s %s %s\n", b.WorkflowID, b.RunID, report.CleanText(b.Reason))
		},
	})
	if err != nil {
		return err
	}
	if broken := len(result.Breaks); broken > 0 {
		return fmt.Errorf("replayed %d open workflows: this version could not continue %d of them", result.Replayed, broken)
	}
	_, err = fmt.Fprintf(stdout, "replayed %d open workflows: this version can continue them all\n", result.Replayed)
	return err
}
