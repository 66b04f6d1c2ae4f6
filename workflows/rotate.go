package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// RotateTrust makes the farm's trust as it should be: it sets it up from
// nothing, renews it, or finishes what an earlier rotation left, by the same
// steps; or, when asked to, it rolls a rotation back. Each step looks before it
// acts.
//
// It completes with outcome [farm.Verified], [farm.NoChange], [farm.RolledBack]
// or [farm.Partial]. It fails with an application error of type [RefusedError]
// when a precondition does not hold, in which case nothing was changed, and of
// type [IncompleteError] when it could not be steered to one of those ends; the
// error's details hold the [farm.RotationResult]. Cancelled, it rolls back what
// it changed and ends as cancelled, with the result in the details; cancelled by a
// decision, it does so too and completes.
func RotateTrust(ctx workflow.Context, in RotateInput) (farm.RotationResult, error) {
	r, err := newRotation(ctx, in)
	if err != nil {
		return farm.RotationResult{}, err
	}
	begin := r.goForward
	if in.Intent.GoesBack() {
		begin = r.rollBack
	}
	return r.finish(ctx, r.settle(r.steps, begin(r.steps)))
}

// rotation is the state of one rotation or rollback.
type rotation struct {
	*operation

	input RotateInput
	// baseline is what was observed before the first change.
	baseline farm.Observed
	// planned are the differences that were found then, and snapshot the state;
	// nil until it is taken. A rollback is given it.
	planned  []farm.Difference
	snapshot *farm.Snapshot
	// inherited reports whether the snapshot is that of an earlier rotation, which may
	// have changed what this one did not, and staged whether that had only staged.
	inherited, staged bool
	// wasReset reports whether Temporal has made this run of another one, which may have
	// changed more than the history tells.
	wasReset bool
	// admitted reports whether this run may have changed anything.
	admitted bool
	// opening is the maintenance window in which the cutover must start; zero
	// without one.
	opening farm.Opening
	// openingLocal is its beginning on the clocks of the window's zone.
	openingLocal string
	// noWayBack says why a rollback could not restore what was in use when the farm
	// was observed before the cutover; empty when it could.
	noWayBack string
	// found is the farm as it was observed last, if that was all of it and
	// nothing was changed since.
	found *farm.Inspection
	// seenAtEnd reports whether the farm was observed after the last change.
	seenAtEnd bool
	// unstaging is the plan of a way back that only removes what was staged; nil for any
	// other.
	unstaging *farm.RollbackPlan
	// verified reports whether the farm was verified, apart from servers left out.
	verified bool
	// restartedAgain reports whether the verification has had restarts made.
	restartedAgain bool
	// postponed are the servers that the rollback leaves for later: a service of theirs
	// does not run.
	postponed []string
	// trustChangedAt is when this run last changed the trust of each SharePoint
	// farm, by front end; settingsChangedAt the same for the office farms, by name.
	// Zero while it has changed nothing. settingsArrivedAt is when an office server
	// was seen to have what this run changed, by host.
	trustChangedAt    map[string]time.Time
	settingsChangedAt map[string]time.Time
	settingsArrivedAt map[string]time.Time
	// forward reports whether a way back that is stuck sets forward again what had gone
	// back.
	forward bool
	// cuttingOver reports whether the cutover has begun, and looked is how a rollback was
	// found to be possible, until that begins; nil without a look.
	cuttingOver bool
	looked      *farm.RollbackPlan
	// restartStep and replicationStep are the names of the steps that a rollback
	// repeats.
	restartStep, replicationStep farm.Step
}

