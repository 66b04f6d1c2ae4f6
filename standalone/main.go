// Command standalone is farmtrust in one process: an embedded Temporal server
// with its UI, the worker, and the rotation of one farm. Without a
// configuration the farm is a simulated one, which is set up from nothing and
// then renewed.
//
// It serves the machine it runs on and nobody else.
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
)

// Exit codes; the help says them to people.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	verified := false
	if err == nil {
		verified, err = (&program{options: o, out: stdout, err: stderr}).run(ctx)
	}
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "standalone:", err)
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, "standalone:", err)
		return exitFailed
	case !verified:
		return exitFailed
	}
	return exitOK
}

// usageError is an error that another command line, configuration, port or
// directory mends.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
