package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// RetireCertificate deletes an old certificate after its retention. It refuses
// while anything names the certificate, archives it first, and deletes it and
// its key only after an operator approved. A self-signed certificate's root
// authority that farmtrust added is removed with it; authorities of others stay.
// Cancelled before that, it unarchives the certificate.
//
// After archiving it waits for an operator. Where none approves in time, it unarchives
// the certificate and ends as [farm.Partial]; else it ends as [RotateTrust] does.
func RetireCertificate(ctx workflow.Context, in RetireInput) (farm.RotationResult, error) {
	if err := requireID(ctx, RetireID(in.Farm), in.Farm); err != nil {
		return farm.RotationResult{}, err
	}
	o, err := newOperation(ctx, in.Farm, in.Reason, farm.Renew, rebootAttempts)
	if err != nil {
		return farm.RotationResult{}, err
	}
	o.decisions.rollbackBlocked = blockedForRetirement
	o.target = activities.RetiredCertificate(in.Old)
	if err := workflow.SetQueryHandler(ctx, SnapshotQuery, func() (*farm.Snapshot, error) { return nil, nil }); err != nil {
		return farm.RotationResult{}, err
	}
	o.progress.Report.InUse = in.InUse
	r := &retirement{operation: o, old: in.Old, archived: map[string]bool{}, wildcard: in.Old.Wildcard, notes: map[string][]string{}, ownRoots: map[string]bool{}}
	o.optionsOf = r.options
	end := r.run(r.steps)
	if end.outcome == farm.Incomplete && !isNotAdmitted(end.cause) {
		r.unarchive(ctx)
	}
	end = r.resolvedEnding(end)
	statement, result := retirementStatement(end, r.progress.Report), farm.RotationResult{}
	if r.decisions.cancelled && temporal.IsCanceledError(end.cause) {
		end, statement = ending{outcome: farm.Partial}, statement+": "+r.decisions.resolution.why
		result.Cancelled = true
	}
	if r.decisions.notApproved && errors.Is(end.cause, errResolved) {
		end = ending{outcome: farm.Partial}
		statement = r.decisions.resolution.why + ": the old certificate is unarchived, and kept for another retention"
		result.NotApproved = true
	}
	return r.close(ctx, end, statement, result)
}

// retirement deletes the operation's target, which is the old certificate.
type retirement struct {
	*operation

	// old is the certificate as the controller has it.
	old farm.StoreCertificate
	// archived reports which office servers had it archived before, as those have
	// where its successor has its subject.
	archived map[string]bool
	// wildcard reports whether the certificate names more than one host by a "*".
	wildcard bool
	// notes are what an operator should know before the deletion, by server, and ownRoots
	// reports on which front ends a root authority is deleted with the certificate.
	notes    map[string][]string
	ownRoots map[string]bool
}

// run is the runbook.
func (r *retirement) run(ctx workflow.Context) ending {
	if err := r.progress.setTarget(ctx, r.target); err != nil {
		return failedEnding(err)
	}
	if err := r.runPhase(ctx, farm.PhaseObserving,
		r.checkFirst, // S2S name, CertificateName, http.sys, WinRM, Remote Desktop, issuers
		r.awaitAdmission,
	); err != nil {
		return ending{farm.Refused, err}
	}
	if err := r.runPhase(ctx, farm.PhaseRetiring,
		r.archive,         // office servers: archived, nothing finds it any more
		r.approveDeletion, // always by an operator
		r.approveWildcard, // by an operator again: others may use it
		r.awaitUnused,     // days may have passed
		r.permitDeletion,  // by the worker's own configuration, and what it sees itself
		r.delete,          // office servers: certificate and key
		r.removeOwnRoot,   // SharePoint farms: the self-signed one that we added
		r.destroyKey,      // the worker's own copy, where its source has made it
	); err != nil {
		return failedEnding(err)
	}
	if len(r.decisions.skipped) > 0 {
		return ending{outcome: farm.Partial}
	}
	r.progress.Report.Proofs = farm.ProveUnused(r.farm)
	return ending{outcome: farm.Verified}
}

