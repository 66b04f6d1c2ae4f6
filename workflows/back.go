package workflows

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// goesBack says whether a rotation that ended so is to be undone: a person,
// the farm's policy or a cancellation asked for it, there is something to put
// back, and the way back is not closed.
//
// One that was cancelled before it opened its journal has changed nothing: the
// snapshot that it was given may be that of another rotation, which is complete.
func (r *rotation) goesBack(ctx workflow.Context, cause error) bool {
	asked := r.input.Intent == farm.Rollback || r.decisions.verdict == farm.RollBack || temporal.IsCanceledError(cause)
	if asked && r.snapshot == nil && r.input.Snapshot != nil && !since(ctx, opensJournal) {
		r.snapshot = r.input.Snapshot
	}
	return asked && r.snapshot != nil && r.decisions.noWayBack == ""
}

// back is the runbook of the way back: newest change first, certificates last.
// It runs on although the rotation was cancelled.
func (r *rotation) back(ctx workflow.Context) (farm.Outcome, error) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.decisions.turnBack()
	r.target, r.restart = r.snapshot.Target, farm.StepRestartAgain
	if len(r.observed.Office) == 0 {
		// Until the first look: who is the master, for one.
		r.observed = r.snapshot.Before
	}
	if err := r.progress.enter(ctx, RollingBack); err != nil {
		return farm.Incomplete, err
	}
	if _, err := r.findWayBack(ctx); err != nil {
		return farm.Incomplete, err
	}
	r.trustChanged, r.settingsChanged = map[string]time.Time{}, time.Time{}
	if err := r.do(ctx, RollingBack,
		r.putIssuersBack,        // SharePoint farms: previous certificate or none, permissions
		r.putSwitchesBack,       // master: only those configured
		r.putS2SCertificateBack, // master: previous name or none
		r.restartSharePoint,     // servers that would still use what was put back
		r.restartOffice,
		r.removeRootAuthorities, // SharePoint farms: those that were added
		r.revokeKeys,            // office servers: access that was given
		r.removeCertificates,    // office servers: last, and only when nothing names them
	); err != nil {
		return farm.Incomplete, err
	}
	return r.verifyBack(ctx)
}

// verifyBack looks for what is still to be undone.
func (r *rotation) verifyBack(ctx workflow.Context) (farm.Outcome, error) {
	for {
		way, err := r.findWayBack(ctx)
		if err != nil {
			return farm.Incomplete, err
		}
		r.progress.report.Differences, r.progress.report.Findings = r.notKept(way)
		left := r.notSkipped(r.progress.report.Differences)
		switch {
		case len(left) > 0:
		case len(r.decisions.skipped) > 0:
			return farm.Partial, nil
		default:
			return farm.RolledBack, nil
		}
		cause := fmt.Errorf("%d changes are still to be undone, the first: %s", len(left), left[0].Text)
		if choice, err := r.park(ctx, left[0].Server, farm.StepVerify, cause); err != nil || !goesOn(choice) {
			return farm.Incomplete, errors.Join(err, errDecided)
		}
	}
}

// findWayBack observes the farm and finds what is to be undone. It parks while
// somebody else's change is in the way.
func (r *rotation) findWayBack(ctx workflow.Context) (farm.RollbackPlan, error) {
	var way farm.RollbackPlan
	err := r.orPark(ctx, farm.StepPlanRollback, func() (err error) {
		if way, err = r.lookBack(ctx); err != nil {
			return err
		}
		if len(way.Conflicts) > 0 {
			first := way.Conflicts[0]
			return &serverError{first.Server, fmt.Errorf("%s: %s", first.Text, first.Remedy)}
		}
		if stops := farm.Stops(way.Remaining); len(stops) > 0 {
			return &serverError{r.farm.Office.Servers[0].Host, fmt.Errorf("%s: %s", stops[0].Text, stops[0].Remedy)}
		}
		return nil
	})
	return way, err
}

func (r *rotation) lookBack(ctx workflow.Context) (farm.RollbackPlan, error) {
	var way farm.RollbackPlan
	if err := r.observe(ctx, farm.StepPlanRollback); err != nil {
		return way, err
	}
	if len(r.baseline.Office) == 0 {
		// An undo of a finished rotation has no look of its own before it.
		r.baseline = r.observed
	}
	err := workflow.ExecuteActivity(deciding(ctx, "find the way back"), a.PlanRollback,
		activities.PlanRollbackInput{Farm: r.farm, Snapshot: *r.snapshot, Observed: r.observed}).Get(ctx, &way)
	return way, err
}

