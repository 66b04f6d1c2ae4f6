package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// RotateTrust makes the farm's trust as it should be: it sets it up from
// nothing, renews it, or finishes what an earlier rotation left, by the same
// steps; or, when asked to, it undoes a rotation. Each step looks before it
// acts.
//
// It completes with outcome [farm.Verified], [farm.NoChange], [farm.RolledBack] or
// [farm.Partial]. It fails with an application error of type
// [RefusedError] when a precondition does not hold, in which case nothing was
// changed, and of type [IncompleteError] when it could not be steered to one
// of those ends; the error's details hold the report. Cancelled, it undoes what
// it changed and ends as cancelled, with the report in the details.
func RotateTrust(ctx workflow.Context, in RotateInput) (RotationResult, error) {
	r, err := newRotation(ctx, in)
	if err != nil {
		return RotationResult{}, err
	}
	outcome, cause := r.start(ctx)
	if r.goesBack(ctx, cause) {
		outcome, err = r.back(ctx)
		if !temporal.IsCanceledError(cause) {
			cause = err
		}
	}
	return r.end(ctx, RotateID(in.Farm), outcome, cause)
}

func (r *rotation) start(ctx workflow.Context) (farm.Outcome, error) {
	if r.input.Intent == farm.Rollback {
		return farm.Incomplete, errDecided
	}
	return r.run(ctx)
}

// run is the runbook.
func (r *rotation) run(ctx workflow.Context) (farm.Outcome, error) {
	if err := r.prepare(ctx); err != nil {
		return farm.Refused, err
	}
	if len(r.progress.report.Differences) == 0 {
		return farm.NoChange, nil
	}
	if err := r.do(ctx, Staging, // nothing a user can notice
		r.importCertificate,    // office servers: certificate, key, intermediates
		r.grantKey,             // office servers: NETWORK SERVICE reads the key, and it signs
		r.exportCertificate,    // one office server: the public part, equal to the target
		r.trustRootAuthorities, // SharePoint farms: what is missing of the chain
	); err != nil {
		return farm.Incomplete, err
	}
	if err := r.do(ctx, Waiting,
		r.awaitApproval, // of exactly these differences, where configured
		r.awaitWindow,   // where configured
		r.lookAgain,     // the farm is journal and staged changes, or nothing is switched
	); err != nil {
		return farm.Incomplete, err
	}
	if err := r.do(ctx, CuttingOver, // from here data refresh may fail until the restarts
		r.setS2SCertificate, // master: Set-OfficeWebAppsFarm -S2SCertificateName
		r.seeS2SCertificate, // office servers: each has the new setting
		r.setHTTPSwitches,   // master: only those configured
		r.trustIssuers,      // SharePoint farms: twice, once for each registered issuer
	); err != nil {
		return farm.Incomplete, err
	}
	if err := r.do(ctx, Restarting, // once for all settings
		r.restartSharePoint, // SharePoint servers: IIS, SPTimerV4
		r.restartOffice,     // office servers: WACSM, IIS; a canary first
	); err != nil {
		return farm.Incomplete, err
	}
	return r.verify(ctx)
}