// awaitAdmission waits for the controller's word and the worker's mandate to archive the
// certificate.
func (r *retirement) awaitAdmission(ctx workflow.Context) error {
	if !changeMandate.has(ctx) {
		_, err := r.requestAdmission(ctx, activities.KeepSnapshotInput{Farm: r.farm.Name, Target: r.target.Thumbprint})
		return err
	}
	return r.askController(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(ctx, a.AdmitRetirement, activities.AdmitRetirementInput{Farm: r.farm.Name, Old: r.old})
	}, &r.mandate)
}

// permitDeletion takes the worker's mandate to delete the certificate.
func (r *retirement) permitDeletion(ctx workflow.Context) error {
	for changeMandate.has(ctx) {
		in := activities.PermitDeletionInput{Farm: r.farm.Name, Old: r.target, Mandate: r.mandate, Approval: r.decisions.approval.given, By: r.decisions.approval.authorization, Skipped: r.decisions.skipped}
		err := workflow.ExecuteActivity(inspectOptions(ctx, "permit the deletion"), a.PermitDeletion, in).Get(ctx, &r.mandate)
		if err == nil || endsRun(err) {
			return err
		}
		if err := r.blockUnlessResolved(ctx, failedStep{host: r.farm.OfficeHosts()[0], step: farm.StepFindUse, cause: err}); err != nil {
			return err
		}
	}
	return nil
}

// unarchive leaves the certificate as it was where the retirement was cancelled. It
// goes on although the retirement was cancelled; where it fails, the report says so.
func (r *retirement) unarchive(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	hosts := slices.DeleteFunc(r.officeHosts(), func(host string) bool { return r.archived[host] })
	if err := forEach(ctx, hosts, r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		var result activities.StepResult
		r.progress.startStep(ctx, host, farm.StepUnarchive)
		err := workflow.ExecuteActivity(changeOptions(ctx, "unarchive old certificate on "+host), a.UnarchiveCertificate, r.oldOn(host)).Get(ctx, &result)
		r.progress.finishStep(ctx, host, farm.StepUnarchive, result, err)
		return err
	}); err != nil {
		workflow.GetLogger(ctx).Warn("the old certificate stays archived on a server", "error", err)
	}
}

func (r *retirement) oldOn(host string) activities.OldCertificateInput {
	return activities.OldCertificateInput{Farm: r.farm.Name, Host: host, Old: r.target, Mandate: r.mandate}
}

// checkFirst checks that nothing uses the certificate, and notes where it is
// archived already.
func (r *retirement) checkFirst(ctx workflow.Context) error {
	uses, err := r.checkUnused(ctx)
	for _, host := range r.farm.OfficeHosts() {
		r.archived[host] = uses[host].Archived
	}
	return err
}

// checkUnused looks for whatever still names the certificate. Its error names a
// server: the first that could not be observed, or that uses the certificate.
func (r *retirement) checkUnused(ctx workflow.Context) (map[string]activities.CertificateUse, error) {
	uses := map[string]activities.CertificateUse{}
	hosts := slices.Concat(r.farm.OfficeHosts(), r.farm.FrontEnds())
	if err := forEach(ctx, hosts, r.farm.Rotation.AtOnce, func(ctx workflow.Context, host string) error {
		found, err := r.findUse(ctx, host)
		if err != nil {
			return &serverError{host: host, cause: err}
		}
		uses[host] = found
		return nil
	}); err != nil {
		return nil, err
	}
	var all []string
	for _, host := range hosts {
		all = append(all, uses[host].Uses...)
	}
	for _, host := range hosts {
		if len(uses[host].Uses) > 0 {
			return nil, &serverError{host, fmt.Errorf("certificate %s is still in use: %s", r.target.Thumbprint.Short(), strings.Join(all, "; "))}
		}
	}
	return uses, nil
}

// findUse finds what names the certificate on an office server, or on the
// SharePoint farm of a front end.
func (r *retirement) findUse(ctx workflow.Context, host string) (use activities.CertificateUse, err error) {
	find, summary := a.FindIssuers, "find issuers with the certificate on "
	if _, office := r.farm.OfficeServer(host); office {
		find, summary = a.FindUse, "find use of the certificate on "
	}
	r.progress.startStep(ctx, host, farm.StepFindUse)
	err = workflow.ExecuteActivity(observeOptionsFor(farm.StepFindUse)(ctx, summary+host), find, r.oldOn(host)).Get(ctx, &use)
	r.progress.finishObservation(ctx, host, farm.StepFindUse, err)
	if err == nil {
		r.notes[host], r.ownRoots[host], r.wildcard = use.Notes, use.OwnRoot, r.wildcard || use.Wildcard
	}
	return use, err
}

