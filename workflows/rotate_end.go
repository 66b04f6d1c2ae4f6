package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

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
	in := activities.EndInput{Farm: r.farm.Name, Target: r.target, Known: r.observed, Skipped: r.decisions.skipped}
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
