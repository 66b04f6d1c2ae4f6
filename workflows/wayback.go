package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// settle rolls a rotation back whose ending asks for it. Where that is not possible it
// leads back to where that was asked for, and never into a rollback from which nothing
// leads forward.
func (r *rotation) settle(ctx workflow.Context, end ending) ending {
	for {
		switch {
		case r.decisions.resolution.choice == farm.Forward:
			end = r.goForwardAgain(ctx)
			continue
		case !r.shouldRollBack(end):
			return end
		}
		if stop := r.lookForWayBack(ctx, end); stop != nil {
			end = r.stayForward(ctx, end, *stop)
			continue
		}
		end = r.rollBack(ctx).causedBy(end)
	}
}

// lookForWayBack observes the farm and returns why what was in use cannot be restored;
// nil when it can. A server that cannot be observed is no reason: the rollback may
// leave it out.
func (r *rotation) lookForWayBack(ctx workflow.Context, end ending) *farm.Finding {
	if !changeRollbackLook.has(ctx) {
		return nil
	}
	// It goes on although the rotation was cancelled.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	plan, err := r.compareWithSnapshot(ctx)
	if err != nil {
		return nil
	}
	if stops := farm.Stops(plan.Remaining); len(stops) > 0 {
		return &stops[0]
	}
	asked := r.decisions.resolution.asked || temporal.IsCanceledError(end.cause)
	if refused := r.findRefused(plan); refused != nil && !asked && changeWayBack.has(ctx) {
		return refused
	}
	if len(r.decisions.skipped) == 0 {
		r.looked = &plan
	}
	return nil
}

// findRefused finds a step of a way back that a server has refused in this run when it
// went forward: it would refuse it again, in the middle of the way. It is nil where there
// is none. An operator who asks for the way back may have removed the cause.
func (r *rotation) findRefused(plan farm.RollbackPlan) *farm.Finding {
	same := map[farm.Step]farm.Step{
		farm.StepRestoreS2SName: farm.StepS2SName, farm.StepRestoreHTTPSettings: farm.StepHTTPSettings, farm.StepRestoreIssuers: farm.StepIssuer,
	}
	for _, d := range plan.Reversals {
		row := r.progress.Report.Row(d.Server, same[d.Step])
		if row != nil && row.State == farm.StateFailed {
			return &farm.Finding{
				Code: "way-back-refused", Severity: farm.Stop, Server: d.Server,
				Text: fmt.Sprintf("%s was refused there in this run, and the way back takes the same: %s", row.Step, row.Detail),
			}
		}
	}
	return nil
}

// stayForward blocks a rotation that cannot be rolled back where it was, with the
// reason: an operator retries, skips or aborts, or asks for the rollback again once it
// is possible. One that was cancelled, or that nobody approved, ends, and leaves what it
// has changed.
func (r *rotation) stayForward(ctx workflow.Context, end ending, stop farm.Finding) ending {
	d := r.decisions
	asked, why := d.resolution.why, joinNonEmpty(": ", stop.Server, stop.Text)
	d.resolution = resolution{why: asked}
	if stop.Server == "" {
		d.rollbackBlocked = why // no server can be repaired to make it possible
	}
	if r.noWayBack, d.noWayBack = why, why; temporal.IsCanceledError(end.cause) || d.notApproved {
		return end
	}
	failed := d.lastBlocked
	failed.host = cmp.Or(failed.host, r.masterHost(r.farm.Office))
	failed.cause = fmt.Errorf("it cannot be rolled back, which was to be done because %s: %s: repair that and roll back, or retry and go on", asked, why)
	failed.canary, failed.accept = false, nil
	if err := r.blockUnlessResolved(ctx, failed); err != nil {
		return failedEnding(err)
	}
	return r.proceed(ctx)
}

// findInUse returns the certificate that the farm uses, as far as this run knows.
func (r *rotation) findInUse() (farm.Thumbprint, time.Time) {
	switch {
	case r.namesTarget() && r.progress.Phase != farm.PhaseRollingBack, r.input.Intent == farm.Undo && !r.admitted:
		return r.target.Thumbprint, r.target.NotAfter
	case r.snapshot == nil:
		return "", time.Time{}
	}
	return r.snapshot.Previous.Thumbprint, r.snapshot.Previous.NotAfter
}

// namesTarget reports whether an office farm was set to use the target, by this run or
// before it was last observed.
func (r *rotation) namesTarget() bool {
	current, _ := r.observed.Current()
	return len(r.settingsChangedAt) > 0 || current.Thumbprint == r.target.Thumbprint
}

// previousEnd is when the certificate ends that a rollback would restore.
func (r *rotation) previousEnd() time.Time {
	if r.snapshot == nil || r.snapshot.Previous.Thumbprint == "" {
		return time.Time{}
	}
	return r.snapshot.Previous.NotAfter
}

func (r *rotation) previousExpired(now time.Time) string {
	if r.snapshot == nil {
		return ""
	}
	return r.snapshot.ExpiredAt(now.Add(time.Second)) // by a clock it has expired after its end
}

// causedBy is the ending of a rollback that another ending led to: a rotation
// that was cancelled ends as cancelled.
func (e ending) causedBy(first ending) ending {
	if temporal.IsCanceledError(first.cause) {
		e.cause = first.cause
	}
	return e
}

// shouldRollBack reports whether a rotation that ended so is to be rolled back:
// an operator, the farm's policy or a cancellation asked for it, there is
// something to restore, and nothing forbids it.
//
// One that was cancelled before it was admitted has changed nothing: the snapshot that
// it was given may be that of another rotation, which is complete. One that is not
// admitted any more, as after a reset once it had ended, must not touch the farm.
func (r *rotation) shouldRollBack(end ending) bool {
	if !r.admitted || isNotAdmitted(end.cause) {
		return false
	}
	asked := r.decisions.resolution.choice == farm.RollBack || (temporal.IsCanceledError(end.cause) && r.decisions.noWayBack == "")
	if r.decisions.notApproved && r.inherited {
		return false // what an earlier rotation changed has been lived with
	}
	return asked && r.decisions.rollbackBlocked == ""
}
