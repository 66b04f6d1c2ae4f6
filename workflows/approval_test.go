package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// assertOption asserts that a choice is offered, with an effect that says this.
func assertOption(t *testing.T, w farm.Wait, choice farm.Choice, parts ...string) {
	t.Helper()
	i := slices.IndexFunc(w.Options, func(o farm.Option) bool { return o.Choice == choice })
	if i < 0 {
		t.Errorf("%s is not offered: %+v", choice, w.Options)
		return
	}
	assertMentions(t, w.Options[i].Effect, parts...)
}

func assertNoOption(t *testing.T, w farm.Wait, choice farm.Choice) {
	t.Helper()
	if slices.ContainsFunc(w.Options, func(o farm.Option) bool { return o.Choice == choice }) {
		t.Errorf("%s is offered: %+v", choice, w.Options)
	}
}

func approvalOf(digest string) farm.Decision {
	return farm.Decision{Choice: farm.Approve, Digest: digest}
}

func TestApproval_CoversWhatUsersNotice(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true, OfficeServers: 3, SharePointServers: 2})
	f.setPolicy(requireApproval)
	r := f.newRun(t)
	r.after(time.Hour, func() {
		w := r.requireWait(farm.ForApproval)
		if want := []string{frontEnd, appServer, office2, office3, office1}; !slices.Equal(namesOf(w.Approval.Restarts), want) {
			t.Errorf("the approval covers the restarts of %v, want %v", namesOf(w.Approval.Restarts), want)
		}
		for _, d := range w.Approval.Steps {
			if d.IsWait() || strings.HasPrefix(d.Text, "import") {
				t.Errorf("the approval covers %q, which users do not notice", d.Text)
			}
		}
		if len(w.Approval.Steps) == 0 || w.Approval.EstimateMS == 0 || w.Digest != w.Approval.Digest() {
			t.Errorf("the approval is %+v with digest %s", w.Approval, w.Digest)
		}
		assertOption(t, w, farm.Approve, "begins the cutover now", "restarts 5 servers: "+frontEnd)
		assertOption(t, w, farm.RollBack, "removes the certificate from", "no restart", "suspended")
		assertOption(t, w, farm.Abort, "certificate imported on", "suspended")
		assertMentions(t, w.Then, "rolled back", "no restart", "plans it again")
		r.approve()
	})
	rotated := r.rotate().requireOutcome(farm.Verified)
	if hosts, want := rotated.restartsOf(r), []string{frontEnd, appServer, office2, office3, office1}; !slices.Equal(hosts, want) {
		t.Errorf("restarted are %v, as approved %v", hosts, want)
	}
}

// TestApproval_OfAnotherRun has an operator approve last week's rotation, which was
// rolled back, and somebody try that approval on tonight's.
func TestApproval_OfAnotherRun(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	lastWeek := f.newRun(t)
	lastWeek.marks.runID = "last-week"
	var digest string
	lastWeek.after(time.Hour, func() {
		digest = lastWeek.requireWait(farm.ForApproval).Digest
		lastWeek.decide(farm.Decision{Choice: farm.RollBack})
	})
	lastWeek.rotate().requireOutcome(farm.RolledBack)
	before := f.sim.Trust()
	tonight := f.newRun(t)
	tonight.marks.runID = "tonight"
	tonight.after(time.Hour, func() {
		tonight.assertDecisionRefused(approvalOf(digest), "another run asked for that")
		tonight.decide(farm.Decision{Choice: farm.RollBack})
	})
	tonight.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
}