func newRotation(ctx workflow.Context, in RotateInput) (*rotation, error) {
	if err := requireID(ctx, RotateID(in.Farm), in.Farm); err != nil {
		return nil, err
	}
	attempts := int32(localAttempts)
	if in.Configured {
		attempts = rebootAttempts
	}
	o, err := newOperation(ctx, in.Farm, in.Reason, in.Intent, attempts)
	if err != nil {
		return nil, err
	}
	r := &rotation{operation: o, input: in, wasReset: wasReset(ctx), restartStep: farm.StepRestart, replicationStep: farm.StepReplication}
	r.asked = in.Asked
	r.decisions.accepted, r.decisions.postponable, r.decisions.gated = in.Accepted, !in.Intent.GoesBack(), !in.Intent.GoesBack()
	r.inUse, r.previousEnds, r.expired = r.findInUse, r.previousEnd, r.previousExpired
	r.progress.CutoverMS = r.farm.CutoverEstimate().Milliseconds()
	r.optionsOf = r.options
	r.changesUse, r.goesBack, r.doubtRefresh = r.changesWhatUsersNotice, r.isGoingBack, r.lookAtRefresh
	r.forgetChanges()
	switch in.Intent {
	case farm.Rollback, farm.Undo:
		if in.Snapshot == nil {
			return nil, temporal.NewNonRetryableApplicationError(string(in.Intent)+": there is no snapshot to restore", RefusedError, nil)
		}
		r.inheritFrom(in.Snapshot)
	case farm.ReplaceCompromised:
		r.decisions.rollbackBlocked = blockedByCompromise
	}
	return r, workflow.SetQueryHandler(ctx, SnapshotQuery, func() (*farm.Snapshot, error) { return r.snapshot, nil })
}

// goForward is the runbook.
func (r *rotation) goForward(ctx workflow.Context) ending {
	if err := r.leaveOut(ctx); err != nil {
		return ending{farm.Refused, err}
	}
	if err := r.prepare(ctx); err != nil {
		return ending{farm.Refused, err}
	}
	if len(r.planned) == 0 {
		return r.endUnchanged()
	}
	r.progress.Report.Proofs = nil
	if err := r.handOver(ctx); err != nil {
		return ending{farm.Refused, err}
	}
	return r.proceed(ctx)
}

// proceed does what is left of the runbook once there is a snapshot.
func (r *rotation) proceed(ctx workflow.Context) ending {
	if !r.cuttingOver {
		if err := r.stage(ctx); err != nil {
			return failedEnding(err)
		}
	}
	return r.cutOver(ctx)
}

// stage is the runbook up to the cutover.
func (r *rotation) stage(ctx workflow.Context) error {
	if err := r.stageAll(ctx); err != nil {
		return err
	}
	return r.runPhase(ctx, farm.PhaseWaiting,
		r.awaitApproval, // of exactly these differences, where configured
		r.awaitWindow,   // where configured
		r.recheck,       // the farm is the snapshot and what was staged, or nothing is cut over
	)
}

// stageAll makes the certificate available, which nobody notices.
func (r *rotation) stageAll(ctx workflow.Context) error {
	return r.runPhase(ctx, farm.PhaseStaging,
		r.importCertificate,    // office servers: certificate, key, intermediates
		r.grantKey,             // office servers: NETWORK SERVICE reads the key, and it signs
		r.exportCertificate,    // masters: the public part, equal to the target
		r.trustRootAuthorities, // SharePoint farms: what is missing of the chain
	)
}

// cutOver is the runbook from the cutover on. Where it was done in part before, it
// does the rest.
func (r *rotation) cutOver(ctx workflow.Context) ending {
	if err := r.permitCutover(ctx); err != nil { // by the worker's own configuration
		return failedEnding(err)
	}
	r.cuttingOver, r.snapshot.Staged, r.decisions.noWayBack = true, false, r.noWayBack // until here there was only staging to roll back
	if err := r.runPhase(ctx, farm.PhaseCutover,                                       // from here data refresh may fail until the restarts
		r.setS2SCertificate, // masters: Set-OfficeWebAppsFarm -S2SCertificateName
		r.awaitReplication,  // office servers: each has the new setting
		r.setHTTPSettings,   // masters: only those configured
		r.trustIssuers,      // SharePoint farms: twice, once for each registered issuer
	); err != nil {
		return failedEnding(err)
	}
	if err := r.runPhase(ctx, farm.PhaseRestarting, // once for all settings
		r.restartSharePoint, // SharePoint servers: IIS, SPTimerV4
		r.restartOffice,     // office servers: WACSM, IIS; a canary first, the master last
	); err != nil {
		return failedEnding(err)
	}
	return r.verify(ctx)
}

