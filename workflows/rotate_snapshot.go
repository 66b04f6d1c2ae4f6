package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// takeSnapshot keeps the state that the plan was made from, until a worker records what is
// there before the first change. An earlier rotation towards the same target may have
// taken it already.
func (r *rotation) takeSnapshot(ctx workflow.Context, previous farm.StoreCertificate) {
	if s := r.input.Snapshot; s != nil && s.Target.Thumbprint == r.target.Thumbprint {
		r.inheritFrom(s)
		return
	}
	asked := r.farm.Office
	r.snapshot = &farm.Snapshot{TakenAt: workflow.Now(ctx), Target: r.target, Previous: previous, Before: r.observed, Asked: &asked}
}

// inheritFrom takes the snapshot of another rotation. Whether no more than staging was
// done is said again at the end.
func (r *rotation) inheritFrom(kept *farm.Snapshot) {
	own := *kept
	own.Staged = false
	r.snapshot, r.inherited, r.staged = &own, true, kept.Staged
}

// onlyStaged reports whether it is known that neither this run nor the rotation whose
// snapshot it has has done more than staging. A run that was reset is not sure: what it
// did after the point that it was reset to is not in its history. No command may depend
// on that, since a history up to that point must replay in both runs.
func (r *rotation) onlyStaged() bool { return !r.hasCutOver() && !r.wasReset }

// hasCutOver reports whether this run, or the rotation whose snapshot it has, has done
// more than staging, as far as its history tells.
func (r *rotation) hasCutOver() bool { return r.cuttingOver || r.inherited && !r.staged }

// removesStaging reports whether a way back only removes what was staged: all that is to
// be undone is that, as far as the history and the plan tell.
func (r *rotation) removesStaging(plan farm.RollbackPlan) bool {
	return !r.hasCutOver() && !plan.Has(r.restartStep, "") && len(farm.CutoverDifferences(plan.Reversals)) == 0
}

// judgeSnapshot refuses to replace a certificate that is compromised by itself, and
// notes what the rollback to the snapshot is worth.
func (r *rotation) judgeSnapshot(c activities.Comparison) error {
	if r.input.Intent == farm.ReplaceCompromised && r.targetIsCompromised(c.Previous) {
		return fmt.Errorf("the newest certificate of the source, %s, is the one in use, which is compromised: provide another", r.target.Thumbprint.Short())
	}
	r.limitRollback(c)
	return nil
}

// limitRollback notes at the start, and not when it is too late, that what is in
// use must not be restored, as when it is compromised or has expired, or that an
// office server could not use it.
func (r *rotation) limitRollback(c activities.Comparison) {
	switch {
	case r.input.Intent == farm.ReplaceCompromised:
		r.snapshot.Compromised = r.snapshot.Compromised || !r.snapshot.IsSealed() // what is sealed the worker changes
	case len(r.planned) == 0:
	case c.RollbackBlocked != "":
		r.decisions.rollbackBlocked = c.RollbackBlocked
		if c.PreviousExpired {
			r.progress.Report.Intent = farm.ReplaceExpired
		}
	default:
		r.decisions.rollbackBlocked, r.noWayBack = "", c.NoWayBack
	}
}

// targetIsCompromised reports whether the compromised certificate, which is the
// one in use, is the target itself. Where an earlier run has cut over to the
// target already to replace a compromised one, the one in use is not that.
func (r *rotation) targetIsCompromised(current farm.StoreCertificate) bool {
	newest := r.target.Thumbprint
	return r.snapshot.Previous.Thumbprint == newest || (current.Thumbprint == newest && !r.snapshot.Compromised)
}

// newestIsCompromised reports whether a compromised certificate, which is in use, is the
// newest that the source has. Where an earlier run has cut over to the newest already, the
// one in use is not the compromised one.
func (r *rotation) newestIsCompromised(current farm.StoreCertificate) bool {
	s := r.input.Snapshot
	isReplaced := s != nil && s.Compromised && s.Target.Thumbprint == r.target.Thumbprint
	return r.input.Intent == farm.ReplaceCompromised && current.Thumbprint == r.target.Thumbprint && !isReplaced
}

// replaceTarget asks the source for another certificate than the compromised one, and
// observes the farm with that.
func (r *rotation) replaceTarget(ctx workflow.Context, compromised farm.Thumbprint) (choice activities.TargetChoice, c activities.Comparison, err error) {
	in := activities.ReplacementInput{Farm: r.farm.Name, Compromised: compromised}
	if err := workflow.ExecuteActivity(localOptions(ctx, "choose another certificate"), a.ChooseReplacement, in).Get(ctx, &choice); err != nil {
		return choice, c, err
	}
	r.target = choice.Certificate
	if err := r.progress.setTarget(ctx, r.target); err != nil {
		return choice, c, err
	}
	if err := r.observe(ctx, farm.StepObserve); err != nil {
		return choice, c, err
	}
	c, err = r.compare(ctx, r.input.Snapshot)
	return choice, c, err
}

