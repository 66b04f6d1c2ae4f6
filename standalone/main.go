// Command standalone is farmtrust in one process: an embedded Temporal server
// with its UI, the worker, and the rotation of one farm. Without a
// configuration the farm is a simulated one, whose trust is set up from scratch and
// then renewed.
//
// It listens on the loopback interface only. It is installed as
// farmtrust-standalone.
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

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/internal/version"
)

// Exit codes, as exitHelp lists them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first Ctrl-C on, the default applies again: a second one ends the
	// program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, version.ProgramName(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code. Errors and the version begin with
// name.
func run(ctx context.Context, name string, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(name, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil && o.version {
		fmt.Fprintln(stdout, name, version.Read())
		return exitOK
	}
	verified := false
	if err == nil {
		verified, err = (&program{options: o, out: stdout, err: stderr}).run(ctx)
	}
	if ctx.Err() != nil {
		// What was typed to interrupt stands there.
		err = errors.Join(err, console.BeginLine(stderr))
	}
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		complain(stderr, name, err)
		return exitUsage
	case err != nil:
		complain(stderr, name, err)
		return exitFailed
	case !verified:
		return exitFailed
	}
	return exitOK
}

// complain writes an error. There is nowhere to report it to where that fails.
func complain(stderr io.Writer, name string, err error) {
	_ = console.Messages{Program: report.Program}.Write(stderr, fmt.Sprintf("%s: %v", name, err))
}

// usageError is an error that the user can correct: a flag, the configuration, a
// port or the data directory.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
