package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// verify observes again. The trust is as desired when nothing differs, apart
// from servers that an operator left out.
func (r *rotation) verify(ctx workflow.Context) ending {
	if err := r.progress.setPhase(ctx, farm.PhaseVerifying); err != nil {
		return failedEnding(err)
	}
	for {
		comparison, err := r.observeAndCompare(ctx, farm.StepVerify)
		if err != nil {
			return failedEnding(err)
		}
		r.progress.setFound(ctx, comparison.Differences, comparison.Findings)
		left := r.withoutSkipped(comparison.Differences)
		if len(left) == 0 {
			r.noteVerified(comparison)
			break
		}
		if err := r.blockAndRestart(ctx, r.explainLeft(left), left); err != nil {
			return failedEnding(err)
		}
	}
	if len(r.decisions.skipped) > 0 {
		r.verified = true
		return ending{outcome: farm.Partial}
	}
	return ending{outcome: farm.Verified}
}

// explainLeft says what a verification found left to do, and who does it: what
// changed after the cutover, as when an office farm is made new meanwhile, is not set
// again by this rotation.
func (r *rotation) explainLeft(left []farm.Difference) error {
	text := fmt.Sprintf("%d differences remain, the first: %s", len(left), left[0].Text)
	if slices.ContainsFunc(left, func(d farm.Difference) bool { return d.Step != r.restartStep }) {
		text += ": a retry makes restarts alone: set the rest by hand and retry, or abort and rotate again"
	}
	return errors.New(text)
}

// finish closes the report. Only a rotation that ended as planned hands over what
// it observed last: after any other the controller inspects the farm itself.
func (r *rotation) finish(ctx workflow.Context, end ending) (farm.RotationResult, error) {
	if end = r.resolvedEnding(end); r.input.Intent.GoesBack() && !r.admitted && changeWayBack.has(ctx) {
		end = ending{farm.Refused, cmp.Or(end.cause, errResolved)}
	}
	r.lookAtEnd(ctx, end)
	result := farm.RotationResult{Cancelled: temporal.IsCanceledError(end.cause), Settled: r.verified && end.outcome == farm.Partial}
	if result.Snapshot = r.snapshot; r.snapshot != nil {
		r.snapshot.Staged = r.onlyStaged()
	}
	if end.outcome == farm.Verified || end.outcome == farm.NoChange {
		result.Inspection = r.found
	}
	statement := rotationStatement(end, r.decisions.resolution.why, r.progress.Report)
	switch {
	case r.decisions.notApproved:
		statement, result.NotApproved = r.explainNotApproved(end, statement)
	case temporal.IsCanceledError(end.cause) && end.outcome == farm.Incomplete:
		statement = joinNonEmpty("; ", statement, r.decisions.noWayBack)
	}
	return r.close(ctx, end, statement, result)
}

// lookAtEnd has the report of a run that did not end as planned say how the farm is at
// its end: what was compared last may be hours old, and steps have changed it since. Where
// the farm cannot be observed, the report says so, and leaves out what steps have removed.
func (r *rotation) lookAtEnd(ctx workflow.Context, end ending) {
	isUnfinished := end.outcome == farm.Incomplete || end.outcome == farm.Partial
	if !isUnfinished || r.seenAtEnd || len(r.observed.Office) == 0 || !changeReports.has(ctx) {
		return
	}
	// It goes on although the run was cancelled.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	in := activities.EndInput{Farm: r.farm.Name, Target: r.target, Known: r.observed, Skipped: r.decisions.skipped, Except: r.farm.LeftOut}
	if r.progress.Phase == farm.PhaseRollingBack {
		restored := r.restored(ctx)
		in.Snapshot = &restored
	}
	var seen activities.EndResult
	err := executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(observeOptions(ctx, "observe the end of "+r.farm.Name), a.ObserveEnd, in)
	}, &seen)
	before := r.progress.Report.ComparedAt
	if err != nil {
		r.progress.forgetRemoved(before, func(string) bool { return true })
		r.progress.Report.Unseen = "without what was removed since: the farm could not be observed at the end: " + Explain(err)
		return
	}
	r.progress.noteVersion(seen.Version)
	r.progress.setInUse(ctx, seen.Current)
	r.progress.setFound(ctx, seen.Differences, seen.Findings)
	r.progress.Report.Unseen = seen.Unseen
	r.progress.forgetRemoved(before, func(host string) bool { return slices.Contains(seen.UnseenHosts, host) })
}

// noteVerified keeps what was verified, and how.
func (r *rotation) noteVerified(c activities.Comparison) {
	r.seenAtEnd = true
	r.progress.Report.Proofs = c.Proofs
	if proof := r.progress.Report.ProveKeys(r.farm); proof != "" {
		r.progress.Report.Proofs = slices.Insert(slices.Clone(c.Proofs), 0, proof)
	}
}

// noteInUse shows the certificate that was in use when the farm was last observed.
func (r *rotation) noteInUse(ctx workflow.Context) {
	current, _ := r.observed.Current()
	r.progress.setInUse(ctx, current)
}
