package workflows

import (
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// rotationStatement claims no more than was observed. Why is what led to a
// rollback; empty when there was none, or when a cancellation or a request did.
// Remaining reports whether the report lists what was not restored.
func rotationStatement(end ending, why string, remaining bool) string {
	cancelled := temporal.IsCanceledError(end.cause)
	switch {
	case end.outcome == farm.RolledBack:
		return rollbackStatement(cancelled, why, remaining)
	case end.outcome == farm.Verified:
		return "configured as desired, key usable on every server"
	case end.outcome == farm.NoChange:
		return "nothing to do: configured as desired, key usable on every server"
	case end.outcome == farm.Partial:
		return "ended by an operator's decision; what differs is listed"
	case end.outcome == farm.Refused && cancelled:
		return "cancelled before anything was changed"
	case end.outcome == farm.Refused:
		return "not started, nothing was changed: " + explain(end.cause)
	case cancelled:
		return "cancelled, and nothing could be rolled back: what is listed as changed stays changed"
	}
	return "not finished, rotate again to continue: " + explain(end.cause)
}

func rollbackStatement(cancelled bool, why string, remaining bool) string {
	text := "everything is as it was before"
	if remaining {
		text += ", except for what is listed"
	}
	if cancelled {
		text = "cancelled, and " + text
	}
	if why != "" {
		text += "; it was rolled back because " + why
	}
	return text
}

// retirementStatement claims no more than was observed.
func retirementStatement(end ending) string {
	switch end.outcome {
	case farm.Verified:
		return "nothing used the old certificate; it is deleted on every office server, with its key"
	case farm.Partial, farm.Refused:
		return rotationStatement(end, "", false)
	}
	if temporal.IsCanceledError(end.cause) {
		return "cancelled; the steps say on which servers the old certificate was archived, unarchived or deleted"
	}
	return "not finished: " + explain(end.cause)
}
