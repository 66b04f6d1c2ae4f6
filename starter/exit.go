package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/report"
)

// The exit codes, which the root command's help lists.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
	exitDiffers = 4
)

const exitHelp = `Exit codes:
  0  done: verified, nothing to do, rolled back as requested, accepted, or shown
  1  failed: incomplete, partial, cancelled, or rolled back without being asked to; a
     request or decision was refused; Temporal or a server cannot be reached; no worker
     runs
  2  wrong arguments, configuration or event; unknown farm
  3  refused: a precondition does not hold; nothing was changed
  4  plan: a rotation would change something; event: nothing is done until an operator
     acts; approve without a digest: nothing is approved yet`

// exitError ends the program with a code. Its text is for operators; it may be
// empty where what was shown is enough.
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

func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// end prints an error, also as JSON where JSON was asked for and none was
// written, and returns the exit code.
func (a *app) end(command *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	code := a.exitCodeOf(err)
	text := err.Error()
	if text == "" {
		return code
	}
	if !a.parsed {
		text += fmt.Sprintf("\nrun \"%s --help\" for usage", command.CommandPath())
	}
	fmt.Fprintf(a.err, "%s: %s\n", command.Root().Name(), text)
	if a.output == outputJSON && !a.printed {
		// There is nowhere to report a broken pipe to.
		_ = report.WriteJSON(a.out, failure{Error: err.Error(), ExitCode: code})
	}
	return code
}

// failure is the JSON object that is written when there is no report.
type failure struct {
	Error    string `json:"error"`
	ExitCode int    `json:"exitCode"`
}

func (a *app) exitCodeOf(err error) int {
	var exit *exitError
	var problems config.Problems
	var badEvent *event.Error
	var unknown *event.UnknownFarmError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case !a.parsed, // cobra could not make sense of the arguments
		errors.As(err, &problems), errors.As(err, &badEvent), errors.As(err, &unknown), errors.Is(err, config.ErrUnknownFarm):
		return exitUsage
	default:
		return exitFailed
	}
}
