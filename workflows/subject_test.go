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

// TestRollback_SameSubjectAbortedBefore is about a rotation that was aborted between the
// setting of the name and the swap on a member, and the rollback of the next one: it
// leaves the certificate that the member's settings name alone of its subject.
func TestRollback_SameSubjectAbortedBefore(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: model.Policy{SameSubjectStopsService: true}})
	f.addFaults(t, brokenScript(office2, "Set-S2SCertificateArchived"))
	r := f.newRun(t)
	r.after(time.Hour, func() {
		r.requireBlocked(office2, "the disk is full")
		r.decide(farm.Decision{Choice: farm.Abort})
	})
	r.rotate().requireOutcome(farm.Partial)
	f.sim.ClearFaults()
	f.issueCertificate(t)
	rotated := f.requireRotated(t)
	ended := f.newRun(t).rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
	assertFinding(t, ended.Findings, "certificate-stays", office2, "visible certificate")
	f.rebootOffice(t)()
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
