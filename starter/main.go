// Command starter is farmtrust's command line: it delivers expiry events,
// requests rotations, shows what runs, and takes operators' decisions to it. It
// is installed as farmtrust.
//
// It connects to Temporal only. What is done to servers, and with which
// credentials, is the worker's own business.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, version.ProgramName(os.Args[0]), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command and returns the exit code. Help, errors and the
// commands that are printed call the program by name.
func run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{program: callOf(name), in: stdin, out: stdout, err: stderr, interactive: isTerminal(stdin), color: console.ColorAuto}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	defer a.disconnect()
	root := a.newRoot()
	renameProgram(root, a.program)
	root.SetArgs(acceptSingleDash(args))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	command, err := root.ExecuteContextC(ctx)
	if ctx.Err() != nil {
		// What was typed to interrupt stands there.
		err = errors.Join(err, console.BeginLine(a.err))
	}
	return a.end(command, err)
}

// callOf returns how a program of this name is called again: go run names it after
// its folder.
func callOf(name string) string {
	if name == "starter" {
		return "go run ./starter"
	}
	return name
}

// acceptSingleDash lets operators write -config as for the worker; to cobra that
// would be five short flags.
func acceptSingleDash(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "-config" || strings.HasPrefix(arg, "-config=") {
			args[i] = "-" + arg
		}
	}
	return args
}
