package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/event"
)

// The exit codes; the root command's help says them to people.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitDiffers = 4
)

const exitHelp = `Exit codes:
  0  done: verified, nothing to do, undone as asked, decided, or shown as asked
  1  failed: incomplete, cancelled, rolled back, left by decision; a wish or decision
     refused; Temporal or a server not reachable, no worker
  2  wrong arguments, configuration or event; unknown farm
  3  refused: a precondition does not hold; nothing was changed
  4  plan: a rotation would change something; event: nothing is done until a person
     acts; approve without a digest: nothing is approved yet`

// exitError ends the program with a code. Its text is for people; it may be
// empty where what was shown says it all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func wrong(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// end says an error to people and, where JSON was asked for and none was
// written, to programs, and returns the exit code.
func (a *app) end(command *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	code := a.code(err)
	text := err.Error()
	if text == "" {
		return code
	}
	if !a.started {
		text += fmt.Sprintf("\nrun \"%s --help\" for what it takes", command.CommandPath())
	}
	fmt.Fprintf(a.err, "%s: %s\n", command.Root().Name(), text)
	if a.output == outputJSON && !a.printed {
		// A broken pipe cannot be told to anybody.
		_ = console.JSON(a.out, failure{Error: err.Error(), ExitCode: code})
	}
	return code
}

// failure is what programs read when there is no report.
type failure struct {
	Error    string `json:"error"`
	ExitCode int    `json:"exitCode"`
}

func (a *app) code(err error) int {
	var exit *exitError
	var problems config.Problems
	var badEvent *event.Error
	var unknown *event.UnknownFarmError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case !a.started, // cobra could not make sense of the arguments
		errors.As(err, &problems), errors.As(err, &badEvent), errors.As(err, &unknown), errors.Is(err, config.ErrUnknownFarm):
		return exitUsage
	default:
		return exitFailed
	}
}
