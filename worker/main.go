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

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // Temporal is not reachable, or lacks search attributes
	exitUsage  = 2 // a flag or the configuration is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "farmtrust.yaml", "the farms and how to reach them")
	level := zapcore.InfoLevel
	flags.Var(&level, "log-level", "log entries of this `level` and above")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "worker: unexpected argument %q\n", flags.Arg(0))
		return exitUsage
	}
	farms, err := config.Load(*path)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if err := work(ctx, farms, level); err != nil {
		fmt.Fprintln(stderr, "worker:", err)
		return exitFailed
	}
	return exitOK
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
