package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/report"
)

// The exit codes. This table, docs/operating.md and "help exit-codes" are the same.
const (
	exitOK         = 0
	exitFailed     = 1
	exitUsage      = 2
	exitRefused    = 3
	exitDiffers    = 4
	exitOperator   = 5
	exitCannotTell = 6
)

const exitHelp = `Exit codes:
  0  done: verified, nothing to do, rolled back as requested, accepted, or shown;
     status, farms and check: in order
  1  failed: incomplete, partial, cancelled, or rolled back without being asked to; a
     request or decision was refused; a server cannot be reached
  2  wrong arguments, settings, configuration or event; unknown farm
  3  refused: a precondition does not hold; nothing was changed
  4  plan: a rotation would change something; approve without a digest: nothing is
     approved yet
  5  an operator is needed. status, farms and check: for a farm, or its certificate
     ends soon; event: nothing is done until then
  6  it cannot be told, or is not done: no worker answers, or Temporal does not`

// exitCodesTopic is a help topic, which is all that it is.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What each exit code means", Long: exitHelp,
		Example: `  farmtrust farms            its exit code tells that an operator is needed`,
	}
}

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
	a.tell("%s: %s", command.Root().Name(), text)
	if a.output == outputJSON && !a.printed {
		// There is nowhere to report a broken pipe to.
		_ = report.WriteJSON(a.out, failure{Error: err.Error(), Problems: listProblems(err), ExitCode: code})
	}
	return code
}

// failure is the JSON object that is written when there is no report.
type failure struct {
	Error string `json:"error"`
	// Problems are those of a configuration file, each by itself.
	Problems []string `json:"problems,omitempty"`
	ExitCode int      `json:"exitCode"`
}

// listProblems lists the problems of a configuration file that an error consists of.
func listProblems(err error) []string {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return lines
}

func (a *app) exitCodeOf(err error) int {
	var exit *exitError
	var problems config.Problems
	var badEvent *event.Error
	var unknown *client.UnknownFarmError
	var unreachable *connect.UnreachableError
	switch {
	case errors.As(err, &exit):
		return exit.code
	case !a.parsed, // cobra could not make sense of the arguments
		errors.As(err, &problems), errors.As(err, &badEvent), errors.As(err, &unknown), errors.Is(err, config.ErrUnknownFarm):
		return exitUsage
	case errors.As(err, &unreachable), client.IsUnanswered(err):
		return exitCannotTell
	default:
		return exitFailed
	}
}
