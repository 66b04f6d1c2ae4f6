package workflows_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// subjectReadings are the two ways to read the published case: two certificates
// of one subject stop Office Online Server, or they do not.
var subjectReadings = map[string]model.Policy{
	"the subject matters":         {SameSubjectStopsService: true},
	"the subject does not matter": {},
}

// TestRotate_SameSubject is about a renewal, which keeps its subject.
func TestRotate_SameSubject(t *testing.T) {
	for name, policy := range subjectReadings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{OfficeServers: 3, Trusting: true, Policy: policy})
			before := f.sim.Trust()
			rotated := f.requireRotated(t)
			f.rotate(t).requireOutcome(farm.NoChange)
			f.newRun(t).rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
}

// TestRotate_SameSubjectReboots reboots every office server between two steps of a
// renewal and of its rollback: each is able to start, however the case is read.
func TestRotate_SameSubjectReboots(t *testing.T) {
	for name, policy := range subjectReadings {
		for _, activity := range []string{
			"GrantKey", "ExportCertificate", "TrustRootAuthorities", "SetS2SCertificate", "TrustIssuer", "RestartSharePoint", "RestartOffice",
			"RestoreIssuer", "RestoreS2SCertificate", "RemoveRootAuthorities", "RevokeKey", "RemoveCertificate",
		} {
			t.Run(name+", before "+activity, func(t *testing.T) {
				t.Parallel()
				f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: policy})
				before := f.sim.Trust()
				r := f.newRun(t)
				r.onActivity(activity, f.rebootOffice(t))
				rotated := r.rotate().requireOutcome(farm.Verified)
				f.assertRefreshes(t)
				r = f.newRun(t)
				r.onActivity(activity, f.rebootOffice(t))
				r.rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
				f.assertTrustUnchanged(t, before)
				f.assertRefreshes(t)
			})
		}
	}
}

// rebootOffice returns what reboots every office server, and asserts that the
// service comes back on each.
func (f *testFarm) rebootOffice(t *testing.T) func() {
	t.Helper()
	return func() {
		for _, host := range []string{office1, office2} {
			if err := f.sim.Reboot(host, 0); err != nil {
				t.Error(err)
			}
			if state, err := f.logOn(t, host).Service(model.WACSM); err != nil || !state.Running {
				t.Errorf("%s: WACSM runs after a reboot: %t, %v", host, state.Running, err)
			}
		}
	}
}

// TestRotate_SameSubjectRebootsInBetween reboots an office server in the seconds
// after the setting has arrived and before its certificates are swapped: the service
// does not start, and a retry makes the swap.
func TestRotate_SameSubjectRebootsInBetween(t *testing.T) {
	for name, policy := range subjectReadings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: policy})
			r := f.newRun(t)
			r.onActivity("AwaitReplication", func() {
				if err := f.sim.Reboot(office2, 0); err != nil {
					t.Error(err)
				}
			})
			r.after(2*time.Hour, func() {
				r.requireBlocked(office2, "WACSM")
				r.decide(farm.Decision{Choice: farm.Retry, Server: office2})
			})
			r.rotate().requireOutcome(farm.Verified)
			f.assertRefreshes(t)
		})
	}
}
