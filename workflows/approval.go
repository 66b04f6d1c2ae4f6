package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// theCutover names a cutover where it is to be approved.
const theCutover = "the cutover"

// approval is what a run asks an operator to approve.
//
// Its digest names the run ID, which is another one once Temporal has reset the run, so
// it is only ever compared where a decision is validated, and with a digest of the same
// run: what the run does next must not depend on it. Therefore an approval that was
// given before a reset counts in what the reset has kept, and is refused where Temporal
// offers it again afterwards.
type approval struct {
	// wanted is what waits for an operator; nil while nothing does.
	wanted *farm.Approval
	// given is what was approved last; nil when nothing was, or when it is void.
	given *farm.Approval
	// authorization is what a worker found about who has given it.
	authorization *farm.Authorization
	// asked counts what was asked for, and changed says why that is not good any more;
	// empty while nothing changed.
	asked   int
	changed string
}

// covers reports whether what was approved is still what is to be done.
func (a *approval) covers(wanted farm.Approval) bool {
	if a.given == nil {
		return false
	}
	wanted.Run, wanted.Nth = a.given.Run, a.given.Nth
	return wanted.Digest() == a.given.Digest()
}

// passedWindow is why an approval is not good for another opening of the window.
const passedWindow = "the window that it was for has passed"

// noteOpening notes for which opening of the window the cutover waits now.
func (a *approval) noteOpening(o farm.Opening) {
	if a.given != nil && !a.given.Opening.From.Equal(o.From) {
		a.void(passedWindow)
	}
}

// void has an approval that was given asked for again.
func (a *approval) void(why string) {
	if a.given != nil {
		a.given, a.changed = nil, why
	}
}

// awaitApproval waits until an operator approves the cutover.
func (r *rotation) awaitApproval(ctx workflow.Context) error {
	return r.awaitApprovalOf(ctx, theCutover, r.planned)
}

// awaitApprovalOf waits until an operator approves everything that users notice of the
// differences that are to be removed, unless that was approved and nothing has changed
// since. It asks nobody where users notice nothing. An operator who asked for the
// rotation because the certificate is compromised has approved by that.
//
// Where there is a window, the approval is for its next opening. When that has passed,
// the one after it is to be approved.
func (r *rotation) awaitApprovalOf(ctx workflow.Context, what string, differences []farm.Difference) error {
	if !r.farm.Rotation.Approval || r.input.Intent == farm.ReplaceCompromised || r.decisions.gatesReopened {
		return nil
	}
	if !changeApproval.has(ctx) {
		return r.awaitApprovalAsBefore(ctx, what, differences)
	}
	if !r.newApproval(what, differences).IsNoticed() {
		r.decisions.approval.given = nil
		return nil
	}
	deadline := r.approvalDeadline(ctx)
	for {
		if err := r.findOpening(ctx); err != nil {
			return err
		}
		describe := func() farm.Approval { return r.newApproval(what, differences) }
		if r.decisions.approval.covers(describe()) {
			return nil
		}
		r.decisions.approval.noteOpening(r.opening)
		passes := r.openingPasses()
		until := func() time.Time { return earliest(deadline(), passes) }
		approved, err := r.askApproval(ctx, until, describe)
		switch {
		case err != nil || approved || r.decisions.gatesReopened:
			return err
		case until().Equal(passes) && !passes.Equal(deadline()):
			r.decisions.approval.changed = passedWindow
		default:
			return r.endUnapproved(deadline())
		}
	}
}

// awaitApprovalAsBefore is [rotation.awaitApprovalOf] of a run that was begun before
// [changeApproval]: it always waits, for any opening, and again only if something was
// accepted since.
func (r *rotation) awaitApprovalAsBefore(ctx workflow.Context, what string, differences []farm.Difference) error {
	given := r.decisions.approval.given
	if given != nil && len(given.Accepted) == len(r.decisions.accepted) {
		return nil
	}
	return r.waitForApproval(ctx, func() farm.Approval {
		a := r.newApproval(what, differences)
		a.Opening = farm.Opening{}
		return a
	})
}

// newApproval describes what is to be approved, as of now.
func (r *rotation) newApproval(what string, differences []farm.Difference) farm.Approval {
	d := r.decisions
	a := farm.NewApproval(r.farm, differences, r.masterHost, slices.Clone(d.skipped))
	a.What, a.Accepted, a.Opening = what, slices.Clone(d.accepted), r.opening
	if r.isGoingBack() {
		a.Target, a.Previous = r.snapshot.Previous.Thumbprint, r.target.Thumbprint
		return a
	}
	a.Target, a.Previous, a.NoWayBack = r.target.Thumbprint, r.progress.Report.Previous, cmp.Or(d.rollbackBlocked, r.noWayBack)
	return a
}

// identify adds which run asks, and for how many times.
func (o *operation) identify(ctx workflow.Context, a farm.Approval) farm.Approval {
	a.Run, a.Nth = workflow.GetInfo(ctx).WorkflowExecution.RunID, o.decisions.approval.asked
	return a
}

// openingPasses is when a cutover no longer fits into the opening of the window; zero
// without a window.
func (r *rotation) openingPasses() time.Time {
	if r.opening.To.IsZero() {
		return time.Time{}
	}
	return r.opening.To.Add(time.Second - r.farm.CutoverEstimate())
}

// waitForApproval waits until an operator approves what describe says, or decides to end
// the run. A run that nobody approves ends: what it was planned for may be over.
func (o *operation) waitForApproval(ctx workflow.Context, describe func() farm.Approval) error {
	until := o.approvalDeadline(ctx)
	approved, err := o.askApproval(ctx, until, describe)
	if err != nil || approved || o.decisions.gatesReopened {
		return err
	}
	return o.endUnapproved(until())
}

// askApproval waits for an approval, a decision that ends the run, which is an error, or
// a moment; a zero moment never comes. It also ends when the gates are to be passed again.
func (o *operation) askApproval(ctx workflow.Context, until func() time.Time, describe func() farm.Approval) (approved bool, err error) {
	d := o.decisions
	d.approval.asked++
	d.approval.wanted, d.approval.given = &farm.Approval{}, nil
	wanted := d.approval.wanted
	if err := o.beginWait(ctx, func() farm.Wait {
		// What an operator is shown is what waits, also when it is shown again.
		*wanted = o.identify(ctx, describe())
		digest := wanted.Digest()
		text := fmt.Sprintf("%s begins once an operator approves %s", wanted.What, digest)
		if wanted.NoWayBack != "" {
			text += "; from then on there is no way back: " + wanted.NoWayBack
		}
		return farm.Wait{For: farm.ForApproval, Digest: digest, Approval: wanted, Until: until(), Text: text}
	}); err != nil {
		return false, err
	}
	isOver := func() bool { return d.approval.given == wanted || d.err() != nil || d.gatesReopened }
	err = o.awaitDeadline(ctx, until(), until, o.summarizeWait(), isOver)
	d.approval.wanted = nil
	if err := errors.Join(err, o.endWait(ctx, err)); err != nil {
		return false, err
	}
	return d.approval.given == wanted, d.err()
}

// endUnapproved ends a run that nobody approved in time.
func (o *operation) endUnapproved(until time.Time) error {
	o.decisions.notApproved = true
	o.decisions.requestRollback("nobody approved by %s", farm.FormatTime(until))
	return o.decisions.err()
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

// earliest is the earlier of two moments, of which a zero one never comes.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
