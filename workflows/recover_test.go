package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
)

// TestRollback_Skip is about a member that does not come back: it is left out, and
// the report says what differs there.
func TestRollback_Skip(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	f.addFaults(t, serviceFails(canary, "Restart-OfficeServer", "WACSM"))
	r := f.newRun(t)
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, canary, "WACSM")
		f.assertRefreshesWithout(t, canary)
		r.decide(farm.Decision{Choice: farm.Skip, Server: canary, Force: true})
		return true
	})
	r.rotate().requireOutcome(farm.Partial).assertDiffersOnlyOn(canary)
	f.assertRefreshesWithout(t, canary)
}

// TestRollback_MasterIsReplaced is about a master that does not come back: another
// server is made the master, and the old one is left out.
func TestRollback_MasterIsReplaced(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	f.addFaults(t, serviceFails(master, "Restart-OfficeServer", "WACSM"))
	r := f.newRun(t)
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, master, "WACSM")
		r.decide(farm.Decision{Choice: farm.RollBack})
		return true
	})
	r.decideOnce(func(blocked []farm.Blocked) bool {
		if r.status().Phase != farm.PhaseRollingBack {
			return false
		}
		requireOneBlocked(t, blocked, master, "Set-OfficeWebAppsMachine -Master")
		if err := f.sim.World.MoveMaster(canary); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.after(19*time.Hour, func() {
		r.requireBlocked(master, "WACSM")
		f.assertRefreshesWithout(t, master)
		r.decide(farm.Decision{Choice: farm.Skip, Server: master, Force: true})
	})
	r.rotate().requireOutcome(farm.Partial).assertDiffersOnlyOn(master)
	f.assertRefreshesWithout(t, master)
}

// TestRollback_SettingsFile is about a canary that cannot start with the new
// certificate, so that the old name cannot reach it either: the operator does what the
// blocked step says, as public runbooks do.
func TestRollback_SettingsFile(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	before := f.sim.Trust()
	friendlyName, _ := f.current(t)
	r := f.newRun(t)
	r.onActivity("RestartOffice", func() { f.rename(t, canary, f.newest(t), "another name") })
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, canary, "The certificate has not been specified", friendlyName, "settings.xml", "Start-Service WACSM")
		f.assertRefreshesWithout(t, canary)
		if err := f.sim.World.EditSettingsFile(canary, friendlyName); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRollback_SettingsFileOfSetUp is the same for the first set-up of a single
// server, which had no name before, and no other server that could be the master.
func TestRollback_SettingsFileOfSetUp(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 1})
	before := f.sim.Trust()
	r := f.newRun(t)
	r.onActivity("RestartOffice", func() { f.rename(t, master, f.newest(t), "another name") })
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, master, "The certificate has not been specified", "empty the StringValue", "settings.xml", "Start-Service WACSM")
		if strings.Contains(blocked[0].Text, "-Master") {
			t.Errorf("there is no other server, but %q", blocked[0].Text)
		}
		if err := f.sim.World.EditSettingsFile(master, ""); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
}

// TestSkip_SharePointServer is about a SharePoint server that is gone, in a rotation
// and when the canary fails: the others are not kept waiting.
func TestSkip_SharePointServer(t *testing.T) {
	gone := []fault.Fault{
		{Server: appServer, Step: "Get-SharePointServer", Kind: fault.Refused, Times: -1},
		{Server: appServer, Step: "Restart-SharePointServer", Kind: fault.Refused, Times: -1},
	}
	skip := farm.Decision{Choice: farm.Skip, Server: appServer, Force: true}
	t.Run("in a rotation", func(t *testing.T) {
		t.Parallel()
		f := newServicesFarm(t)
		r := f.newRun(t)
		r.onActivity("RestartSharePoint", func() { f.addFaults(t, gone...) })
		r.decideOnce(func(blocked []farm.Blocked) bool {
			requireOneBlocked(t, blocked, appServer)
			r.assertDecisionRefused(farm.Decision{Choice: farm.Skip, Server: appServer}, "still belongs to its farm")
			r.decide(skip)
			return true
		})
		r.rotate().requireOutcome(farm.Partial).assertDiffersOnlyOn(appServer)
		f.assertRefreshesWithout(t, appServer)
	})
	t.Run("in a rollback", func(t *testing.T) {
		t.Parallel()
		f := newServicesFarm(t)
		f.addFaults(t, untilBlocked(brokenScript(canary, "Restart-OfficeServer")))
		r := f.newRun(t)
		r.onActivity("RestartOffice", func() { f.addFaults(t, gone...) })
		r.decideOnce(func(blocked []farm.Blocked) bool {
			requireOneBlocked(t, blocked, appServer)
			r.decide(skip)
			return true
		})
		r.rotate().requireOutcome(farm.Partial)
		f.assertRefreshesWithout(t, appServer)
	})
	t.Run("the front end cannot be left out", func(t *testing.T) {
		t.Parallel()
		f := newServicesFarm(t)
		f.addFaults(t, serviceFails(frontEnd, "Restart-SharePointServer", "SPTimerV4"))
		r := f.newRun(t)
		r.decideOnce(func(blocked []farm.Blocked) bool {
			requireOneBlocked(t, blocked, frontEnd, "SPTimerV4")
			r.assertDecisionRefused(farm.Decision{Choice: farm.Skip, Server: frontEnd, Force: true}, "cannot be left out")
			r.liftAndRetry()
			return true
		})
		r.rotate().requireOutcome(farm.Verified)
	})
}

// TestRollback_StartsWithOtherSettings is about a canary whose service an operator gets
// running by hand, with the new settings, before the old ones have reached it: it is
// restarted, although the note of an earlier run says that the old ones were loaded.
func TestRollback_StartsWithOtherSettings(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	before := f.sim.Trust()
	f.newRun(t).rollBack(f.requireRotated(t).Snapshot).requireOutcome(farm.RolledBack)
	f.addFaults(t, serviceFails(canary, "Restart-OfficeServer", "WACSM"))
	r := f.newRun(t)
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, canary, "WACSM")
		f.sim.ClearFaults()
		if err := f.sim.World.Reboot(canary, time.Nanosecond); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRollback_ServiceStopsBeforeRemoval is about a service that stops after its restart:
// what an operator reads is why the certificate cannot be removed.
func TestRollback_ServiceStopsBeforeRemoval(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	before := f.sim.Trust()
	rotated := f.requireRotated(t)
	r := f.newRun(t)
	r.onActivity("RevokeKey", func() { f.stopService(t, later, "WACSM") })
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, later, "WACSM is not running", "terminated unexpectedly", "start it, then try again")
		if err := f.sim.World.Reboot(later, time.Nanosecond); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// TestRotate_ServiceStopsBeforeCutover is about a service that stops after the farm was
// first observed: the cutover is blocked on its server, not on what cannot be read then.
func TestRotate_ServiceStopsBeforeCutover(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	r := f.newRun(t)
	r.onActivity("ExportCertificate", func() { f.stopService(t, later, "WACSM") })
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, later, "WACSM is not running", "terminated unexpectedly", "start the service")
		if err := f.sim.World.Reboot(later, time.Nanosecond); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rotate().requireOutcome(farm.Verified)
	f.assertRefreshes(t)
}