// TestApproval_IsVoid has something change between the approval and the cutover.
func TestApproval_IsVoid(t *testing.T) {
	t.Run("a server was left out", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, OfficeServers: 3})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		var digest string
		r.after(time.Hour, func() {
			digest = r.requireWait(farm.ForApproval).Digest
			f.installUpdates(t, office3)
			r.approve()
		})
		r.after(2*time.Hour, func() {
			w := r.requireWait(farm.ForDecision)
			assertOption(t, w, farm.Skip, "without "+office3, "data refreshes fail", "suspended")
			r.decide(farm.Decision{Choice: farm.Skip, Server: office3, Force: true})
		})
		r.after(3*time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			r.assertDecisionRefused(approvalOf(digest), office3+" was left out since")
			if !slices.Equal(w.Approval.LeftOut, []string{office3}) || slices.Contains(namesOf(w.Approval.Restarts), office3) {
				t.Errorf("the approval is %+v, want %s left out", w.Approval, office3)
			}
			r.approve()
		})
		r.rotate().requireOutcome(farm.Partial)
	})
	t.Run("the farm had changed, and was set back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		var digest string
		drifted := false
		r.onCompare(func(_ int, c *activities.Comparison) error {
			if drifted {
				c.Differences = slices.DeleteFunc(c.Differences, func(d farm.Difference) bool { return d.Step == farm.StepIssuer })
			}
			return nil
		})
		r.after(time.Hour, func() {
			digest = r.requireWait(farm.ForApproval).Digest
			drifted = true
			r.approve()
		})
		r.after(2*time.Hour, func() {
			r.requireBlocked(office1, "the farm has changed since the rotation was planned")
			drifted = false
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.after(3*time.Hour, func() {
			r.requireWait(farm.ForApproval)
			r.assertDecisionRefused(approvalOf(digest), "the farm had changed since it was approved")
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified)
	})
	t.Run("a server that did not answer changes nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.addFaults(t, untilBlocked(brokenScript(office2, "Get-OfficeServer")))
			r.approve()
		})
		r.after(20*time.Hour, func() {
			r.requireBlocked(office2, "the disk is full")
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		if got := r.rotate().requireOutcome(farm.Verified); len(got.Decisions) != 2 {
			t.Errorf("it took the decisions %+v, want one approval and one retry", got.Decisions)
		}
	})
	t.Run("the window has passed that it was for", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setWindow(t)
		inWindow := f.configure
		f.configure = func(c *farm.Farm) { inWindow(c); c.Rotation.Approval = true }
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.onCompare(func(nth int, _ *activities.Comparison) error {
			if nth != 2 {
				return nil
			}
			// As when no worker ran while the window was open.
			return temporal.NewApplicationErrorWithOptions("delayed", "", temporal.ApplicationErrorOptions{NextRetryDelay: 8 * time.Hour})
		})
		var digest string
		r.after(time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			digest = w.Digest
			assertOption(t, w, farm.Approve, "in the window, from 2026-11-24 02:00 UTC")
			r.approve()
		})
		r.after(24*time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			r.assertDecisionRefused(approvalOf(digest), "the window that it was for has passed")
			assertOption(t, w, farm.Approve, "in the window, from 2026-11-25 02:00 UTC")
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified).assertEndedInWindow(25)
	})
	t.Run("nobody approved it before its window had passed", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setWindow(t)
		inWindow := f.configure
		f.configure = func(c *farm.Farm) { inWindow(c); c.Rotation.Approval = true }
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		var digest string
		r.after(time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			digest = w.Digest
			assertMentions(t, w.Then, "next opening of the window")
		})
		r.after(24*time.Hour, func() {
			r.assertDecisionRefused(approvalOf(digest), "the window that it was for has passed")
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified).assertEndedInWindow(25)
	})
}

// TestApproval_OfARestart is about rotations that have little left to do.
func TestApproval_OfARestart(t *testing.T) {
	t.Run("a restart alone is to be approved", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, OfficeServers: 3})
		f.addFaults(t, brokenScript(office3, "Restart-OfficeServer"))
		first := f.newRun(t)
		first.after(10*time.Hour, func() {
			w := first.requireWait(farm.ForDecision)
			assertOption(t, w, farm.RollBack, "restores the issuers and the S2S certificate's name", "removes the certificate from", "restarts 4 servers: "+frontEnd)
			assertOption(t, w, farm.Abort, "settings changed on", "2 of 4 servers restarted")
			assertOption(t, w, farm.Retry, `tries "restart" on `+office3+" again")
			first.decide(farm.Decision{Choice: farm.Abort})
		})
		first.rotate().requireOutcome(farm.Partial)
		f.sim.ClearFaults()
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			a := r.requireWait(farm.ForApproval).Approval
			if len(a.Steps) > 0 || !slices.Equal(namesOf(a.Restarts), []string{office3, office1}) {
				t.Errorf("to be approved are %+v and the restarts of %v, want those of %s and %s alone", a.Steps, namesOf(a.Restarts), office3, office1)
			}
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified)
	})
	t.Run("nobody is asked where users notice nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.rotate(t).requireOutcome(farm.Verified)
		f.setPolicy(requireApproval)
		f.lockKey(t, office2, f.inUse(t))
		ended := f.rotate(t).requireOutcome(farm.Verified)
		ended.assertStep(office2, farm.StepGrant, farm.StateChanged)
		if len(ended.Decisions) > 0 {
			t.Errorf("it took the decisions %+v", ended.Decisions)
		}
		f.assertRefreshes(t)
	})
}