// prepare chooses the target, observes every server, checks whether the
// rotation may start and takes the snapshot. It changes nothing.
func (r *rotation) prepare(ctx workflow.Context) error {
	var choice activities.TargetChoice
	err := workflow.ExecuteActivity(localOptions(ctx, "choose certificate"), a.ChooseTarget, r.farm.Name).Get(ctx, &choice)
	if err != nil {
		return err
	}
	r.target = choice.Certificate
	if err := r.progress.setTarget(ctx, r.target); err != nil {
		return err
	}
	if err := r.progress.setPhase(ctx, farm.PhaseObserving); err != nil {
		return err
	}
	if err := r.observeFirst(ctx); err != nil {
		return err
	}
	comparison, err := r.compare(ctx, r.input.Snapshot)
	if err != nil {
		return err
	}
	if changeReplacement.has(ctx) && r.newestIsCompromised(comparison.Previous) {
		if choice, comparison, err = r.replaceTarget(ctx, comparison.Previous.Thumbprint); err != nil {
			return err
		}
	}
	r.baseline = r.observed
	r.target.FriendlyName = comparison.FriendlyName
	r.planned = comparison.Differences
	r.progress.Report.Proofs = comparison.Proofs
	comparison.Findings = append(choice.Findings, comparison.Findings...)
	r.progress.setPlan(ctx, r.target, comparison)
	if comparison.NotAccepted != "" {
		return errors.New(comparison.NotAccepted)
	}
	if stops := farm.Stops(comparison.Findings); len(stops) > 0 {
		return stoppedBy(stops)
	}
	r.takeSnapshot(ctx, comparison.Previous)
	return r.judgeSnapshot(comparison)
}

// maxInspectionAge is how old the inspection that caused a rotation may be when
// the rotation begins from it: they follow each other at once, unless no worker
// ran in between.
const maxInspectionAge = 10 * time.Minute

// observeFirst takes the observation of the inspection that caused the rotation,
// and observes every server where there is none that is recent and about the
// same farm and certificate.
func (r *rotation) observeFirst(ctx workflow.Context) error {
	n := r.input.Inspection
	if n == nil || len(r.farm.LeftOut) > 0 || n.Farm != r.farm.Name || n.Target.Thumbprint != r.target.Thumbprint ||
		!n.Observed.Covers(r.farm) || workflow.Now(ctx).Sub(n.At) > maxInspectionAge {
		return r.observe(ctx, farm.StepObserve)
	}
	r.observed = n.Observed
	r.noteMasters(r.observed)
	for _, host := range append(r.farm.OfficeHosts(), r.farm.SharePointHosts()...) {
		r.progress.startStep(ctx, host, farm.StepObserve)
		r.progress.finishObservation(ctx, host, farm.StepObserve, nil)
	}
	return nil
}

// compare compares what was observed last with what is desired. The snapshot is
// that of an earlier rotation, if whether it can be rolled back is of interest.
func (r *rotation) compare(ctx workflow.Context, snapshot *farm.Snapshot) (activities.Comparison, error) {
	var c activities.Comparison
	in := activities.CompareInput{Farm: r.farm, Target: r.target, Observed: r.observed, Snapshot: snapshot, Accepted: r.decisions.accepted}
	if err := workflow.ExecuteActivity(localOptions(ctx, "compare with what is desired"), a.Compare, in).Get(ctx, &c); err != nil {
		return c, err
	}
	r.progress.setInUse(ctx, c.Previous)
	r.progress.noteVersion(c.Version)
	r.found = &farm.Inspection{
		Farm: r.farm.Name, At: workflow.Now(ctx), Config: r.farm, Target: r.target,
		// What was accepted was accepted for this rotation.
		Current: c.Previous, Certificates: c.Certificates, Plan: c.Differences, Findings: farm.WithoutAcceptances(c.Findings),
	}
	return c, nil
}

// observeAndCompare observes and compares, and blocks on a server that cannot be
// observed.
func (r *rotation) observeAndCompare(ctx workflow.Context, step farm.Step) (activities.Comparison, error) {
	var comparison activities.Comparison
	err := r.retryOrBlock(ctx, step, func() (err error) {
		if err = r.observe(ctx, step); err == nil {
			comparison, err = r.compare(ctx, r.snapshot)
		}
		return err
	})
	return comparison, err
}
