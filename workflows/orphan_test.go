package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// cutOffImport leaves on a server what an import of the newest certificate leaves that is
// killed when Windows has written the key and nothing else has happened yet.
func (f *testFarm) cutOffImport(t *testing.T, host string) {
	t.Helper()
	bundle, err := f.Newest(t.Context(), farmsim.FarmName)
	if err != nil {
		t.Fatal(err)
	}
	password := cert.NewPassword()
	pfx, err := bundle.Encode(14393, farm.KeyProvider, password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.logOn(t, host).OpenPFX(model.StoreAdd, pfx, password, model.ImportFlags{MachineKeySet: true, PersistKeySet: true}); err != nil {
		t.Fatal(err)
	}
}

// keysWithout counts the keys of a server that no certificate has.
func (f *testFarm) keysWithout(host string) (count int) {
	for fact, of := range f.sim.Trust() {
		if strings.HasPrefix(fact, host+": key file ") && of == "of no certificate" {
			count++
		}
	}
	return count
}

// TestRotate_KilledImport is about a key that an import which was killed has left on a
// server: nothing there tells of it but its name.
func TestRotate_KilledImport(t *testing.T) {
	t.Run("the next attempt finds and deletes it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r := f.newRun(t)
		r.onActivity("ImportCertificate", func() { f.cutOffImport(t, office1) })
		r.rotate().requireOutcome(farm.Verified)
		if left := f.keysWithout(office1); left != 0 {
			t.Errorf("%d keys are left that no certificate has", left)
		}
	})
	t.Run("so does the way back, where nothing else was imported", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		r := f.newRun(t)
		r.onActivity("ImportCertificate", func() { f.cutOffImport(t, office1) })
		f.addFaults(t, brokenScript(office1, "Import-S2SCertificate"))
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that Windows keeps stops no rotation, and the report tells of it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: model.Policy{KeepsKeys: true}})
		r := f.newRun(t)
		r.onActivity("ImportCertificate", func() { f.cutOffImport(t, office1) })
		ended := r.rotate().requireOutcome(farm.Verified)
		told := ended.requireStep(office1, farm.StepImport).Detail
		if left := f.keysWithout(office1); left != 1 || !strings.Contains(told, "certutil -delkey farmtrust-"+string(ended.Target)) {
			t.Errorf("%d keys are left that no certificate has; the report says %q", left, told)
		}
	})
}
