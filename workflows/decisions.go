package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// errResolved ends the steps of a run that an operator, or the farm's policy,
// has decided to end; the resolution says how.
var errResolved = errors.New("ended by decision")

// decisions is what operators decide about a run, and what waits for it.
type decisions struct {
	approval   approval
	resolution resolution
	// blocked are the steps that wait, in the order in which they failed.
	blocked []*blockedStep
	// retries counts how often a blocked step was tried again by itself since an operator
	// last decided about it.
	retries map[hostStep]int
	// lastBlocked is the step that an operator, or the farm's policy, last decided about.
	lastBlocked failedStep
	// unblockedAt is when a blocked step last continued.
	unblockedAt time.Time
	// rollbackBlocked says why the run cannot be rolled back; empty when it can.
	rollbackBlocked string
	// noWayBack says why a rollback could not restore what was in use: then it takes
	// an operator, who may have repaired that, to ask for one.
	noWayBack string
	// refresh is how data refreshes did when the last step blocked, in words; empty where
	// that is not asked.
	refresh string
	// notAdmitted is why the run must not change anything any more; nil while it may.
	notAdmitted error
	// cancelled reports whether an operator has cancelled the run, and stops whether it is
	// on its way to its end, or to its rollback, because of that.
	cancelled, stops bool
	// postponable reports whether the run can be postponed while it waits, and postponement
	// is the last word about that.
	postponable  bool
	postponement farm.Decision
	// gated reports whether the run passes gates before its restarts, and gatesReopened
	// whether they are to be passed again: it was postponed, or they are other ones now.
	gated, gatesReopened bool
	// notApproved reports whether nobody has approved in time.
	notApproved bool
	// skipped are the servers left out by decision.
	skipped []string
	// accepted is what was accepted of what would stop the run.
	accepted []farm.Acceptance
}

// Why a run cannot be rolled back, other than an expired certificate.
const (
	blockedByRollback    = "the rotation is already being rolled back"
	blockedByCompromise  = "the old certificate is compromised and is never restored"
	blockedForRetirement = "a retirement is not rolled back; abort leaves the certificate as it is"
)

// resolution is how a run is to end before its steps are done; zero while they
// go on.
type resolution struct {
	// choice is [farm.RollBack], [farm.Forward] or [farm.Abort], and asked whether an
	// operator made it.
	choice farm.Choice
	asked  bool
	// why says what led to a rollback, in the words of the report.
	why string
}

// blockedStep is a step that waits for an operator.
type blockedStep struct {
	farm.Blocked

	choice farm.Choice
}

// noteEnd notes an error that ends the run on all servers, and returns it.
func (d *decisions) noteEnd(err error) error {
	if isNotAdmitted(err) {
		d.notAdmitted = err
	}
	return err
}

// err is the error that ends all steps once the run is to end.
func (d *decisions) err() error {
	if d.notAdmitted != nil {
		return d.notAdmitted
	}
	if d.resolution.choice != "" {
		return errResolved
	}
	return nil
}

// requestRollback has the run rolled back, for a reason that the report tells.
func (d *decisions) requestRollback(format string, args ...any) {
	d.resolution = resolution{choice: farm.RollBack, why: fmt.Sprintf(format, args...)}
}

// endRollback has the run go forward again, from where it can be rolled back again.
func (d *decisions) endRollback() { d.resolution, d.rollbackBlocked = resolution{}, "" }

// beginRollback leaves only retry, skip, forward and abort, also where a cancel has led to
// it. A server that was skipped during the rotation may hold what was done before that,
// so the rollback does not leave it out.
func (d *decisions) beginRollback() {
	d.resolution.choice, d.approval, d.skipped, d.stops = "", approval{}, nil, false
	d.rollbackBlocked, d.noWayBack = blockedByRollback, ""
}

// rollsBackByItself reports whether the run is rolled back when a step fails and
// nobody decides.
func (d *decisions) rollsBackByItself() bool { return d.rollbackBlocked == "" && d.noWayBack == "" }

func (d *decisions) isSkipped(host string) bool { return slices.Contains(d.skipped, host) }

// wasBlockedSince reports whether anything was blocked after a moment.
func (d *decisions) wasBlockedSince(t time.Time) bool { return d.unblockedAt.After(t) }

// registerDecisions registers the handler of operators' decisions.
func (o *operation) registerDecisions(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, DecideUpdate, o.handleDecision, workflow.UpdateHandlerOptions{
		Validator:   o.validateDecision,
		Description: "An operator's decision: approve, retry, skip, rollback, forward, abort, postpone or cancel",
	})
}

// validateDecision refuses a decision that makes no sense now.
func (o *operation) validateDecision(ctx workflow.Context, d farm.Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if o.decisions.stops {
		return fmt.Errorf("%s: the run was cancelled, and ends", d.Choice)
	}
	if made := o.decisions.resolution.choice; made != "" {
		return fmt.Errorf("%s: %s was already decided", d.Choice, made)
	}
	switch d.Choice {
	case farm.Approve:
		return o.decisions.validateApproval(d)
	case farm.RollBack, farm.Forward, farm.Abort:
		return o.validateResolution(d)
	case farm.Postpone:
		return o.validatePostponement(workflow.Now(ctx), d)
	case farm.Cancel:
		return o.validateCancel()
	}
	return o.decisions.validateRetryOrSkip(d)
}

