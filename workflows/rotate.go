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
// steps. Each step looks before it acts.
//
// It returns a report with outcome [farm.Verified] or [farm.Already]. It fails
// with an application error of type [RefusedError] when a precondition does
// not hold, in which case nothing was changed, or [IncompleteError] when
// retries ran out; the error's details hold the report.
func RotateTrust(ctx workflow.Context, in RotateInput) (farm.Report, error) {
	r, err := newRotation(ctx, in)
	if err != nil {
		return farm.Report{}, err
	}
	outcome, err := r.run(ctx)
	return r.end(ctx, outcome, err)
}

// run is the runbook.
func (r *rotation) run(ctx workflow.Context) (farm.Outcome, error) {
	if err := r.prepare(ctx); err != nil {
		return farm.Refused, err
	}
	if len(r.board.report.Differences) == 0 {
		return farm.Already, nil
	}
	if err := r.do(ctx, Staging, // nothing a user can notice
		r.importCertificate,    // office servers: certificate, key, intermediates
		r.grantKey,             // office servers: NETWORK SERVICE reads the key, and it signs
		r.exportCertificate,    // one office server: the public part, equal to the target
		r.trustRootAuthorities, // SharePoint farms: what is missing of the chain
	); err != nil {
		return farm.Incomplete, err
	}
	if err := r.do(ctx, Switching, // from here data refresh may fail until the restarts
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
	if err := r.board.enter(ctx, phase); err != nil {
		return err
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare chooses the target, observes every server and checks whether the
// rotation may start. It changes nothing.
func (r *rotation) prepare(ctx workflow.Context) error {
	var chosen activities.Chosen
	err := workflow.ExecuteActivity(deciding(ctx, "choose certificate"), a.ChooseTarget, r.farm.Name).Get(ctx, &chosen)
	if err != nil {
		return err
	}
	r.target = chosen.Certificate
	if err := r.board.aim(ctx, r.target); err != nil {
		return err
	}
	if err := r.board.enter(ctx, Observing); err != nil {
		return err
	}
	comparison, err := r.compare(ctx, farm.StepObserve)
	if err != nil {
		return err
	}
	r.baseline = r.observed
	r.target.FriendlyName = comparison.FriendlyName
	comparison.Findings = append(chosen.Findings, comparison.Findings...)
	r.board.found(r.target, comparison)
	if stops := farm.Stops(comparison.Findings); len(stops) > 0 {
		var texts []error
		for _, s := range stops {
			texts = append(texts, fmt.Errorf("%s: %s: %s", s.Server, s.Text, s.Remedy))
		}
		return errors.Join(texts...)
	}
	return nil
}

// verify observes again; the trust is as desired when nothing differs.
func (r *rotation) verify(ctx workflow.Context) (farm.Outcome, error) {
	if err := r.board.enter(ctx, Verifying); err != nil {
		return farm.Incomplete, err
	}
	comparison, err := r.compare(ctx, farm.StepVerify)
	if err != nil {
		return farm.Incomplete, err
	}
	r.board.report.Differences, r.board.report.Findings = comparison.Differences, comparison.Findings
	if n := len(comparison.Differences); n > 0 {
		return farm.Incomplete, fmt.Errorf("%d differences remain, the first on %s: %s", n, comparison.Differences[0].Server, comparison.Differences[0].Text)
	}
	return farm.Verified, nil
}

// compare observes every server and compares.
func (r *rotation) compare(ctx workflow.Context, step farm.Step) (activities.Comparison, error) {
	var comparison activities.Comparison
	if err := r.observe(ctx, step); err != nil {
		return comparison, err
	}
	err := workflow.ExecuteActivity(deciding(ctx, "compare with what is desired"), a.Compare,
		activities.CompareInput{Farm: r.farm, Target: r.target, Observed: r.observed}).Get(ctx, &comparison)
	return comparison, err
}

// end closes the report and turns an outcome that is none of the good ones
// into a failure that carries it.
func (r *rotation) end(ctx workflow.Context, outcome farm.Outcome, cause error) (farm.Report, error) {
	// The last words must be written even when the rotation was cancelled.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	report, err := r.board.close(ctx, outcome, cause)
	switch {
	case err != nil:
		return farm.Report{}, err
	case cause == nil:
		return report, nil
	case temporal.IsCanceledError(cause):
		return farm.Report{}, temporal.NewCanceledError(report)
	case outcome == farm.Refused:
		return farm.Report{}, temporal.NewNonRetryableApplicationError(report.Statement, RefusedError, nil, report)
	}
	return farm.Report{}, temporal.NewNonRetryableApplicationError(report.Statement, IncompleteError, nil, report)
}