func (r *rotation) putIssuersBack(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		before, _ := r.snapshot.Before.Farm(host)
		issuers := farm.Issuers()
		for _, issuer := range slices.Backward(issuers) {
			was, _ := before.Issuer(issuer.RegisteredName)
			result, err := r.step(ctx, farm.StepRestoreIssuers, host, func() workflow.Future {
				return workflow.ExecuteActivity(changing(ctx, "put issuer "+issuer.Product+" back on "+host), a.RestoreIssuer,
					activities.RestoreIssuerInput{
						TrustIssuerInput: activities.TrustIssuerInput{ServerInput: r.on(host), Issuer: issuer.RegisteredName},
						Before:           was, Permissions: before.Permissions,
					})
			})
			if err != nil {
				return err
			}
			r.noteTrustChange(host, result)
		}
		return nil
	})
}

func (r *rotation) settingsBefore(host string) activities.RestoreSettingsInput {
	before, _ := r.snapshot.Before.Master()
	return activities.RestoreSettingsInput{ServerInput: r.on(host), Before: before.Settings}
}

func (r *rotation) putSwitchesBack(ctx workflow.Context) error {
	if r.farm.Office.AllowOutboundHTTP == nil && r.farm.Office.AllowHTTPSecureStoreConnections == nil {
		return nil
	}
	_, err := r.onMaster(ctx, farm.StepRestoreHTTPSettings, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "put HTTP switches back on master "+host), a.RestoreHTTPSettings, r.settingsBefore(host))
	})
	return err
}

func (r *rotation) putS2SCertificateBack(ctx workflow.Context) error {
	result, err := r.onMaster(ctx, farm.StepRestoreS2SName, func(host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "put S2S certificate back on master "+host), a.RestoreS2SCertificate, r.settingsBefore(host))
	})
	r.nameKept = result.ClearRefused
	if err != nil || result.ClearRefused {
		return err
	}
	before, _ := r.snapshot.Before.Master()
	return r.awaitName(ctx, before.Settings.S2SCertificateName)
}

func (r *rotation) removeRootAuthorities(ctx workflow.Context) error {
	return each(ctx, frontEnds(r.farm), r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		in := activities.RemoveRootAuthoritiesInput{ServerInput: r.on(host)}
		for _, c := range r.snapshot.AddedAuthorities(host) {
			in.Added = append(in.Added, c.Thumbprint)
		}
		_, err := r.step(ctx, farm.StepRemoveRootAuthority, host, func() workflow.Future {
			return workflow.ExecuteActivity(changing(ctx, "remove root authority on "+host), a.RemoveRootAuthorities, in)
		})
		return err
	})
}

func (r *rotation) revokeKeys(ctx workflow.Context) error {
	return r.eachOffice(ctx, farm.StepRevokeKey, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "revoke key on "+host), a.RevokeKey, r.officeBefore(host))
	})
}

// removeCertificates leaves the certificate where Office Online Server refused
// to have no S2S certificate: it still names this one.
func (r *rotation) removeCertificates(ctx workflow.Context) error {
	if r.nameKept {
		return nil
	}
	return r.eachOffice(ctx, farm.StepRemoveCertificate, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changing(ctx, "remove certificate on "+host), a.RemoveCertificate, r.officeBefore(host))
	})
}

func (r *rotation) officeBefore(host string) activities.RestoreOfficeInput {
	return activities.RestoreOfficeInput{ServerInput: r.on(host), Before: officeServer(r.snapshot.Before, host)}
}

// notKept tells what is still to be undone from what stays: where Office
// Online Server refused to have no S2S name, that and the certificates named.
func (r *rotation) notKept(way farm.RollbackPlan) ([]farm.Difference, []farm.Finding) {
	if !r.nameKept {
		return way.Reversals, way.Remaining
	}
	reversals := slices.DeleteFunc(way.Reversals, func(d farm.Difference) bool {
		return d.Step == farm.StepRestoreS2SName || d.Step == farm.StepRemoveCertificate
	})
	master, _ := r.observed.Master()
	return reversals, append(way.Remaining, farm.Finding{
		Code: "s2s-name-stays", Severity: farm.Warn, Server: master.Machine.Host,
		Text:   fmt.Sprintf("S2SCertificateName stays %q, and with it that certificate on every office server: Office Online Server refuses to have none", r.target.FriendlyName),
		Remedy: "set another certificate's name and undo again, if it must go",
	})
}