// TestApproval_OfAnUndo is about an undo, which restarts as much as a cutover.
func TestApproval_OfAnUndo(t *testing.T) {
	undo := func(f *testFarm, t *testing.T) (*testRun, workflows.RotateInput) {
		t.Helper()
		rotated := f.requireRotated(t)
		f.setWindow(t)
		inWindow := f.configure
		f.configure = func(c *farm.Farm) { inWindow(c); c.Rotation.Approval = true }
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		return r, workflows.RotateInput{Intent: farm.Undo, Snapshot: rotated.Snapshot}
	}
	t.Run("covers its restarts, and keeps to the window", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		r, in := undo(f, t)
		r.after(time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			if want := []string{frontEnd, office2, office1}; !slices.Equal(namesOf(w.Approval.Restarts), want) || w.Approval.Target != in.Snapshot.Previous.Thumbprint {
				t.Errorf("to be approved are %+v, want the restarts of %v", w.Approval, want)
			}
			assertOption(t, w, farm.Approve, "begins the undo in the window, from 2026-11-24 02:00 UTC")
			assertNoOption(t, w, farm.RollBack)
			if i := slices.IndexFunc(w.Options, func(o farm.Option) bool { return o.Choice == farm.Abort }); i < 0 || strings.Contains(w.Options[i].Effect, "suspended") {
				t.Errorf("an undo that has not begun is given up as %+v", w.Options)
			}
			assertMentions(t, w.Text, "the certificate in use, "+in.Snapshot.Target.Thumbprint.Short())
			r.approve()
		})
		r.rotateWith(in).requireOutcome(farm.RolledBack).assertEndedInWindow(24)
		f.assertTrustUnchanged(t, before)
	})
	t.Run("does not wait for the window where its operator said so", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r, in := undo(f, t)
		in.Now = true
		r.after(time.Hour, func() {
			assertOption(t, r.requireWait(farm.ForApproval), farm.Approve, "begins the undo now")
			r.approve()
		})
		if end := r.rotateWith(in).requireOutcome(farm.RolledBack); end.DurationMS > (2 * time.Hour).Milliseconds() {
			t.Errorf("it took %d ms", end.DurationMS)
		}
	})
	t.Run("nobody approves it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r, in := undo(f, t)
		before := f.sim.Trust()
		f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, time.Hour })
		r.after(time.Minute, func() { assertMentions(t, r.requireWait(farm.ForApproval).Then, "nothing is undone") })
		r.rotateWith(in).requireOutcome(farm.Refused).assertStatement("nobody approved")
		f.assertTrustUnchanged(t, before)
	})
}

// What an undo waits for is what counts when it begins.
func TestUndo_WaitsForWhatCountsNow(t *testing.T) {
	t.Run("a window that was moved, and an approval that is wanted now", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		rotated := f.requireRotated(t)
		f.setWindow(t)
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.after(time.Hour, func() {
			r.requireWait(farm.ForWindow)
			later, err := farm.ParseWindow("daily 20:00-23:00 UTC")
			if err != nil {
				t.Error(err)
			}
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.Window = true, later })
			r.configure()
		})
		r.after(2*time.Hour, func() {
			assertOption(t, r.requireWait(farm.ForApproval), farm.Approve, "in the window, from 2026-11-23 20:00 UTC")
			r.approve()
		})
		end := r.rotateWith(workflows.RotateInput{Intent: farm.Undo, Snapshot: rotated.Snapshot}).requireOutcome(farm.RolledBack)
		if hour := end.EndedAt.UTC().Hour(); hour < 20 || hour > 22 {
			t.Errorf("it ended at %s", end.EndedAt)
		}
	})
	t.Run("a server that was left out since the approval is to be approved", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{OfficeServers: 3, Trusting: true})
		rotated := f.requireRotated(t)
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.addFaults(t, brokenScript(office3, "Get-OfficeServer"))
			r.approve()
		})
		r.after(3*time.Hour, func() {
			r.requireBlocked(office3, "the disk is full")
			r.decide(farm.Decision{Choice: farm.Skip, Server: office3, Force: true})
		})
		r.after(5*time.Hour, func() {
			if a := r.requireWait(farm.ForApproval).Approval; !slices.Contains(a.LeftOut, office3) {
				t.Errorf("to be approved is %+v", a)
			}
			r.approve()
		})
		r.rotateWith(workflows.RotateInput{Intent: farm.Undo, Snapshot: rotated.Snapshot}).requireOutcome(farm.Partial)
	})
}

// What is approved has a way back, and is approved again once it has none any more.
func TestApproval_OfACutoverWithoutTheWayBack(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	r := f.newRun(t)
	r.onCompare(func(nth int, c *activities.Comparison) error {
		if nth > 1 {
			c.RollbackBlocked = "the previous certificate has expired"
		}
		return nil
	})
	r.after(time.Hour, r.approve)
	r.after(2*time.Hour, func() {
		assertMentions(t, r.requireWait(farm.ForApproval).Approval.NoWayBack, "has expired")
		r.approve()
	})
	r.rotate().requireOutcome(farm.Verified)
}
