package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// rollBack is the runbook of a rollback: newest change first, certificates last.
// It goes on although the rotation was cancelled.
func (r *rotation) rollBack(ctx workflow.Context) ending {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	r.decisions.beginRollback()
	r.target, r.restartStep, r.replicationStep = r.snapshot.Target, farm.StepRestartAgain, farm.StepReplicationAgain
	if len(r.observed.Office) == 0 {
		// Until the first observation: who is the master, for one.
		r.observed = r.snapshot.Before
		r.noteMasters(r.observed)
	}
	if err := r.showRollback(ctx); err != nil {
		return failedEnding(err)
	}
	if _, err := r.planRollback(ctx, r.input.Intent == farm.Rollback); err != nil {
		if _, refused := errors.AsType[*refusal](err); refused {
			return ending{farm.Refused, err}
		}
		return failedEnding(err)
	}
	if r.input.Intent == farm.Rollback {
		if _, err := r.requestAdmission(ctx); err != nil {
			return ending{farm.Refused, err}
		}
	}
	r.forgetChanges()
	r.restartedAgain = false
	r.postponeStopped()
	if err := r.runPhase(ctx, farm.PhaseRollingBack,
		r.startStoppedMasters,   // without it nothing can be set, and users are better off with what is
		r.restoreIssuers,        // SharePoint farms: previous certificate or none, permissions
		r.restoreHTTPSettings,   // masters: only those configured
		r.restoreS2SCertificate, // masters: previous name or none
		r.restartSharePoint,     // servers that would still use what was rolled back
		r.restartOffice,
		r.recoverPostponed,      // servers whose services do not run: after all others work again
		r.removeRootAuthorities, // SharePoint farms: those that were added
		r.revokeKeys,            // office servers: access that was granted
		r.removeCertificates,    // office servers: last, and only when nothing names them
	); err != nil {
		return failedEnding(err)
	}
	return r.verifyRollback(ctx)
}

// showRollback shows that the run rolls back. One that was cancelled while it waited
// for an operator needs none for that.
func (r *rotation) showRollback(ctx workflow.Context) error {
	if changeCancelledWait.has(ctx) {
		if err := r.progress.setNeedsOperator(ctx, false); err != nil {
			return err
		}
	}
	if err := r.progress.setPhase(ctx, farm.PhaseRollingBack); err != nil {
		return err
	}
	if changeReports.has(ctx) {
		r.sendHint(ctx, false)
	}
	return nil
}

// verifyRollback observes what is still to be rolled back.
func (r *rotation) verifyRollback(ctx workflow.Context) ending {
	for {
		plan, err := r.planRollback(ctx, false)
		if err != nil {
			return failedEnding(err)
		}
		r.progress.setFound(ctx, plan.Reversals, plan.Remaining)
		left := r.withoutSkipped(r.progress.Report.Differences)
		switch {
		case len(left) > 0:
		case len(r.decisions.skipped) > 0:
			r.seenAtEnd = true
			return ending{outcome: farm.Partial}
		default:
			r.progress.Report.Proofs = plan.Proofs
			return ending{outcome: farm.RolledBack}
		}
		cause := fmt.Errorf("%d changes are still to be rolled back, the first: %s", len(left), left[0].Text)
		if err := r.blockAndRestart(ctx, cause, left); err != nil {
			return failedEnding(err)
		}
	}
}

// refusal is why a rollback that was asked for does not begin.
type refusal struct{ error }

// planRollback observes the farm and finds what is to be rolled back. It blocks
// while another administrator's change is in the way, or while the certificate that
// would be restored cannot be used; for the latter it may also refuse.
func (r *rotation) planRollback(ctx workflow.Context, mayRefuse bool) (farm.RollbackPlan, error) {
	var plan farm.RollbackPlan
	err := r.retryOrBlock(ctx, farm.StepPlanRollback, func() (err error) {
		if looked := r.looked; looked != nil {
			plan, r.looked = *looked, nil
		} else if plan, err = r.compareWithSnapshot(ctx); err != nil {
			return err
		}
		if len(plan.Conflicts) > 0 {
			first := plan.Conflicts[0]
			return &serverError{first.Server, fmt.Errorf("%s: %s", first.Text, first.Remedy)}
		}
		if stops := farm.Stops(plan.Remaining); len(stops) > 0 {
			blocked := &serverError{cmp.Or(stops[0].Server, r.masterHost(r.farm.Office)), fmt.Errorf("%s: %s", stops[0].Text, stops[0].Remedy)}
			if mayRefuse {
				return &refusal{fmt.Errorf("%s: %w", blocked.host, blocked.cause)}
			}
			return blocked
		}
		return nil
	})
	return plan, err
}

