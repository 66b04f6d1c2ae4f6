package workflows_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// TestRun_StartedByHand starts runs as the Temporal UI can, under any workflow ID.
func TestRun_StartedByHand(t *testing.T) {
	const byHand = "a-run-by-hand"
	for name, start := range map[string]struct{ workflow, in any }{
		"a rotation":   {workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName}},
		"a retirement": {workflows.RetireCertificate, workflows.RetireInput{Farm: farmsim.FarmName, Old: farm.StoreCertificate{Thumbprint: "AA"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{})
			before := f.sim.Trust()
			r := f.newRun(t)
			r.startAs(byHand)
			r.env.ExecuteWorkflow(start.workflow, start.in)
			application, ok := errors.AsType[*temporal.ApplicationError](r.env.GetWorkflowError())
			if !ok || application.Type() != workflows.RefusedError {
				t.Fatalf("ended with %v, want it refused", r.env.GetWorkflowError())
			}
			assertMentions(t, application.Message(), byHand, "farmtrust rotate "+farmsim.FarmName)
			if len(r.started) > 0 {
				t.Errorf("it has started %v", r.started)
			}
			f.assertTrustUnchanged(t, before)
		})
	}
}

func TestRun_Admission(t *testing.T) {
	t.Run("a rotation that is not admitted has changed nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		f.runs.refuse("the farm is suspended: resume it")
		f.rotate(t).requireOutcome(farm.Refused).assertStatement("nothing was changed: the farm is suspended: resume it")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that finds nothing to do needs no admission", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.requireRotated(t)
		f.runs.refuse("the farm is suspended: resume it")
		f.rotate(t).requireOutcome(farm.NoChange)
	})
	t.Run("a rollback that is not admitted has changed nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.requireRotated(t).Snapshot
		before := f.sim.Trust()
		f.runs.refuse("another rotation runs")
		f.newRun(t).rollBack(snapshot).requireOutcome(farm.Refused).assertStatement("nothing was changed: another rotation runs")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a retirement that is not admitted has changed nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		old := f.requireRenewed(t)
		f.runs.refuse("another retirement runs")
		f.newRun(t).retire(old).requireOutcome(farm.Refused).assertStatement("nothing was changed: another retirement runs")
		f.assertArchived(t, false)
	})
	t.Run("a controller that does not answer is waited for", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.fail(errors.New("no route to host"))
		r := f.newRun(t)
		r.after(5*time.Minute, func() {
			r.requireWait(farm.ForController)
			r.assertDecisionRefused(farm.Decision{Choice: farm.Abort}, "the run waits for nothing now")
			f.runs.fail(nil)
		})
		r.rotate().requireOutcome(farm.Verified)
	})
	t.Run("one that never answers refuses", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		f.runs.fail(errors.New("no route to host"))
		f.rotate(t).requireOutcome(farm.Refused).assertStatement("nothing was changed", "the controller of "+farmsim.FarmName, "no route to host")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that is cancelled while it waits for admission rolls nothing back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.kept = f.abortAfterRestartOf(t, office2)
		before := f.sim.Trust()
		f.runs.fail(errors.New("no route to host"))
		r := f.newRun(t)
		r.after(5*time.Minute, r.env.CancelWorkflow)
		r.rotateWith(workflows.RotateInput{Snapshot: f.runs.kept}).requireCancelled(farm.Refused)
		f.assertTrustUnchanged(t, before)
	})
}

