package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// rotationStatement claims no more than was observed. Why is what led to a
// rollback; empty when there was none, or when a cancellation or a request did.
// The findings of the report are what was accepted, and after a rollback what was
// not restored.
func rotationStatement(end ending, why string, report farm.Report) string {
	cancelled := temporal.IsCanceledError(end.cause)
	accepted := farm.AcceptedFindings(report.Findings)
	switch {
	case end.outcome == farm.RolledBack:
		return rollbackStatement(cancelled, why, len(report.Findings) > len(accepted))
	case end.outcome == farm.Verified:
		return asDesired(accepted)
	case end.outcome == farm.NoChange:
		return "nothing to do: " + asDesired(accepted)
	case end.outcome == farm.Partial:
		return "not finished: " + explainDecided(report)
	case end.outcome == farm.Refused && cancelled:
		return "cancelled before anything was changed"
	case end.outcome == farm.Refused:
		return "not started, nothing was changed: " + Explain(end.cause)
	case isNotAdmitted(end.cause):
		return "stopped, and nothing is rolled back: what is listed as changed stays changed: " + Explain(end.cause)
	case cancelled:
		return "cancelled, and nothing could be rolled back: what is listed as changed stays changed"
	}
	return "not finished, rotate again to continue: " + Explain(end.cause)
}

// explainDecided says who left servers out, or ended the run, and what is left.
func explainDecided(report farm.Report) string {
	var parts []string
	for _, d := range report.Decisions {
		switch d.Choice {
		case farm.Skip:
			parts = append(parts, fmt.Sprintf("%s left out by %s (%s)", d.Server, d.By, d.Reason))
		case farm.Abort:
			parts = append(parts, fmt.Sprintf("aborted by %s (%s)", d.By, d.Reason))
		}
	}
	switch n := len(report.Differences); {
	case n == 1:
		parts = append(parts, "1 difference is left, as listed")
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d differences are left, as listed", n))
	}
	return strings.Join(parts, "; ")
}

// explainNotApproved is the statement of a rotation that nobody approved in time, and
// whether that is how it ended: its rollback may have gone wrong.
func (r *rotation) explainNotApproved(end ending, statement string) (string, bool) {
	const next = "; " + plannedAgain
	switch {
	case end.outcome == farm.RolledBack:
		return statement + next, true
	case end.outcome != farm.Incomplete || !errors.Is(end.cause, errResolved):
		return statement, false
	}
	why := cmp.Or(r.decisions.rollbackBlocked, r.decisions.noWayBack, "what an earlier rotation changed is in use")
	return r.decisions.resolution.why + ": nothing is rolled back: " + why + next, true
}

// asDesired is what a comparison without differences shows, and for which machines
// and in spite of what it does.
func asDesired(accepted []farm.Finding) string {
	var outside, refs []string
	for _, f := range accepted {
		refs = append(refs, f.Ref())
		if farm.IsOutside(f) {
			outside = append(outside, f.Server)
		}
	}
	text := "configured as desired, key usable on every server"
	if len(outside) > 0 {
		text = "configured as desired, key usable on every configured server; not configured and left alone: " + strings.Join(outside, ", ")
	}
	if len(refs) > 0 {
		text += "; accepted: " + strings.Join(refs, ", ")
	}
	return text
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
func retirementStatement(end ending, report farm.Report) string {
	switch end.outcome {
	case farm.Verified:
		return "nothing used the old certificate; it is deleted on every office server, with its key"
	case farm.Partial, farm.Refused:
		return rotationStatement(end, "", report)
	}
	if isNotAdmitted(end.cause) {
		return rotationStatement(end, "", report)
	}
	if temporal.IsCanceledError(end.cause) {
		return "cancelled; the steps say on which servers the old certificate was archived, unarchived or deleted"
	}
	return "not finished: " + Explain(end.cause)
}
