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
	"strings"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/version"
)

// Exit codes, which the help lists.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// program stands in the help for the name that the program was called by.
const program = "farmtrust-worker"

const help = `Runs farmtrust's workflows and activities, and a controller for each configured
farm, until Ctrl-C or SIGTERM. Running steps get 20 seconds to finish; any that are
cut off continue at the next start.

Each controller inspects its farm at once, and starts a rotation if one is due:
"farmtrust status" shows which. Before the cutover, the first step that takes effect,
the rotation waits for an approval or a maintenance window if the configuration asks
for one ("approval", "window").

It connects to Temporal by the standard TEMPORAL_* variables and profiles
(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, ...), and refuses to start
if the namespace lacks a search attribute: the error names the command that adds it.
It logs to standard error.

Several workers may run side by side; all must have the same configuration.

Examples:
  farmtrust-worker
  farmtrust-worker -config /etc/farmtrust/farmtrust.yaml -log-level warn
  farmtrust-worker -fingerprints

Flags:
`

const exitHelp = `
Exit codes:
  0  stopped as asked
  1  Temporal cannot be reached, or lacks search attributes
  2  a flag or the configuration is wrong
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, version.ProgramName(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the worker and returns the exit code. Help and errors call the
// program by name.
func run(ctx context.Context, name string, args []string, stdout, stderr io.Writer) int {
	o, err := parse(name, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil && o.version {
		fmt.Fprintln(stdout, name, version.Read())
		return exitOK
	}
	if err == nil && o.fingerprints {
		for _, f := range powershell.Fingerprints() {
			fmt.Fprintln(stdout, f.SHA256+"  "+f.Of)
		}
		return exitOK
	}
	var farms *config.Config
	if err == nil {
		farms, err = config.Load(o.config)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitUsage
	}
	if err := work(ctx, farms, o.level); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailed
	}
	return exitOK
}

// options are the flags.
type options struct {
	config       string
	level        zapcore.Level
	version      bool
	fingerprints bool
}

// parse reads the flags. Help goes to w.
func parse(name string, args []string, w io.Writer) (options, error) {
	o := options{level: zapcore.InfoLevel}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.config, "config", "farmtrust.yaml", "the configuration `file`: the farms and how to reach them")
	flags.Var(&o.level, "log-level", "log entries of this `level` and above: debug, info, warn or error (default info)")
	flags.BoolVar(&o.version, "version", false, "show the version, commit and Go version of this build")
	flags.BoolVar(&o.fingerprints, "fingerprints", false, "show the SHA-256 of what this version runs on servers, to find it in their logs")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(w)
		call := name
		if name == "worker" { // go run names it after its folder
			call = "go run ./worker"
		}
		fmt.Fprint(w, strings.ReplaceAll(help, program, call))
		flags.PrintDefaults()
		fmt.Fprint(w, exitHelp)
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; see %s -h", err, name)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see %s -h", flags.Arg(0), name)
	}
	return o, nil
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