// TestRotate_KeptSnapshot has a rotation begin without the snapshot of the one before
// it, which was not finished. The controller has that snapshot.
func TestRotate_KeptSnapshot(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 4, Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.RestartAtOnce = 2 })
	before := f.sim.Trust()
	f.runs.kept = f.abortAfterRestartOf(t, office2)
	f.addFaults(t, untilBlocked(brokenScript(office3, "Restart-OfficeServer")))
	ended := f.rotate(t).requireOutcome(farm.RolledBack)
	if ended.Previous != f.runs.kept.Previous.Thumbprint {
		t.Errorf("the report says that %s was used before, want %s", ended.Previous, f.runs.kept.Previous.Thumbprint)
	}
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRun_NotAdmittedAnyMore is about what a reset makes of a run that has ended: it
// goes on after the admission that its history has, under a run ID of its own.
func TestRun_NotAdmittedAnyMore(t *testing.T) {
	t.Run("a rotation does nothing, and rolls nothing back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.kept = f.abortAfterRestartOf(t, office2)
		before := f.sim.Trust()
		r := f.newRun(t)
		r.onActivity("ImportCertificate", func() { f.runs.refuse("it had ended: cancel this one") })
		r.rotate().requireOutcome(farm.Incomplete).assertStatement("nothing is rolled back", "it had ended: cancel this one")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a rollback does nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.requireRotated(t).Snapshot
		before := f.sim.Trust()
		r := f.newRun(t)
		r.onActivity("RestoreS2SCertificate", func() { f.runs.refuse("it had ended: cancel this one") })
		r.rollBack(snapshot).requireOutcome(farm.Incomplete).assertStatement("it had ended: cancel this one")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a retirement does nothing, and unarchives nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		old := f.requireRenewed(t)
		r := f.newRun(t)
		r.onActivity("ArchiveCertificate", func() { f.runs.refuse("it had ended: cancel this one") })
		r.retire(old).requireOutcome(farm.Incomplete).assertStatement("it had ended: cancel this one")
		if hosts := r.hostsOf("UnarchiveCertificate"); len(hosts) > 0 {
			t.Errorf("it was to be unarchived on %v", hosts)
		}
		f.assertArchived(t, false)
	})
	t.Run("a step that is blocked on another server ends too", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r := f.newRun(t)
		began := time.Time{}
		r.env.RegisterActivityWithOptions(func(ctx context.Context, in activities.ServerInput) (activities.StepResult, error) {
			switch {
			case in.Host == office1:
				return activities.StepResult{}, temporal.NewNonRetryableApplicationError("the disk is full", "", nil)
			case activity.GetInfo(ctx).Attempt == 1:
				return activities.StepResult{}, temporal.NewApplicationErrorWithOptions("away", "", temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
			}
			return activities.StepResult{}, temporal.NewNonRetryableApplicationError("it had ended: cancel this one", activities.NotAdmitted, nil)
		}, activity.RegisterOptions{Name: "ImportCertificate", DisableAlreadyRegisteredCheck: true})
		r.after(30*time.Minute, func() {
			r.requireBlocked(office1, "the disk is full")
			began = r.env.Now()
		})
		ended := r.rotate().requireOutcome(farm.Incomplete)
		if strings.Contains(ended.Statement, "the disk") || began.IsZero() {
			t.Errorf("ended with %q", ended.Statement)
		}
	})
}

func TestRun_Hints(t *testing.T) {
	for name, lost := range map[string]error{"that arrive": nil, "that do not": errors.New("there is no controller")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{})
			f.setPolicy(requireApproval)
			f.addFaults(t, untilBlocked(brokenScript(office1, "Grant-S2SKey")), untilBlocked(brokenScript(office2, "Grant-S2SKey")))
			r := f.newRun(t)
			r.hints.lost = lost
			r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.Retry}) })
			r.after(2*time.Hour, r.approve)
			r.rotate().requireOutcome(farm.Verified)
			// Both servers are blocked at once, then the approval is waited for.
			if diff := cmp.Diff([]bool{false, false, false, false, true}, r.endings()); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
			// Who sees that it is done must be able to go on.
			if r.hints.endsIn != string(farm.PhaseVerifying) || r.marks.lastPhase() != string(farm.PhaseDone) {
				t.Errorf("it told its end in phase %s, and ended in phase %s", r.hints.endsIn, r.marks.lastPhase())
			}
		})
	}
}

// TestRun_NeedsOperator is about the mark by which an operator finds runs. None that
// has ended bears it, which every test of a run asserts.
func TestRun_NeedsOperator(t *testing.T) {
	for name, c := range map[string]struct {
		approval bool
		broken   string
	}{
		"cancelled while it waits for an approval": {approval: true},
		"cancelled while a step is blocked":        {broken: "Set-TrustedIssuer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval = c.approval })
			if c.broken != "" {
				f.addFaults(t, brokenScript(frontEnd, c.broken))
			}
			before := f.sim.Trust()
			r := f.newRun(t)
			r.after(time.Hour, func() {
				r.assertNeedsOperator(true)
				r.env.CancelWorkflow()
			})
			r.onActivity("RemoveCertificate", func() { r.assertNeedsOperator(false) })
			r.rotate().requireCancelled(farm.RolledBack)
			f.assertTrustUnchanged(t, before)
		})
	}
}
