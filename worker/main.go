// Command worker runs farmtrust's workflows and activities.
//
// It takes Temporal's address and credentials from the standard TEMPORAL_*
// variables and profiles, and everything about servers from one file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/host"
)

// Exit codes; the help says them to people.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const help = `Runs farmtrust's workflows and activities, with a keeper for each farm of the
configuration, until Ctrl-C or SIGTERM. Running steps get 20 seconds to end; what
is cut off then goes on at the next start.

It reaches Temporal by the standard TEMPORAL_* variables and profiles
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...), and refuses to start
where the namespace lacks a search attribute. It logs to the standard error.

Several workers may run side by side; all are to have the same configuration.

Examples:
  worker
  worker -config /etc/farmtrust/farmtrust.yaml -log-level warn

Flags:
`

const exitHelp = `
Exit codes:
  0  stopped as asked
  1  Temporal is not reachable, or lacks search attributes
  2  a flag or the configuration is wrong
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	path, level, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	var farms *config.Config
	if err == nil {
		farms, err = config.Load(path)
	}
	if err != nil {
		fmt.Fprintln(stderr, "worker:", err)
		return exitUsage
	}
	if err := work(ctx, farms, level); err != nil {
		fmt.Fprintln(stderr, "worker:", err)
		return exitFailed
	}
	return exitOK
}

// parse reads the flags. Help goes to w.
func parse(args []string, w io.Writer) (path string, level zapcore.Level, err error) {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&path, "config", "farmtrust.yaml", "the `file` of the farms and how to reach them")
	level = zapcore.InfoLevel
	flags.Var(&level, "log-level", "log entries of this `level` and above: debug, info, warn or error (default info)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(w)
		fmt.Fprint(w, help)
		flags.PrintDefaults()
		fmt.Fprint(w, exitHelp)
		return "", level, err
	case err != nil:
		return "", level, fmt.Errorf("%w: worker -h says what it takes", err)
	case flags.NArg() > 0:
		return "", level, fmt.Errorf("unexpected argument %q: worker -h says what it takes", flags.Arg(0))
	}
	return path, level, nil
}

// work runs the worker until ctx is done.
func work(ctx context.Context, farms *config.Config, level zapcore.Level) error {
	settings := zap.NewProductionConfig()
	settings.Level = zap.NewAtomicLevelAt(level)
	log, err := settings.Build()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	for _, w := range farms.Warnings {
		log.Warn(w.String())
	}
	options, err := connect.Settings(log)
	if err != nil {
		return err
	}
	client, err := connect.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer client.Close()
	return host.Run(ctx, host.Options{Config: farms, Client: client, Namespace: options.Namespace, Log: log})
}
