package workflows

import (
	"errors"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// RotationResultOf reads how a rotation or a retirement ended, from its result
// or from the failure that ended it. It is false where the run left no report,
// as one that was terminated.
func RotationResultOf(result farm.RotationResult, err error) (farm.RotationResult, bool) {
	if err == nil {
		return result, true
	}
	var application *temporal.ApplicationError
	var canceled *temporal.CanceledError
	var details func(...any) error
	switch {
	case errors.As(err, &application) && application.HasDetails():
		details = application.Details
	case errors.As(err, &canceled) && canceled.HasDetails():
		details = canceled.Details
	default:
		return farm.RotationResult{}, false
	}
	var r farm.RotationResult
	if details(&r) != nil || r.Outcome == "" {
		return farm.RotationResult{}, false
	}
	return r, true
}

// Explain is what an operator should read of an error: its own words, without
// the names of workflows and activities around them.
func Explain(err error) string {
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		text := ""
		for _, e := range many.Unwrap() {
			text = joinTexts(text, Explain(e))
		}
		return text
	}
	application, isApplication := errors.AsType[*temporal.ApplicationError](err)
	timeout, isTimeout := errors.AsType[*temporal.TimeoutError](err)
	var terminated *temporal.TerminatedError
	var panicked *temporal.PanicError
	var running *temporal.ChildWorkflowExecutionAlreadyStartedError
	var unknown *temporal.UnknownExternalWorkflowExecutionError
	switch {
	case isApplication && application.Type() == unknownActivity:
		return "the worker does not know this step: upgrade all workers to one version"
	case isApplication:
		return application.Message()
	case temporal.IsCanceledError(err):
		return "it was cancelled"
	case errors.As(err, &terminated):
		return "it was terminated in Temporal"
	case isTimeout:
		return explainTimeout(timeout.TimeoutType())
	case errors.As(err, &running):
		return "it is running already"
	case errors.As(err, &unknown):
		return "it does not run any more"
	case errors.As(err, &panicked):
		return "an error in farmtrust itself, see the worker's log: " + panicked.Error()
	}
	return stripRuns(err).Error()
}

// unknownActivity is the type of the error of a worker that has no such activity, as
// one of an older version.
const unknownActivity = "ActivityNotRegisteredError"

func explainTimeout(kind enumspb.TimeoutType) string {
	switch kind {
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return "its worker stopped, or lost Temporal"
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return "no worker took it in time"
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		return "no success in time"
	default:
		return "no answer in time"
	}
}

// stripRuns returns the cause of an error without the IDs of the activities and
// workflows that it went through.
func stripRuns(err error) error {
	for {
		switch err.(type) { //nolint:errorlint // one layer after the other is taken off
		case *temporal.ActivityError, *temporal.ChildWorkflowExecutionError, *temporal.WorkflowExecutionError:
			cause := errors.Unwrap(err)
			if cause == nil {
				return errors.New("it failed; see its history")
			}
			err = cause
		default:
			return err
		}
	}
}

// joinNonEmpty joins those texts that are not empty: a finding about the whole farm
// has no server.
func joinNonEmpty(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), separator)
}

// isServiceStopped reports whether a step failed because a service of its server
// does not run.
func isServiceStopped(err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && (application.Type() == activities.ServiceNotRunning || application.Type() == activities.IISNotRunning)
}

func joinTexts(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func isUnknownFarm(err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && application.Type() == UnknownFarmError
}

// maxSummary is how many bytes Temporal Cloud allows a summary.
const maxSummary = 400

// summarize makes a text a summary, which the Temporal UI shows as a line of Markdown.
func summarize(text string) string { return report.MarkdownLine(text, maxSummary) }