func (r *rotation) compareWithSnapshot(ctx workflow.Context) (farm.RollbackPlan, error) {
	var plan farm.RollbackPlan
	if err := r.observe(ctx, farm.StepPlanRollback); err != nil {
		return plan, err
	}
	r.noteInUse(ctx)
	if len(r.baseline.Office) == 0 {
		r.baseline = r.baselineOfRollback()
	}
	err := workflow.ExecuteActivity(localOptions(ctx, "plan rollback"), a.PlanRollback,
		activities.PlanRollbackInput{Farm: r.farm, Snapshot: *r.snapshot, Observed: r.observed, Skipped: r.decisions.skipped}).Get(ctx, &plan)
	return plan, err
}

func (r *rotation) restoreIssuers(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		before, _ := r.snapshot.Before.Farm(host)
		for _, issuer := range slices.Backward(farm.Issuers()) {
			was, _ := before.Issuer(issuer.RegisteredName)
			result, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRestoreIssuers}, func() workflow.Future {
				return workflow.ExecuteActivity(changeOptions(ctx, "restore issuer "+issuer.Product+" on "+host), a.RestoreIssuer,
					activities.RestoreIssuerInput{
						TrustIssuerInput: activities.TrustIssuerInput{ServerInput: r.onServer(host), Issuer: issuer.RegisteredName},
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

// settingsBefore returns the settings of an office farm before the rotation.
func (r *rotation) settingsBefore(office farm.Office) farm.OfficeFarm {
	before, _ := r.snapshot.Before.GroupedAs(r.observed).SettingsOf(office.Name)
	return before
}

func (r *rotation) restoreHTTPSettings(ctx workflow.Context) error {
	return r.runOnMasters(ctx, farm.StepRestoreHTTPSettings, farm.Office.HasHTTPSettings, func(office farm.Office, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "restore HTTP settings on master "+host), a.RestoreHTTPSettings,
			activities.RestoreSettingsInput{ServerInput: r.onServer(host), Before: r.settingsBefore(office)})
	})
}

func (r *rotation) restoreS2SCertificate(ctx workflow.Context) error {
	r.snapshot.ClearRefused = nil
	if err := r.runOnMasters(ctx, farm.StepRestoreS2SName, everyOffice, func(office farm.Office, host string) workflow.Future {
		in := activities.RestoreSettingsInput{ServerInput: r.onServer(host), Before: r.settingsBefore(office)}
		in.Unarchive, in.Archive = r.snapshot.VisibleBefore(host)
		return workflow.ExecuteActivity(changeOptions(ctx, "restore S2S certificate on master "+host), a.RestoreS2SCertificate, in)
	}); err != nil {
		return err
	}
	return r.awaitReplicationOn(ctx, r.clearedHosts())
}

// clearedHosts lists the office servers that take part, without those whose office
// farm refused to have no S2S certificate.
func (r *rotation) clearedHosts() []string {
	return slices.DeleteFunc(r.officeHosts(), func(host string) bool { return r.snapshot.WasClearRefused(r.officeOf(host).Name) })
}

func (r *rotation) removeRootAuthorities(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		in := activities.RemoveRootAuthoritiesInput{ServerInput: r.onServer(host)}
		for _, c := range r.snapshot.AddedAuthorities(host) {
			in.Added = append(in.Added, c.Thumbprint)
		}
		_, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRemoveRootAuthority}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "remove root authority on "+host), a.RemoveRootAuthorities, in)
		})
		return err
	})
}

func (r *rotation) revokeKeys(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepRevokeKey, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "revoke key on "+host), a.RevokeKey, r.officeBefore(host))
	})
}

// removeCertificates leaves the certificate where Office Online Server refused
// to have no S2S certificate, and where its settings named this one before.
func (r *rotation) removeCertificates(ctx workflow.Context) error {
	hosts := slices.DeleteFunc(r.clearedHosts(), r.snapshot.NamedTarget)
	return r.runOnHosts(ctx, hosts, farm.StepRemoveCertificate, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "remove certificate on "+host), a.RemoveCertificate, r.officeBefore(host))
	})
}

func (r *rotation) officeBefore(host string) activities.RestoreOfficeInput {
	return activities.RestoreOfficeInput{ServerInput: r.onServer(host), Before: r.snapshot.Before.OfficeServer(host)}
}
