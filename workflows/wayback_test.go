package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// lockKey takes the key of the certificate that was used first from NETWORK SERVICE,
// as another administrator does, and unlockKey gives it back.
func (f *testFarm) lockKey(t *testing.T, host string, c farm.Thumbprint) {
	t.Helper()
	session := f.logOn(t, host)
	location, err := session.KeyLocation(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.RemoveKeyReader(location.File, farm.NetworkService); err != nil {
		t.Fatal(err)
	}
}

func (f *testFarm) unlockKey(t *testing.T, host string, c farm.Thumbprint) {
	t.Helper()
	if _, err := f.logOn(t, host).GrantKey(c, farm.NetworkService); err != nil {
		t.Fatal(err)
	}
}

// inUse returns the certificate that a farm uses.
func (f *testFarm) inUse(t *testing.T) farm.Thumbprint {
	t.Helper()
	current := f.inspect(t).Current.Thumbprint
	if current == "" {
		t.Fatal("no certificate is in use")
	}
	return current
}

// TestRotate_NoWayBack is about a rotation that could not be rolled back.
func TestRotate_NoWayBack(t *testing.T) {
	t.Run("the plan and the approval say so, and the canary is not rolled back by itself", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		old := f.inUse(t)
		f.lockKey(t, office2, old)
		if n := f.inspect(t); !slices.ContainsFunc(n.Findings, func(found farm.Finding) bool { return found.Code == "no-way-back" && found.Server == office2 }) {
			t.Errorf("the plan has the findings %v", n.Findings)
		}
		f.addFaults(t, brokenScript("", "Restart-OfficeServer"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			assertMentions(t, w.Text, "there is no way back", office2, "NETWORK SERVICE cannot read")
			assertMentions(t, w.Approval.NoWayBack, office2, "NETWORK SERVICE cannot read")
			assertOption(t, w, farm.RollBack, "removes the certificate from", "no restart")
			r.approve()
		})
		r.after(4*time.Hour, func() {
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		if got := r.rotate().requireOutcome(farm.Verified).Intent; got != farm.Renew {
			t.Errorf("the report's intent is %q, want %q", got, farm.Renew)
		}
		f.assertRefreshes(t)
	})
	t.Run("what is staged is rolled back all the same", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		f.lockKey(t, office2, f.inUse(t))
		before := f.sim.Trust()
		r := f.newRun(t)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that is lost before the cutover keeps it from starting", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		old := f.inUse(t)
		before := f.sim.Trust()
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.lockKey(t, office2, old)
			r.approve()
		})
		r.after(3*time.Hour, func() {
			r.requireBlocked(office1, "its way back is lost: "+office2)
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack)
		f.unlockKey(t, office2, old)
		f.assertTrustUnchanged(t, before)
	})
}