// handOver leaves the snapshot with the farm's controller before the first change. The
// controller may know of an earlier rotation towards the same target that was not
// finished: then the state before that one counts.
func (r *rotation) handOver(ctx workflow.Context) error {
	if err := r.recordSnapshot(ctx); err != nil {
		return err
	}
	if err := r.keepSnapshot(ctx); err != nil {
		return err
	}
	r.admitted = true
	return nil
}

// recordSnapshot has a worker read what is there before the first change, and seal it,
// unless that is what an earlier rotation has left.
func (r *rotation) recordSnapshot(ctx workflow.Context) error {
	if !changeMandate.has(ctx) || r.inherited && r.snapshot.IsSealed() {
		return nil
	}
	var taken farm.Snapshot
	in := activities.TakeSnapshotInput{Farm: r.farm.Name, Intent: r.input.Intent, Target: r.target.Thumbprint, Accepted: r.decisions.accepted, Except: r.farm.LeftOut}
	if err := workflow.ExecuteActivity(inspectOptions(ctx, "record what is there before the first change"), a.TakeSnapshot, in).Get(ctx, &taken); err != nil {
		return err
	}
	r.snapshot, r.target, r.inherited, r.staged = &taken, taken.Target, false, false
	return nil
}

// keepSnapshot has the controller keep the snapshot, and takes the worker's mandate for
// what the run does with it.
func (r *rotation) keepSnapshot(ctx workflow.Context) error {
	kept, err := r.requestAdmission(ctx, activities.KeepSnapshotInput{
		Farm: r.farm.Name, Target: r.target.Thumbprint, Intent: r.input.Intent, Snapshot: r.snapshot,
		Except: r.farm.LeftOut, Gates: r.gates(),
	})
	switch {
	case err != nil:
		return err
	case !changeMandate.has(ctx) && (kept.Snapshot == nil || r.input.Intent.GoesBack()):
		return nil
	case kept.Snapshot.ID == r.snapshot.ID && changeMandate.has(ctx):
		r.snapshot = kept.Snapshot
	default:
		if err := r.inherit(ctx, kept.Snapshot); err != nil {
			return err
		}
	}
	r.mandate, r.target = kept.Mandate, r.snapshot.Target
	return nil
}

// permitCutover takes the worker's mandate to cut over, which it gives where its own
// configuration lets it: what the run has waited for so far is what Temporal says.
func (r *rotation) permitCutover(ctx workflow.Context) error {
	for !r.mandate.Allows(activities.MayCutOver) && changeMandate.has(ctx) {
		var permitted activities.Permitted
		err := workflow.ExecuteActivity(inspectOptions(ctx, "permit the cutover"), a.PermitCutover, activities.PermitCutoverInput{
			Farm: r.farm.Name, Target: r.target, Mandate: r.mandate, Skipped: r.decisions.skipped,
			Gates: r.gates(),
		}).Get(ctx, &permitted)
		if err == nil {
			r.mandate, r.snapshot.CutOver = permitted.Mandate, permitted.CutOver
			return nil
		}
		if endsRun(err) {
			return err
		}
		if err := r.blockUnlessResolved(ctx, failedStep{host: r.masterHost(r.farm.Office), step: farm.StepRecheck, cause: err}); err != nil {
			return err
		}
	}
	return nil
}

// gates are what the run has waited for, and who has approved and asked for it.
func (r *rotation) gates() activities.Gates {
	return activities.Gates{Approval: r.decisions.approval.given, By: r.decisions.approval.authorization, Asked: r.asked, Now: r.input.Now}
}

// inherit takes the snapshot of an earlier rotation. Unless the rotation was given it,
// the farm is observed again: what was in use before that one was not asked for yet.
func (r *rotation) inherit(ctx workflow.Context, kept *farm.Snapshot) error {
	known := r.inherited && kept.TakenAt.Equal(r.snapshot.TakenAt)
	r.inheritFrom(kept)
	r.progress.setPrevious(kept.Previous)
	if known {
		return nil
	}
	if err := r.observe(ctx, farm.StepObserve); err != nil {
		return err
	}
	comparison, err := r.compare(ctx, kept)
	if err != nil {
		return err
	}
	return r.judgeSnapshot(comparison)
}
