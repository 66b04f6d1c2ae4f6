// Command worker runs farmtrust's workflows and activities. It is installed as
// farmtrust-worker.
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

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/logging"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/version"
	"github.com/farmtrust/farmtrust/workflows"
)

// Exit codes, which the help lists.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, version.ProgramName(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs a command, the worker if none is named, and returns the exit code. Help
// and errors call the program by name.
func run(ctx context.Context, name string, args []string, stdout, stderr io.Writer) int {
	command := runWorker
	if len(args) > 0 {
		switch args[0] {
		case "namespace":
			command, args = runNamespace, args[1:]
		case "replay":
			command, args = runReplay, args[1:]
		case "check":
			command, args = runCheck, args[1:]
		case "health":
			command, args = runHealth, args[1:]
		case "guard":
			command, args = runGuard, args[1:]
		case "certificates":
			command, args = runCertificates, args[1:]
		case "codec":
			command, args = runCodec, args[1:]
		}
	}
	err := command(ctx, name, args, stdout, stderr)
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailed
	}
}

// runWorker runs the worker until ctx is done.
func runWorker(ctx context.Context, name string, args []string, stdout, stderr io.Writer) error {
	o, err := parse(name, args, stderr)
	switch {
	case err != nil:
		return err
	case o.version:
		_, err := fmt.Fprintln(stdout, name, version.Read())
		return err
	case o.fingerprints:
		for _, f := range powershell.Fingerprints() {
			fmt.Fprintln(stdout, f.SHA256+"  "+f.Of)
		}
		return nil
	}
	farms, err := config.Load(o.config)
	if err != nil {
		return &usageError{err}
	}
	ctx, stop := beginLineBefore(ctx, stderr)
	defer stop()
	err = work(ctx, farms, o, logging.New(stderr, o.format, o.level))
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // stopped while it waited for Temporal
	}
	return err
}

// beginLineBefore returns a context that ends just after ctx does, once the ^C that a
// terminal echoes is off the line that the log goes on with.
func beginLineBefore(ctx context.Context, stderr io.Writer) (context.Context, func()) {
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		_ = console.BeginLine(stderr) // it is for the eye alone
		cancel()
	})
	return following, func() { forget(); cancel() }
}

// work connects to Temporal and runs the worker until ctx is done.
func work(ctx context.Context, farms *config.Config, o options, log *zap.Logger) error {
	for _, w := range farms.Warnings {
		log.Warn(w.String())
	}
	options, err := connect.Settings(connect.Options{Log: log, Plaintext: *o.plaintext})
	if err != nil {
		return &usageError{err}
	}
	payloads, err := o.payloads.open(farms.Keys.Payloads)
	if err != nil {
		return &usageError{err}
	}
	payloads.Apply(&options)
	seals, err := openSealKeys(farms)
	if err != nil {
		return &usageError{err}
	}
	client, err := connect.WorkerPatience().DialReady(ctx, options, workflows.SearchAttributes(), log)
	if err != nil {
		return err
	}
	defer client.Close()
	return host.Run(ctx, host.Options{
		Config: farms, Client: client, DataConverter: options.DataConverter, FailureConverter: options.FailureConverter, Namespace: options.Namespace,
		Deployment: o.deployment, SealKeys: seals, Log: log,
	})
}

// openSealKeys opens the key ring that only workers hold.
func openSealKeys(farms *config.Config) (*keyring.Ring, error) {
	if farms.Keys.Seal == "" {
		return nil, fmt.Errorf("%s names no keys to seal with: make some with farmtrust keys new FILE, give the file to every worker and to nobody else, and name it as keys: {seal: file:FILE}", farms.Path)
	}
	return keyring.Open(farms.Keys.Seal)
}
