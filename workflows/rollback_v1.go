package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// restoreInOldOrder is the runbook of a way back that began before [changeWayBack]: each
// step blocks by itself.
func (r *rotation) restoreInOldOrder(ctx workflow.Context) ending {
	r.postponeStopped()
	if err := r.runPhase(ctx, farm.PhaseRollingBack,
		r.startStoppedMasters,
		r.restoreIssuers,
		r.restoreHTTPSettings,
		r.restoreS2SCertificate,
		r.restartSharePoint,
		r.restartOffice,
		r.recoverPostponed,
		r.removeRootAuthorities,
		r.revokeKeys,
		r.removeCertificates,
	); err != nil {
		return failedEnding(err)
	}
	end, _ := r.verifyRollback(ctx)
	return end
}
