package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// TestRotate_RewrittenSettings is about a product that writes its settings file
// without a change: its time is no evidence that a restart is pending.
func TestRotate_RewrittenSettings(t *testing.T) {
	for name, policy := range map[string]model.Policy{
		"at every start":  {RewritesAtStart: true},
		"again and again": {RewritesEvery: 5 * time.Millisecond},
		"whenever it can": {RewritesAtStart: true, RewritesEvery: 5 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: policy})
			before := f.sim.Trust()
			rotated := f.requireRotated(t)
			if n := len(rotated.Decisions); n > 0 {
				t.Errorf("the rotation took %d decisions of an operator", n)
			}
			f.rotate(t).requireOutcome(farm.NoChange)
			f.newRun(t).rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
}

// TestRotate_NoteOfEarlierRotation is about the canary of a second rotation, which
// does not start with the new certificate. When it is got running, it has loaded that,
// while the note of the first rotation says what the rollback sets again.
func TestRotate_NoteOfEarlierRotation(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	f.requireRotated(t)
	f.issueCertificate(t)
	before := f.sim.Trust()
	f.addFaults(t, serviceFails(canary, "Restart-OfficeServer", "WACSM"))
	r := f.newRun(t)
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, canary, "WACSM")
		r.liftAndRetry()
		return true
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRollback_StartedByHand is about the same canary where the rollback is aborted and
// an operator starts it: another rollback must not take the note for what it loaded.
func TestRollback_StartedByHand(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	f.requireRotated(t)
	f.issueCertificate(t)
	before := f.sim.Trust()
	f.addFaults(t, serviceFails(canary, "Restart-OfficeServer", "WACSM"))
	r := f.newRun(t)
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, canary, "WACSM")
		r.decide(farm.Decision{Choice: farm.Abort})
		return true
	})
	aborted := r.rotate().requireOutcome(farm.Partial)
	f.sim.ClearFaults()
	f.restartByHand(t, canary)
	f.newRun(t).rollBack(aborted.Snapshot).requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRotate_SameFriendlyName is about an administrator who imports a certificate by
// hand and gives it the friendly name that is set: no setting changes, so that
// nothing but the certificate itself tells that the office servers must restart.
func TestRotate_SameFriendlyName(t *testing.T) {
	for name, c := range map[string]struct {
		restarted bool
		hosts     []string
	}{
		"on every server": {hosts: []string{office1, office2}},
		"on every server, which restarted in between": {hosts: []string{office1, office2}, restarted: true},
		"on the master": {hosts: []string{office1}},
		"on a member":   {hosts: []string{office2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			all := []string{office1, office2}
			friendlyName, old := f.current(t)
			for _, host := range c.hosts {
				f.importByHand(t, host, "next")
			}
			if c.restarted {
				for _, host := range all {
					f.restartByHand(t, host)
				}
			}
			for _, host := range c.hosts {
				f.rename(t, host, old, "old")
				f.rename(t, host, f.newest(t), friendlyName)
			}
			if len(c.hosts) < len(all) {
				f.rotate(t).requireOutcome(farm.Refused).assertStatement("give this one another friendly name")
				for _, host := range all {
					f.rename(t, host, old, "old")
				}
			}
			f.requireRotated(t)
		})
	}
}

// current returns the friendly name that is set, and the certificate of that name.
func (f *testFarm) current(t *testing.T) (string, farm.Thumbprint) {
	t.Helper()
	n := f.inspect(t)
	if n.Current.Thumbprint == "" {
		t.Fatal("no certificate is in use")
	}
	return n.Current.FriendlyName, n.Current.Thumbprint
}

// newest returns the newest certificate of the source.
func (f *testFarm) newest(t *testing.T) farm.Thumbprint {
	t.Helper()
	bundle, err := f.Newest(context.Background(), farmsim.FarmName)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Certificate.Thumbprint
}

// importByHand imports the newest certificate as another administrator does.
func (f *testFarm) importByHand(t *testing.T, host, friendlyName string) {
	t.Helper()
	bundle, err := f.Newest(context.Background(), farmsim.FarmName)
	if err != nil {
		t.Fatal(err)
	}
	password := []byte("by hand")
	pfx, err := bundle.Encode(14393, farm.KeyProvider, password)
	if err != nil {
		t.Fatal(err)
	}
	session := f.logOn(t, host)
	if _, err := session.ImportPFX(model.StoreAdd, pfx, password, model.ImportFlags{MachineKeySet: true, PersistKeySet: true}); err != nil {
		t.Fatal(err)
	}
	f.rename(t, host, bundle.Certificate.Thumbprint, friendlyName)
	if _, err := session.GrantKey(bundle.Certificate.Thumbprint, farm.NetworkService); err != nil {
		t.Fatal(err)
	}
}

func (f *testFarm) rename(t *testing.T, host string, c farm.Thumbprint, friendlyName string) {
	t.Helper()
	if err := f.logOn(t, host).SetFriendlyName(model.My, c, friendlyName); err != nil {
		t.Fatal(err)
	}
}

// restartByHand restarts WACSM and IIS as another administrator does.
func (f *testFarm) restartByHand(t *testing.T, host string) {
	t.Helper()
	session := f.logOn(t, host)
	if err := session.RestartService(model.WACSM); err != nil {
		t.Fatal(err)
	}
	if err := session.IISReset(); err != nil {
		t.Fatal(err)
	}
}
