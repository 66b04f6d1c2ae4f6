// Command standalone is farmtrust in one process: an embedded Temporal server
// with its UI, the worker, and the rotation of one farm. Without a
// configuration the farm is a simulated one: its trust is set up from nothing
// and then renewed.
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

	"github.com/farmtrust/farmtrust/internal/version"
)

// Exit codes, which the help lists.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, version.ProgramName(os.Args[0]), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the program and returns the exit code. Errors call the program by
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
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitFailed
	case !verified:
		return exitFailed
	}
	return exitOK
}

// usageError is an error that another command line, configuration, port or
// directory avoids.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
