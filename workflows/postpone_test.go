package workflows_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestRotate_Postponed(t *testing.T) {
	t.Run("it waits with what is staged, and what was approved before does not count", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		var digest string
		r.after(time.Hour, func() {
			digest = r.requireWait(farm.ForApproval).Digest
			r.decide(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(18 * time.Hour)})
		})
		r.after(2*time.Hour, func() {
			w := r.requireWait(farm.ForPostponement)
			assertMentions(t, w.Text, "postponed by op: a test")
			if w.NeedsOperator() {
				t.Error("an operator is needed although the certificate in use lasts longer")
			}
			r.assertDecisionRefused(farm.Decision{Choice: farm.Approve, Digest: digest}, "nothing waits for approval now")
		})
		r.after(20*time.Hour, func() {
			if again := r.requireWait(farm.ForApproval).Digest; again == digest {
				t.Errorf("the digest is still %s", digest)
			}
			r.assertDecisionRefused(farm.Decision{Choice: farm.Approve, Digest: digest}, "look at it again")
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
	t.Run("it notices what changes meanwhile", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.decide(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(time.Hour)})
			f.removeIssuer(t)
		})
		r.after(3*time.Hour, func() {
			r.requireBlocked(office1, "the farm has changed since the rotation was planned")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.rotate().requireOutcome(farm.Partial)
	})
	t.Run("from one window to another", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setWindow(t)
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.after(time.Hour, func() {
			r.requireWait(farm.ForWindow)
			r.decide(farm.Decision{Choice: farm.Postpone, Until: noon.Add(24 * time.Hour)})
		})
		r.rotate().requireOutcome(farm.Verified).assertEndedInWindow(25)
	})
	t.Run("beyond the end of the certificate an operator is needed", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.decide(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(60 * day)})
		})
		r.after(2*time.Hour, func() {
			if w := r.requireWait(farm.ForPostponement); !w.NeedsOperator() {
				t.Errorf("nobody is needed: %+v", w)
			}
			r.assertNeedsOperator(true)
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack)
	})
	t.Run("only what waits for its time", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.onActivity("ImportCertificate", func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(time.Hour)}, "waits neither for an approval nor for its window")
		})
		r.after(time.Hour, func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(-time.Hour)}, "is over")
			r.assertDecisionRefused(farm.Decision{Choice: farm.Postpone, Until: r.env.Now().Add(91 * day)}, "too late for what is staged")
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack)
	})
}

func TestRotate_CancelledByDecision(t *testing.T) {
	for name, step := range map[string]string{"while it stages": "GrantKey", "in the middle of the cutover": "TrustIssuer"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			before := f.sim.Trust()
			r := f.newRun(t)
			r.onActivity(step, func() {
				r.decide(farm.Decision{Choice: farm.Cancel, By: "ada", Reason: "users call"})
			})
			end := r.rotate().requireOutcome(farm.RolledBack)
			end.assertStatement("cancelled, and everything is as it was before", "ada cancelled it: users call")
			if d := end.Decisions; len(d) != 1 || d[0].Choice != farm.Cancel || d[0].By != "ada" {
				t.Errorf("the report has the decisions %+v", d)
			}
			f.assertTrustUnchanged(t, before)
		})
	}
	t.Run("while it waits", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		before := f.sim.Trust()
		r := f.newRun(t)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.Cancel}) })
		r.rotate().requireOutcome(farm.RolledBack)
		r.assertNeedsOperator(false)
		f.assertTrustUnchanged(t, before)
	})
	t.Run("not a rollback", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		rotated := f.rotate(t).requireOutcome(farm.Verified)
		r := f.newRun(t)
		r.onActivity("RestoreIssuer", func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.Cancel}, "already being rolled back")
		})
		r.rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
	})
	t.Run("a retirement: the old certificate stays", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		old := f.requireRenewed(t)
		r := f.newRun(t)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.Cancel, By: "ada", Reason: "it is needed"}) })
		r.retire(old).requireOutcome(farm.Partial).assertStatement("ada cancelled it: it is needed")
		f.assertArchived(t, false)
		f.assertOnServers(t, old.Thumbprint, 2)
	})
	t.Run("the farm is suspended", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() { c.decideOn(rotateID, farm.Cancel) })
		requireRun(t, c.runUntil(2*day), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	})
	t.Run("the farm is suspended also by that of a retirement", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.after(2*day, func() { c.decideOn(retireID, farm.Cancel) })
		requireRun(t, c.runUntil(4*day), run{Outcome: farm.Partial, Suspended: true, HasSnapshot: true, NeedsOperator: true})
	})
}

