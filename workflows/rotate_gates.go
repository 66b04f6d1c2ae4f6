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

// awaitApproval waits until an operator approves the digest of exactly these
// differences. An operator who asked for the rotation because the certificate is
// compromised has approved by that.
func (r *rotation) awaitApproval(ctx workflow.Context) error {
	if !r.farm.Rotation.Approval || r.input.Intent == farm.ReplaceCompromised || r.decisions.gatesReopened {
		return nil
	}
	digest := r.decisions.afterPostponement(farm.Digest(r.target.Thumbprint, r.planned, r.decisions.accepted))
	if digest == r.decisions.approval.approved {
		return nil // nothing was accepted since
	}
	return r.waitForApproval(ctx, digest, func() string {
		if blocked := r.decisions.rollbackBlocked; blocked != "" {
			return fmt.Sprintf("approve %s, or abort; it cannot be rolled back: %s", digest, blocked)
		} else if r.noWayBack != "" {
			return fmt.Sprintf("approve %s, or roll back what is staged; from then on there is no way back: %s", digest, r.noWayBack)
		}
		return fmt.Sprintf("approve %s, or roll back what is staged", digest)
	})
}

// waitForApproval waits until an operator approves a digest, or decides to end the
// run. A run that nobody approves ends: what it was planned for may be over.
func (o *operation) waitForApproval(ctx workflow.Context, digest string, describe func() string) error {
	d := o.decisions
	d.approval = approval{wanted: digest}
	deadline := o.approvalDeadline(ctx)
	if err := o.beginWait(ctx, func() farm.Wait {
		return farm.Wait{For: farm.ForApproval, Digest: digest, Until: deadline(), Text: describe()}
	}); err != nil {
		return err
	}
	isOver := func() bool { return d.approval.approved == digest || d.err() != nil || d.gatesReopened }
	err := o.awaitDeadline(ctx, deadline, o.summarizeWait(), isOver)
	d.approval.wanted = ""
	if err := errors.Join(err, o.endWait(ctx, err)); err != nil {
		return err
	}
	if !isOver() {
		d.notApproved = true
		d.requestRollback("nobody approved by %s", farm.FormatTime(deadline()))
	}
	return d.err()
}

// approvalDeadline returns until when an approval is waited for from now on, as the
// configuration has it when it is asked; zero is for good.
func (o *operation) approvalDeadline(ctx workflow.Context) func() time.Time {
	begun, forGood := workflow.Now(ctx), o.farm.Rotation.ApprovalTimeout == 0 || !changeApprovalTimeout.has(ctx)
	return func() time.Time {
		if forGood {
			return time.Time{}
		}
		return begun.Add(o.farm.Rotation.ApprovalTimeout)
	}
}

// awaitWindow waits for the next opening that the cutover fits into. It gates
// only the beginning: a window that closes during the cutover stops nothing,
// because stopping half-way would be worse.
func (r *rotation) awaitWindow(ctx workflow.Context) error {
	window, estimate := r.farm.Rotation.Window, r.farm.CutoverEstimate()
	if window.IsZero() || r.input.Intent == farm.ReplaceCompromised || r.decisions.gatesReopened {
		return nil
	}
	var next activities.NextOpening
	err := workflow.ExecuteActivity(localOptions(ctx, "find the next maintenance window"), a.FindOpening,
		activities.OpeningInput{Window: window, Now: workflow.Now(ctx), Need: estimate}).Get(ctx, &next)
	if err != nil {
		return err
	}
	r.opening = next.Opening
	untilOpen := next.Opening.From.Sub(workflow.Now(ctx))
	if untilOpen <= 0 {
		return nil
	}
	if err := r.beginWait(ctx, func() farm.Wait {
		return farm.Wait{
			For: farm.ForWindow, Until: next.Opening.From, Local: next.Local,
			Text: fmt.Sprintf("the window %s opens; the cutover takes about %s", window, estimate),
		}
	}); err != nil {
		return err
	}
	err = awaitAtMost(ctx, untilOpen, r.summarizeWait(), func() bool { return r.decisions.err() != nil || r.decisions.gatesReopened })
	return errors.Join(err, r.endWait(ctx, err), r.decisions.err())
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
// operator accepted what was found, another approval. So it is once it was postponed.
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
		if !again && !r.decisions.gatesReopened && !r.decisions.wasBlockedSince(startedAt) && !r.windowMissed(ctx) {
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
			r.progress.setFound(r.progress.Report.Differences, comparison.Findings)
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
