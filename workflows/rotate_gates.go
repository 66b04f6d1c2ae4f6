package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// awaitWindow waits for the next opening that the cutover fits into. It gates
// only the beginning: a window that closes during the cutover stops nothing,
// because stopping half-way would be worse.
func (r *rotation) awaitWindow(ctx workflow.Context) error {
	window, estimate := r.farm.Rotation.Window, r.farm.CutoverEstimate()
	if window.IsZero() {
		r.opening = farm.Opening{} // the configuration may have had one before
	}
	if window.IsZero() || r.input.Intent == farm.ReplaceCompromised || r.decisions.gatesReopened {
		return nil
	}
	// An approval is for the opening that was found before it was asked for.
	if given := r.decisions.approval.given; given == nil || given.Opening.From.IsZero() {
		if err := r.findOpening(ctx); err != nil {
			return err
		}
	}
	untilOpen := r.opening.From.Sub(workflow.Now(ctx))
	if untilOpen <= 0 {
		return nil
	}
	if err := r.beginWait(ctx, func() farm.Wait {
		return farm.Wait{
			For: farm.ForWindow, Until: r.opening.From, Local: r.openingLocal,
			Text: fmt.Sprintf("the window %s opens; the cutover takes about %s", window, farm.FormatEstimate(estimate)),
		}
	}); err != nil {
		return err
	}
	err := awaitAtMost(ctx, untilOpen, r.summarizeWait(), func() bool { return r.decisions.err() != nil || r.decisions.gatesReopened })
	return errors.Join(err, r.endWait(ctx, err), r.decisions.err())
}

// findOpening finds the next opening of the window that the cutover fits into; there is
// none without a window, and for an undo that does not wait for it.
func (r *rotation) findOpening(ctx workflow.Context) error {
	window := r.farm.Rotation.Window
	if window.IsZero() || r.input.Now {
		r.opening, r.openingLocal = farm.Opening{}, "" // the configuration may have had one before
		return nil
	}
	var next activities.NextOpening
	err := workflow.ExecuteActivity(localOptions(ctx, "find the next maintenance window"), a.FindOpening,
		activities.OpeningInput{Window: window, Now: workflow.Now(ctx), Need: r.farm.CutoverEstimate()}).Get(ctx, &next)
	r.opening, r.openingLocal = next.Opening, next.Local
	return err
}

// windowGrace extends the window by the time that the recheck takes.
const windowGrace = 15 * time.Minute

// windowMissed reports whether the cutover no longer fits into the opening that
// was waited for: a step was blocked for long, or no worker ran when it came.
func (r *rotation) windowMissed(ctx workflow.Context) bool {
	estimatedEnd := workflow.Now(ctx).Add(r.farm.CutoverEstimate() - windowGrace)
	return !r.opening.To.IsZero() && estimatedEnd.After(r.opening.To)
}

// recheck keeps the cutover from starting unless the farm is what was found at
// first plus what was staged: the plan and its approval are about that state.
// Where the window is over by then, the next one is waited for, and where an
// operator accepted what was found, or something else has changed, another approval. So it
// is once it was postponed.
func (r *rotation) recheck(ctx workflow.Context) error {
	for {
		again, err := r.awaitPostponement(ctx)
		if err != nil {
			return err
		}
		startedAt := workflow.Now(ctx)
		if err := r.awaitNoDrift(ctx); err != nil {
			return err
		}
		if !again && !r.decisions.gatesReopened && !r.decisions.wasBlockedSince(startedAt) && !r.windowMissed(ctx) && !r.lacksApproval(ctx) {
			return nil
		}
		if err := r.awaitApproval(ctx); err != nil {
			return err
		}
		if err := r.awaitWindow(ctx); err != nil {
			return err
		}
	}
}

// lacksApproval reports whether what is to be done is not what was approved any more: the
// certificate before may have ended since, or another server may be the master.
func (r *rotation) lacksApproval(ctx workflow.Context) bool {
	approval := &r.decisions.approval
	if !r.farm.Rotation.Approval || approval.given == nil || !changeApproval.has(ctx) || approval.covers(r.newApproval(theCutover, r.planned)) {
		return false
	}
	approval.void("what it was for has changed since")
	return true
}

func (r *rotation) awaitNoDrift(ctx workflow.Context) error {
	for {
		comparison, err := r.observeAndCompare(ctx, farm.StepRecheck)
		if err != nil {
			return err
		}
		failed := r.checkDrift(comparison)
		if failed == nil {
			failed = r.checkWayBack(comparison)
		}
		if failed == nil {
			r.progress.Report.Findings = farm.KeepAccepted(comparison.Findings, r.progress.Report.Findings)
			return nil
		}
		if err := r.blockUnlessResolved(ctx, *failed); err != nil {
			return err
		}
	}
}

// checkDrift returns what keeps the cutover from starting: the rotation would be
// refused now, or the farm is no longer as it was when the rotation was planned. The
// former comes first: of a server whose service has stopped nothing is as planned.
func (r *rotation) checkDrift(c activities.Comparison) *failedStep {
	failed := &failedStep{host: r.masterHost(r.farm.Office), step: farm.StepRecheck}
	stops := slices.DeleteFunc(farm.Stops(c.Findings), func(f farm.Finding) bool { return r.decisions.isSkipped(f.Server) })
	if len(stops) > 0 {
		failed.host = cmp.Or(stops[0].Server, failed.host)
		failed.cause, failed.accept = fmt.Errorf("since the rotation was planned: %s", Explain(stoppedBy(stops))), farm.AcceptableRefs(stops)
		return failed
	}
	if drift := farm.Drift(r.withoutSkipped(r.planned), r.withoutSkipped(c.Differences)); len(drift) > 0 {
		r.decisions.approval.void("the farm had changed since it was approved: " + strings.Join(drift, "; "))
		failed.cause = fmt.Errorf("the farm has changed since the rotation was planned: %s: set it back and retry, or roll back and start again", strings.Join(drift, "; "))
		return failed
	}
	return nil
}

// checkWayBack returns what keeps the cutover from starting: the way back that the
// plan and its approval relied on is lost. One that was repaired counts from now on.
func (r *rotation) checkWayBack(c activities.Comparison) *failedStep {
	if r.noWayBack == "" && c.NoWayBack != "" && c.RollbackBlocked == "" {
		cause := fmt.Errorf("since the rotation was planned its way back is lost: %s: repair that and retry, or roll back what is staged and start again", c.NoWayBack)
		return &failedStep{host: r.masterHost(r.farm.Office), step: farm.StepRecheck, cause: cause}
	}
	r.noWayBack = c.NoWayBack
	if r.decisions.rollbackBlocked == "" {
		r.decisions.rollbackBlocked = c.RollbackBlocked
	}
	return nil
}
