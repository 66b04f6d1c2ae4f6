package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// stepFailure is the failure of a step that does not block by itself.
type stepFailure struct{ failedStep }

func (f *stepFailure) Error() string {
	return fmt.Sprintf("%s on %s: %s", f.step, f.host, Explain(f.cause))
}

// restorePair restores what must go back together or not at all: the settings of the
// office farms, above all the S2S certificate's name, and the issuers of the SharePoint
// farms. The name comes first: no office server signs with another certificate before
// it is restarted, so as long as the issuers are as they were, nothing is lost by it.
//
// Where a step fails and everything was in use together before, what has gone back is
// set forward again before anyone is asked.
func (r *rotation) restorePair(ctx workflow.Context, plan farm.RollbackPlan) error {
	inUse := r.observed.IsInUse(r.target)
	for {
		err := r.tryToRestorePair(ctx, plan)
		failed, ok := errors.AsType[*stepFailure](err)
		if !ok {
			return err
		}
		if inUse {
			failed.cause = r.setForwardAgain(ctx, failed.cause)
		}
		if err := r.blockUnlessResolved(ctx, failed.failedStep); err != nil {
			return err
		}
		if err := r.getReady(ctx, failed.failedStep); err != nil {
			return err
		}
	}
}

// getReady starts what has stopped on the office server on which a step is tried again.
func (r *rotation) getReady(ctx workflow.Context, failed failedStep) error {
	office, ok := r.farm.OfficeOf(failed.host)
	switch {
	case !ok || r.decisions.isSkipped(failed.host):
		return nil
	case failed.step == r.replicationStep:
		return r.startServices(ctx, failed.host)
	}
	return r.startMaster(ctx, office)
}

// tryToRestorePair restores the pair, and returns the first [stepFailure].
func (r *rotation) tryToRestorePair(ctx workflow.Context, plan farm.RollbackPlan) error {
	r.tries = true
	defer func() { r.tries = false }()
	if plan.Has(farm.StepRestoreHTTPSettings, "") {
		if err := r.restoreHTTPSettings(ctx); err != nil {
			return err
		}
	}
	if err := r.restoreS2SCertificate(ctx); err != nil {
		return err
	}
	return r.restoreIssuers(ctx)
}

// setForwardAgain sets what has gone back of a pair to the target again, and returns
// the cause with what came of it.
func (r *rotation) setForwardAgain(ctx workflow.Context, cause error) error {
	r.tries, r.forward = true, true
	defer func() { r.tries, r.forward = false, false }()
	step, replication := r.replicationStep, farm.StepReplication
	r.replicationStep = replication
	defer func() { r.replicationStep = step }()
	err := errors.Join(r.trustIssuers(ctx), r.setS2SCertificate(ctx))
	if err == nil {
		err = r.awaitReplication(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s; what had gone back was to be set forward again, and that failed too: %s", Explain(cause), Explain(err))
	}
	return fmt.Errorf("%s; what had gone back was set forward again, so that the name and the issuers agree", Explain(cause))
}

// isGoingBack reports whether what the run sets is what was there before.
func (r *rotation) isGoingBack() bool { return r.progress.Phase == farm.PhaseRollingBack && !r.forward }

// goForwardAgain carries a rotation out after all, from which an operator had asked to
// go back, or the farm's policy.
func (r *rotation) goForwardAgain(ctx workflow.Context) ending {
	if ctx.Err() != nil { // the cancellation is why it went back, and is overruled
		disconnected, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		ctx, r.cancelSteps = disconnected, cancel
	}
	r.decisions.endRollback()
	r.target, r.restartStep, r.replicationStep = r.snapshot.Target, farm.StepRestart, farm.StepReplication
	r.postponed, r.restartedAgain, r.looked, r.found = nil, false, nil, nil
	if err := r.progress.setPhase(ctx, farm.PhaseObserving); err != nil {
		return failedEnding(err)
	}
	if err := r.retryOrBlock(ctx, farm.StepRecheck, func() error { return r.observe(ctx, farm.StepRecheck) }); err != nil {
		return failedEnding(err)
	}
	if err := r.stageAll(ctx); err != nil {
		return failedEnding(err)
	}
	return r.cutOver(ctx)
}