func TestRotate_ObservedOnly(t *testing.T) {
	t.Run("one that was started by hand does nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.Mode = farm.ModeObserve })
		before := f.sim.Trust()
		r := f.newRun(t)
		r.startAs(rotateID)
		r.env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "by hand"})
		assertMentions(t, r.env.GetWorkflowError().Error(), "nothing was changed", "mode: observe")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that is at work blocks", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r := f.newRun(t)
		r.onActivity("GrantKey", func() { f.setPolicy(func(p *farm.RotationPolicy) { p.Mode = farm.ModeObserve }) })
		r.after(time.Hour, func() {
			if w := r.requireWait(farm.ForDecision); len(w.Blocked) == 0 {
				t.Error("nothing is blocked")
			} else {
				assertMentions(t, w.Blocked[0].Text, "nothing is changed", "mode: observe")
			}
			f.setPolicy(func(*farm.RotationPolicy) {})
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.rotate().requireOutcome(farm.Verified)
	})
}

// configure tells a run that a worker has started.
func (r *testRun) configure() { r.env.SignalWorkflow(workflows.ConfigurationSignal, nil) }

func TestRotate_ConfigurationCountsAtOnce(t *testing.T) {
	t.Run("for the deadline of an approval", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 7*day })
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 3*time.Hour })
			r.configure()
		})
		r.after(2*time.Hour, func() {
			if left := r.requireWait(farm.ForApproval).Until.Sub(r.env.Now()); left > time.Hour {
				t.Errorf("the approval is waited for another %s", left)
			}
		})
		r.rotate().requireOutcome(farm.RolledBack).assertStatement("nobody approved by")
	})
	t.Run("for the deadline of a decision", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.addFaults(t, untilBlocked(brokenScript(office2, "Grant-S2SKey")))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.setPolicy(func(p *farm.RotationPolicy) { p.DecisionTimeout = 9 * day })
			r.configure()
		})
		r.after(5*day, func() {
			if until := r.requireWait(farm.ForDecision).Blocked[0].Until; until.Sub(r.env.Now()) < 3*day {
				t.Errorf("a decision is waited for until %s", until)
			}
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack)
	})
	t.Run("for whether an approval is needed, and for the window", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setWindow(t)
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.after(time.Hour, func() {
			r.requireWait(farm.ForWindow)
			f.setPolicy(requireApproval)
			r.configure()
		})
		r.after(2*time.Hour, func() {
			if o := r.requireWait(farm.ForApproval).Approval.Opening; !o.From.IsZero() {
				t.Errorf("it is to be approved for a window that there is none of any more, from %s", o.From)
			}
			r.approve()
		})
		end := r.rotate().requireOutcome(farm.Verified)
		if took := time.Duration(end.DurationMS) * time.Millisecond; took > 3*time.Hour {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("a retirement deletes nothing because of it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		old := f.requireRenewed(t)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.setPolicy(requireApproval)
			r.configure()
		})
		r.after(2*time.Hour, func() {
			f.assertOnServers(t, old.Thumbprint, 2)
			r.requireWait(farm.ForApproval)
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.retire(old).requireOutcome(farm.Partial)
	})
	t.Run("a controller passes it on", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 7*day })
		c := f.newController(t)
		c.after(time.Hour, func() {
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval = false })
			c.configureOther()
		})
		requireRun(t, c.runUntil(3*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
	})
}

// A way back that a cancel has begun may block as any other: then an operator decides.
func TestRotate_CancelledWayBackBlocks(t *testing.T) {
	for _, choice := range []farm.Choice{farm.Retry, farm.Forward} {
		t.Run(string(choice), func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			before := f.sim.Trust()
			r := f.newRun(t)
			r.onActivity("RestartSharePoint", func() {
				if r.status().Phase == farm.PhaseRestarting {
					r.decide(farm.Decision{Choice: farm.Cancel, By: "ada", Reason: "users call"})
				}
			})
			r.onActivity("RestoreS2SCertificate", func() { f.addFaults(t, brokenScript("", "Restore-TrustedIssuer")) })
			r.decideOnce(func([]farm.Blocked) bool {
				r.sim.ClearFaults()
				r.decide(farm.Decision{Choice: choice})
				return true
			})
			end := r.rotate()
			if choice == farm.Forward {
				end.requireOutcome(farm.Verified)
			} else {
				end.requireOutcome(farm.RolledBack)
				f.assertTrustUnchanged(t, before)
			}
			f.assertRefreshes(t)
		})
	}
}
