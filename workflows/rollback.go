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

// rollBack goes back: the S2S certificate's name and the issuers first, as a pair,
// certificates last. It goes on although the rotation was cancelled, unless it waits
// for its gates.
func (r *rotation) rollBack(cancellable workflow.Context) ending {
	ctx, cancel := workflow.NewDisconnectedContext(cancellable)
	defer cancel()
	r.decisions.beginRollback()
	r.target, r.restartStep, r.replicationStep = r.snapshot.Target, farm.StepRestartAgain, farm.StepReplicationAgain
	r.progress.noteTarget(r.target)
	if len(r.observed.Office) == 0 {
		// Until the first observation: who is the master, for one.
		r.observed = r.snapshot.Before
		r.noteMasters(r.observed)
	}
	r.tellRollback(ctx)
	if err := r.showRollback(ctx); err != nil {
		return failedEnding(err)
	}
	asked := r.input.Intent.GoesBack()
	plan, err := r.planRollback(ctx, asked)
	if err == nil && r.input.Intent == farm.Undo {
		plan, err = r.passUndoGates(cancellable, plan)
	}
	if _, refused := errors.AsType[*refusal](err); refused {
		return ending{farm.Refused, err}
	} else if err != nil {
		return failedEnding(err)
	}
	if asked {
		if err := r.keepSnapshot(ctx); err != nil {
			return ending{farm.Refused, err}
		}
		r.admitted = true
	}
	r.forgetChanges()
	r.restartedAgain, r.verified = false, false
	if !changeWayBack.has(ctx) {
		return r.restoreInOldOrder(ctx)
	}
	for {
		if err := r.restore(ctx, plan); err != nil {
			return failedEnding(err)
		}
		end, left := r.verifyRollback(ctx)
		if left == nil {
			return end
		}
		plan = *left
	}
}

// restore is the runbook of a way back.
func (r *rotation) restore(ctx workflow.Context, plan farm.RollbackPlan) error {
	steps := []func(workflow.Context) error{
		r.removeRootAuthorities, // SharePoint farms: those that were added
		r.revokeKeys,            // office servers: access that was granted
		r.removeCertificates,    // office servers: last, and only when nothing names them
	}
	if r.unstaging = nil; r.removesStaging(plan) {
		r.unstaging = &plan
	} else { // something that users notice was changed
		r.postponeStopped()
		steps = append([]func(workflow.Context) error{
			r.startStoppedMasters, // without it nothing can be set, and users are better off with what is
			func(ctx workflow.Context) error { return r.restorePair(ctx, plan) },
			r.restartSharePoint, // servers that would still use what was rolled back
			r.restartOffice,
			r.recoverPostponed, // servers whose services do not run: after all others work again
		}, steps...)
	}
	return r.runPhase(ctx, farm.PhaseRollingBack, steps...)
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

// verifyRollback observes what is still to be rolled back, and how the way back ends;
// what is left is to be restored again, nil when it has ended.
func (r *rotation) verifyRollback(ctx workflow.Context) (ending, *farm.RollbackPlan) {
	for {
		plan, err := r.planRollback(ctx, false)
		if err != nil {
			return failedEnding(err), nil
		}
		r.progress.setFound(ctx, plan.Reversals, plan.Remaining)
		left := r.withoutSkipped(r.progress.Report.Differences)
		switch {
		case len(left) > 0:
		case len(r.decisions.skipped) > 0:
			r.seenAtEnd = true
			return ending{outcome: farm.Partial}, nil
		default:
			r.progress.Report.Proofs = plan.Proofs
			return ending{outcome: farm.RolledBack}, nil
		}
		cause := fmt.Errorf("%d changes are still to be rolled back, the first: %s", len(left), left[0].Text)
		if err := r.blockAndRestart(ctx, cause, left); err != nil {
			return failedEnding(err), nil
		}
		if changeWayBack.has(ctx) && slices.ContainsFunc(left, func(d farm.Difference) bool { return d.Step != r.restartStep }) {
			return ending{}, &plan
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
		activities.PlanRollbackInput{Farm: r.farm, Snapshot: r.restored(ctx), Observed: r.observed, Skipped: r.decisions.skipped}).Get(ctx, &plan)
	return plan, err
}

// restored is the snapshot as it is restored.
func (r *rotation) restored(ctx workflow.Context) farm.Snapshot {
	s := *r.snapshot
	s.Staged = r.onlyStaged() && changeWayBack.has(ctx)
	return s
}

func (r *rotation) restoreIssuers(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, r.restoreIssuersOf)
}

func (r *rotation) restoreIssuersOf(ctx workflow.Context, host string) error {
	before := r.snapshot.SharePointBefore(host)
	for _, issuer := range slices.Backward(farm.Issuers()) {
		result, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRestoreIssuers}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "restore issuer "+issuer.Product+" on "+host), a.RestoreIssuer,
				activities.RestoreIssuerInput{
					TrustIssuerInput: activities.TrustIssuerInput{ServerInput: r.onServer(host), Issuer: issuer.RegisteredName}, Before: before,
				})
		})
		if err != nil {
			return err
		}
		r.noteTrustChange(host, result)
	}
	return nil
}