func (d *decisions) validateApproval(decision farm.Decision) error {
	switch wanted := d.approval.wanted; {
	case wanted == nil:
		return fmt.Errorf("approve: nothing waits for approval now")
	case decision.Digest != wanted.Digest():
		why := cmp.Or(d.approval.changed, "another run asked for that, or something has changed since")
		return fmt.Errorf("approve: the digest is now %s, and not %s: %s; look at it again", wanted.Digest(), decision.Digest, why)
	}
	return nil
}

func (o *operation) validateResolution(d farm.Decision) error {
	switch {
	case d.Choice == farm.RollBack && o.decisions.rollbackBlocked != "":
		return fmt.Errorf("rollback: %s", o.decisions.rollbackBlocked)
	case d.Choice == farm.Forward && (o.goesBack == nil || !o.goesBack() || len(o.decisions.blocked) == 0):
		return errors.New("forward: only a way back that is blocked can be left")
	case o.progress.Wait == nil || o.progress.Wait.For == farm.ForController:
		return fmt.Errorf("%s: the run waits for nothing now; cancel it to stop it and put back what it has changed", d.Choice)
	}
	return nil
}

// validateCancel refuses to cancel what already puts back what was changed.
func (o *operation) validateCancel() error {
	switch {
	case o.closing:
		return fmt.Errorf("cancel: the run has just ended")
	case o.progress.Phase == farm.PhaseRollingBack || o.decisions.rollbackBlocked == blockedByRollback:
		return fmt.Errorf("cancel: %s", blockedByRollback)
	}
	return nil
}

func (d *decisions) validateRetryOrSkip(decision farm.Decision) error {
	i := slices.IndexFunc(d.blocked, func(b *blockedStep) bool { return b.concerns(decision) })
	switch {
	case i < 0 && decision.Server == "":
		return fmt.Errorf("%s: nothing is blocked", decision.Choice)
	case i < 0:
		return fmt.Errorf("%s: nothing is blocked on %s", decision.Choice, decision.Server)
	case decision.Choice == farm.Retry:
		return d.validateAccepted(decision)
	case !d.blocked[i].Skippable:
		return fmt.Errorf("skip: %s cannot be left out: only an office server that is not the master can, and a SharePoint server that is not the front end", decision.Server)
	case !decision.Force && d.blocked[i].Serving:
		return fmt.Errorf("skip: %s still belongs to its farm: without the certificate, or a restart, its data refreshes will fail; take it out of the farm first, or use --force", decision.Server)
	}
	return nil
}

// validateAccepted refuses a retry that accepts what does not block it.
func (d *decisions) validateAccepted(decision farm.Decision) error {
	var offered []string
	for _, b := range d.blocked {
		if b.concerns(decision) {
			offered = append(offered, b.Accept...)
		}
	}
	for _, ref := range decision.Accept {
		accepted, _ := farm.ParseAcceptance(ref) // validated with the decision
		switch {
		case len(offered) == 0:
			return fmt.Errorf("retry: accept %s: nothing that is blocked can be accepted", ref)
		case !slices.ContainsFunc(offered, accepted.CoversRef):
			return fmt.Errorf("retry: accept %s: that is not what blocks it; it is %s", ref, strings.Join(offered, ", "))
		}
	}
	return nil
}

// concerns reports whether a decision is about this step. One that was decided
// about is no longer blocked, though it may not have gone on yet.
func (b *blockedStep) concerns(d farm.Decision) bool {
	return b.choice == "" && (d.Server == "" || strings.EqualFold(b.Server, d.Server))
}

// handleDecision takes a decision that was validated, once a worker has found out who has
// made it. Meanwhile something else may have been decided.
func (o *operation) handleDecision(ctx workflow.Context, decision farm.Decision) error {
	given, err := o.checkDecision(ctx, decision)
	if err != nil {
		return err
	}
	o.takeDecision(ctx, attribute(decision, given), given)
	return nil
}

// takeDecision does what was decided.
func (o *operation) takeDecision(ctx workflow.Context, decision farm.Decision, given *farm.Authorization) {
	d := o.decisions
	switch decision.Choice {
	case farm.Approve:
		d.approval.given, d.approval.authorization = d.approval.wanted, given
	case farm.RollBack:
		d.requestRollback("%s asked for it: %s", decision.By, decision.Reason)
		d.resolution.asked = true
	case farm.Forward, farm.Abort:
		d.resolution = resolution{choice: decision.Choice, asked: true}
	case farm.Postpone:
		d.postpone(decision)
	case farm.Cancel:
		d.cancelled, d.stops, d.resolution.why = true, true, fmt.Sprintf("%s cancelled it: %s", decision.By, decision.Reason)
		defer o.cancelSteps()
	case farm.Retry, farm.Skip:
		if accepted := farm.NewAcceptances(decision.Accept, decision.By, decision.Reason, workflow.Now(ctx)); len(accepted) > 0 {
			d.accepted = append(d.accepted, accepted...)
			d.approval.changed = strings.Join(decision.Accept, ", ") + " was accepted since"
		}
		for _, b := range d.blocked {
			if !b.concerns(decision) {
				continue
			}
			if b.choice = decision.Choice; b.choice == farm.Skip && !d.isSkipped(b.Server) {
				d.skipped = append(d.skipped, b.Server)
				d.approval.changed = b.Server + " was left out since"
			}
		}
	}
	o.progress.Report.Decisions = append(o.progress.Report.Decisions, farm.RecordedDecision{Decision: decision, At: workflow.Now(ctx), Verified: howVerified(given)})
	o.progress.tellDecision(ctx, decision)
	o.progress.show()
}