func TestRollback_PreviousUnusable(t *testing.T) {
	t.Run("one that was asked for is refused, and nothing is touched", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.requireRotated(t).Snapshot
		f.lockKey(t, office2, snapshot.Previous.Thumbprint)
		before := f.sim.Trust()
		ended := f.newRun(t).rollBack(snapshot).requireOutcome(farm.Refused)
		ended.assertStatement("nothing was changed", office2, snapshot.Previous.Thumbprint.Short(), "NETWORK SERVICE cannot read")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("an archived one is unarchived", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		before := f.sim.Trust()
		snapshot := f.requireRotated(t).Snapshot
		if err := f.logOn(t, office2).Archive(snapshot.Previous.Thumbprint, true); err != nil {
			t.Fatal(err)
		}
		f.newRun(t).rollBack(snapshot).requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	// lose has a rotation lose its way back in the cutover, where it then is blocked.
	lose := func(t *testing.T, f *testFarm) (*testRun, farm.Thumbprint) {
		t.Helper()
		old := f.inUse(t)
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.onActivity("SetS2SCertificate", func() { f.lockKey(t, office2, old) })
		return r, old
	}
	// assertStays asserts that the rotation is blocked where it was, with the reason why
	// it is not rolled back, and that nothing was touched.
	assertStays := func(r *testRun) {
		r.t.Helper()
		r.requireBlocked(frontEnd, "it cannot be rolled back")
		r.requireBlocked(frontEnd, office2+": the previous certificate")
		r.requireBlocked(frontEnd, "NETWORK SERVICE cannot read")
		if phase := r.status().Phase; phase != farm.PhaseCutover {
			r.t.Errorf("it is blocked in phase %q, want %q", phase, farm.PhaseCutover)
		}
		if touched := r.hostsOf("RestoreIssuer"); len(touched) > 0 {
			r.t.Errorf("issuers were restored on %v", touched)
		}
	}
	t.Run("a running rotation stays where it is blocked, and is rolled back once that is repaired", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		r, old := lose(t, f)
		r.after(time.Hour, func() {
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.after(3*time.Hour, func() {
			assertStays(r)
			f.unlockKey(t, office2, old)
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("a running rotation stays where it is blocked, and goes on", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r, _ := lose(t, f)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
		r.after(3*time.Hour, func() {
			assertStays(r)
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.rotate().requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
	t.Run("a step that nobody decides about is tried again instead", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r, _ := lose(t, f)
		r.after(25*time.Hour, func() {
			assertStays(r)
			f.sim.ClearFaults()
		})
		r.rotate().requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
	t.Run("one that is cancelled ends, and says what stays", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r, _ := lose(t, f)
		r.after(time.Hour, r.env.CancelWorkflow)
		r.rotate().requireCancelled(farm.Incomplete).assertStatement("nothing could be rolled back", office2, "NETWORK SERVICE cannot read")
		if touched := r.hostsOf("RestoreIssuer"); len(touched) > 0 {
			t.Errorf("issuers were restored on %v", touched)
		}
	})
}

// TestRotate_PreviousEnds has the certificate in use end while the rotation waits for
// an operator.
func TestRotate_PreviousEnds(t *testing.T) {
	t.Run("what is staged is rolled back no more, and the approval says so", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		end := f.inspect(t).Current.NotAfter
		r := f.newRun(t)
		r.env.SetStartTime(end.Add(-2 * day))
		r.after(day+6*time.Hour, func() {
			w := r.requireWait(farm.ForApproval)
			assertMentions(t, w.Text, "ends in 2", " hours")
			assertOption(t, w, farm.RollBack, "no restart")
			if w.RollbackBlocked != "" {
				t.Errorf("less than a day before the end it cannot be rolled back: %s", w.RollbackBlocked)
			}
		})
		r.after(3*day, func() {
			w := r.requireWait(farm.ForApproval)
			assertMentions(t, w.Text, "there is no way back", "has ended on")
			assertNoOption(t, w, farm.RollBack)
			assertMentions(t, w.RollbackBlocked, "an expired certificate is never restored")
			r.assertDecisionRefused(farm.Decision{Choice: farm.RollBack}, "an expired certificate is never restored")
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified)
	})
	t.Run("a blocked step is tried again, and not rolled back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		end := f.inspect(t).Current.NotAfter
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.env.SetStartTime(end.Add(-12 * time.Hour))
		r.after(time.Hour, func() {
			if b := r.requireBlocked(frontEnd, "the disk is full"); b.Then != "the rotation is rolled back" {
				t.Errorf("before the end %s", b.Then)
			}
		})
		r.after(20*time.Hour, func() {
			if b := r.requireBlocked(frontEnd, "the disk is full"); b.Then != "it is tried again" {
				t.Errorf("after the end %s", b.Then)
			}
			f.sim.ClearFaults()
		})
		r.rotate().requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
}

// TestRollback_AfterReset has Temporal reset a rotation that had cut over to before its
// approval. Its history then tells nothing of the cutover, which is rolled back all the
// same.
func TestRollback_AfterReset(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	before := f.sim.Trust()
	r := f.newRun(t)
	r.marks.originalRunID = "before the reset"
	r.after(time.Hour, func() {
		cutOver := f.newRun(t) // as the run did after the point that it was reset to
		cutOver.after(time.Minute, cutOver.approve)
		cutOver.rotate().requireOutcome(farm.Verified)
		r.decide(farm.Decision{Choice: farm.RollBack})
	})
	if r.rotate().requireOutcome(farm.RolledBack).Snapshot.Staged {
		t.Error("it claims to know that no more than staging was done")
	}
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}