// settingsBefore returns what is restored of an office server's settings.
func (r *rotation) settingsBefore(host string) activities.SettingsBefore {
	return activities.SettingsBefore{Farm: r.snapshot.SettingsPart(r.officeOf(host), host), Server: r.snapshot.OfficeBefore(host)}
}

func (r *rotation) restoreHTTPSettings(ctx workflow.Context) error {
	return r.runOnMasters(ctx, farm.StepRestoreHTTPSettings, farm.Office.HasHTTPSettings, func(_ farm.Office, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "restore HTTP settings on master "+host), a.RestoreHTTPSettings,
			activities.RestoreSettingsInput{ServerInput: r.onServer(host), Before: r.settingsBefore(host)})
	})
}

func (r *rotation) restoreS2SCertificate(ctx workflow.Context) error {
	r.snapshot.ClearRefused = nil
	if err := r.runOnMasters(ctx, farm.StepRestoreS2SName, everyOffice, func(_ farm.Office, host string) workflow.Future {
		in := activities.RestoreSettingsInput{ServerInput: r.onServer(host), Before: r.settingsBefore(host)}
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

// isToUnstage reports whether a step that removes what was staged is to run on a server:
// where nothing else was done, only if the plan has it, since what someone else uses by
// now stays.
func (r *rotation) isToUnstage(step farm.Step, host string) bool {
	return r.unstaging == nil || r.unstaging.Has(step, host)
}

func (r *rotation) removeRootAuthorities(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		if !r.isToUnstage(farm.StepRemoveRootAuthority, host) {
			return nil
		}
		in := activities.RemoveRootAuthoritiesInput{ServerInput: r.onServer(host), Before: r.snapshot.SharePointBefore(host)}
		_, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRemoveRootAuthority}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "remove root authority on "+host), a.RemoveRootAuthorities, in)
		})
		return err
	})
}

func (r *rotation) revokeKeys(ctx workflow.Context) error {
	hosts := slices.DeleteFunc(r.officeHosts(), func(host string) bool { return !r.isToUnstage(farm.StepRevokeKey, host) })
	return r.runOnHosts(ctx, hosts, farm.StepRevokeKey, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "revoke key on "+host), a.RevokeKey, r.officeBefore(host))
	})
}

// removeCertificates leaves the certificate where Office Online Server refused
// to have no S2S certificate, and where its settings named this one before.
func (r *rotation) removeCertificates(ctx workflow.Context) error {
	hosts := slices.DeleteFunc(r.clearedHosts(), func(host string) bool {
		return r.snapshot.NamedTarget(host) || !r.isToUnstage(farm.StepRemoveCertificate, host)
	})
	return r.runOnHosts(ctx, hosts, farm.StepRemoveCertificate, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "remove certificate on "+host), a.RemoveCertificate, r.officeBefore(host))
	})
}

func (r *rotation) officeBefore(host string) activities.RestoreOfficeInput {
	return activities.RestoreOfficeInput{ServerInput: r.onServer(host), Before: r.snapshot.OfficeBefore(host)}
}