// do carries out the steps of a phase, one after the other.
func (r *rotation) do(ctx workflow.Context, phase Phase, steps ...func(workflow.Context) error) error {
	if err := r.progress.enter(ctx, phase); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare chooses the target, observes every server, checks whether the
// rotation may start and opens the journal. It changes nothing.
func (r *rotation) prepare(ctx workflow.Context) error {
	var chosen activities.TargetChoice
	err := workflow.ExecuteActivity(deciding(ctx, "choose certificate"), a.ChooseTarget, r.farm.Name).Get(ctx, &chosen)
	if err != nil {
		return err
	}
	r.target = chosen.Certificate
	if err := r.progress.aim(ctx, r.target); err != nil {
		return err
	}
	if err := r.progress.enter(ctx, Observing); err != nil {
		return err
	}
	comparison, err := r.compare(ctx, farm.StepObserve)
	if err != nil {
		return err
	}
	r.baseline = r.observed
	r.target.FriendlyName = comparison.FriendlyName
	r.planned = comparison.Differences
	comparison.Findings = append(chosen.Findings, comparison.Findings...)
	r.progress.found(r.target, comparison)
	if stops := farm.Stops(comparison.Findings); len(stops) > 0 {
		return stopped(stops)
	}
	r.openJournal(ctx, comparison.Previous)
	return r.closeWayBack(ctx, comparison)
}

// stopped is the error that findings end or hold a rotation with.
func stopped(stops []farm.Finding) error {
	var texts []error
	for _, s := range stops {
		texts = append(texts, fmt.Errorf("%s: %s: %s", s.Server, s.Text, s.Remedy))
	}
	return errors.Join(texts...)
}

// closeWayBack says at the start, and not when it is too late, that there is
// no way back to what is in use.
func (r *rotation) closeWayBack(ctx workflow.Context, c activities.Comparison) error {
	compromised := r.input.Intent == farm.ReplaceCompromised
	if compromised && r.isNewest(ctx, c.Previous) {
		return fmt.Errorf("the newest certificate of the source, %s, is the one in use, which is compromised: provide another", r.target.Thumbprint.Short())
	}
	r.snapshot.Compromised = r.snapshot.Compromised || compromised
	if c.RollbackBlocked != "" && !compromised && len(r.planned) > 0 {
		r.decisions.noWayBack = c.RollbackBlocked
		r.progress.report.Intent = farm.ReplaceExpired
	}
	return nil
}

// isNewest says whether the compromised certificate, which is the one in use,
// is the target itself. Where an earlier run has switched to the target already
// to replace a compromised one, the one in use is not that.
func (r *rotation) isNewest(ctx workflow.Context, current farm.StoreCertificate) bool {
	newest := r.target.Thumbprint
	if r.snapshot.Previous.Thumbprint == newest {
		return true
	}
	return current.Thumbprint == newest && !r.snapshot.Compromised && since(ctx, namesNewest)
}

// openJournal keeps the state found before the first change. An earlier
// rotation towards the same target has opened it already.
func (r *rotation) openJournal(ctx workflow.Context, previous farm.StoreCertificate) {
	if j := r.input.Snapshot; j != nil && j.Target.Thumbprint == r.target.Thumbprint {
		r.snapshot = j
		return
	}
	r.snapshot = &farm.Snapshot{TakenAt: workflow.Now(ctx), Target: r.target, Previous: previous, Before: r.observed}
}

// verify observes again; the trust is as desired when nothing differs, apart
// from servers that a person left out.
func (r *rotation) verify(ctx workflow.Context) (farm.Outcome, error) {
	if err := r.progress.enter(ctx, Verifying); err != nil {
		return farm.Incomplete, err
	}
	for {
		comparison, err := r.compareOrPark(ctx, farm.StepVerify)
		if err != nil {
			return farm.Incomplete, err
		}
		r.progress.report.Differences, r.progress.report.Findings = comparison.Differences, comparison.Findings
		left := r.notSkipped(comparison.Differences)
		if len(left) == 0 {
			break
		}
		cause := fmt.Errorf("%d differences remain, the first: %s", len(left), left[0].Text)
		if choice, err := r.park(ctx, left[0].Server, farm.StepVerify, cause); err != nil || !goesOn(choice) {
			return farm.Incomplete, errors.Join(err, errDecided)
		}
	}
	if len(r.decisions.skipped) > 0 {
		return farm.Partial, nil
	}
	return farm.Verified, nil
}

// compare observes every server and compares.
func (r *rotation) compare(ctx workflow.Context, step farm.Step) (activities.Comparison, error) {
	var comparison activities.Comparison
	if err := r.observe(ctx, step); err != nil {
		return comparison, err
	}
	in := activities.CompareInput{Farm: r.farm, Target: r.target, Observed: r.observed}
	if step == farm.StepObserve {
		in.Snapshot = r.input.Snapshot // the others need not know the way back
	}
	err := workflow.ExecuteActivity(deciding(ctx, "compare with what is desired"), a.Compare, in).Get(ctx, &comparison)
	return comparison, err
}

// compareOrPark compares, and parks on a server that cannot be observed.
func (r *rotation) compareOrPark(ctx workflow.Context, step farm.Step) (activities.Comparison, error) {
	var comparison activities.Comparison
	err := r.orPark(ctx, step, func() (err error) {
		comparison, err = r.compare(ctx, step)
		return err
	})
	return comparison, err
}

// end closes the report and turns an outcome that is none of the good ones
// into a failure that carries it.
func (r *rotation) end(ctx workflow.Context, id string, outcome farm.Outcome, cause error) (RotationResult, error) {
	// The last words must be written even when the rotation was cancelled.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if r.decisions.verdict == farm.Abort {
		outcome, cause = farm.Partial, nil
	}
	report, err := r.progress.close(ctx, outcome, cause, r.decisions.why)
	if err == nil {
		err = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	}
	r.tellKeeper(ctx, id, report)
	switch {
	case err != nil:
		return RotationResult{}, err
	case cause == nil:
		return RotationResult{Report: report, Snapshot: r.snapshot}, nil
	case temporal.IsCanceledError(cause):
		return RotationResult{}, temporal.NewCanceledError(report, r.snapshot)
	case outcome == farm.Refused:
		return RotationResult{}, temporal.NewNonRetryableApplicationError(report.Statement, RefusedError, nil, report, r.snapshot)
	}
	return RotationResult{}, temporal.NewNonRetryableApplicationError(report.Statement, IncompleteError, nil, report, r.snapshot)
}

// tellKeeper tells the keeper how it ended. A keeper that is gone needs no
// telling, and one that misses it asks; so an error only goes to the log.
func (r *rotation) tellKeeper(ctx workflow.Context, id string, report farm.Report) {
	if r.input.Keeper == "" {
		return
	}
	finished := Finished{WorkflowID: id, Rotation: RotationResult{Report: report, Snapshot: r.snapshot}}
	if err := workflow.SignalExternalWorkflow(ctx, r.input.Keeper, "", FinishedSignal, finished).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("keeper was not told", "keeper", r.input.Keeper, "error", err)
	}
}