// awaitUnused checks again. Once the certificate is archived, a retirement does
// not end by itself: that would leave it archived.
func (r *retirement) awaitUnused(ctx workflow.Context) error {
	return r.retryOrBlock(ctx, farm.StepFindUse, func() error {
		_, err := r.checkUnused(ctx)
		return err
	})
}

func (r *retirement) archive(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepArchive, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "archive old certificate on "+host), a.ArchiveCertificate, r.oldOn(host))
	})
}

func (r *retirement) approveDeletion(ctx workflow.Context) error {
	return r.waitForApproval(ctx, r.newApproval)
}

// newApproval describes the deletion that is to be approved: what of it can no longer be
// undone, and what was not looked at.
func (r *retirement) newApproval() farm.Approval {
	old := r.target.Thumbprint.Short()
	a := farm.Approval{
		What: "the deletion of certificate " + old, Target: r.target.Thumbprint, LeftOut: slices.Clone(r.decisions.skipped),
		NoWayBack: fmt.Sprintf("the key of %s is deleted with it, so that no rollback and no undo can restore it", old),
	}
	for _, host := range r.officeHosts() {
		a.Steps = append(a.Steps, farm.DeletionOn(host, r.target.Thumbprint))
	}
	for _, host := range r.farm.FrontEnds() {
		if r.ownRoots[host] {
			a.Steps = append(a.Steps, farm.OwnRootRemovalOn(host, r.target.Thumbprint))
		}
	}
	for _, host := range slices.Concat(r.farm.OfficeHosts(), r.farm.FrontEnds()) {
		a.Notes = append(a.Notes, r.notes[host]...)
	}
	return a
}

// approveWildcard asks a second time before a wildcard certificate is deleted: what
// else it serves, on these servers and on others, farmtrust cannot see. The key is
// gone with it.
func (r *retirement) approveWildcard(ctx workflow.Context) error {
	if !r.wildcard {
		return nil
	}
	return r.waitForApproval(ctx, func() farm.Approval {
		a := r.newApproval()
		a.What = fmt.Sprintf("the deletion of the wildcard certificate %s (%s)", r.target.Thumbprint.Short(), r.target.Subject)
		a.Notes = append(a.Notes, "it names many hosts, and whatever else uses its copy on the office servers loses it")
		return a
	})
}

func (r *retirement) delete(ctx workflow.Context) error {
	return r.runOnOffice(ctx, farm.StepDelete, func(ctx workflow.Context, host string) workflow.Future {
		return workflow.ExecuteActivity(changeOptions(ctx, "delete old certificate on "+host), a.DeleteCertificate, r.oldOn(host))
	})
}

// removeOwnRoot removes the root authority of a self-signed certificate, where
// it bears the name that farmtrust gives.
func (r *retirement) removeOwnRoot(ctx workflow.Context) error {
	return r.runOnFrontEnds(ctx, func(ctx workflow.Context, host string) error {
		_, err := r.runStep(ctx, stepOn{host: host, step: farm.StepRemoveRootAuthority}, func() workflow.Future {
			return workflow.ExecuteActivity(changeOptions(ctx, "remove root authority on "+host), a.RemoveOwnRootAuthority, r.oldOn(host))
		})
		return err
	})
}

// destroyKey destroys the copy of the certificate in a source that has made it. No office
// server has the certificate any longer, so that no way back needs it.
func (r *retirement) destroyKey(ctx workflow.Context) error {
	if !changeDestroysKey.has(ctx) {
		return nil
	}
	host := r.farm.OfficeHosts()[0] // a report is about servers
	return r.retryOrBlock(ctx, farm.StepDelete, func() error {
		err := workflow.ExecuteActivity(changeOptions(ctx, "destroy the worker's own copy"), a.DestroyKey, r.oldOn(host)).Get(ctx, nil)
		if err != nil {
			return &serverError{host: host, cause: err}
		}
		return nil
	})
}
