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
			assertMentions(t, r.requireWait(farm.ForApproval).Text, "roll back what is staged", "there is no way back", office2, "NETWORK SERVICE cannot read")
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
	t.Run("that of a running rotation blocks before anything is touched", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		old := f.inUse(t)
		before := f.sim.Trust()
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.onActivity("SetS2SCertificate", func() { f.lockKey(t, office2, old) })
		r.after(time.Hour, func() {
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.after(3*time.Hour, func() {
			r.requireBlocked(office2, "NETWORK SERVICE cannot read")
			if touched := r.hostsOf("RestoreIssuer"); len(touched) > 0 {
				t.Errorf("before that issuers were restored on %v", touched)
			}
			f.unlockKey(t, office2, old)
			r.decide(farm.Decision{Choice: farm.Retry, Server: office2})
		})
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
}
