package workflows_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/workflows"
)

// The servers of a second office farm.
const (
	other1 = "dr-01.contoso.com"
	other2 = "dr-02.contoso.com"
)

// newOfficesFarm starts a farm with two office farms of two servers.
func newOfficesFarm(t *testing.T, o farmsim.Options) *testFarm {
	t.Helper()
	if len(o.OtherOffices) == 0 {
		o.OtherOffices = []farmsim.OtherOffice{{Name: "dr", Servers: 2}}
	}
	return newTestFarm(t, o)
}

func TestRotate_OfficeFarms(t *testing.T) {
	for name, o := range map[string]farmsim.Options{
		"first set-up": {},
		"renewal":      {Trusting: true},
		"an office farm that is not set up joins one that is":    {Trusting: true, OtherOffices: []farmsim.OtherOffice{{Name: "dr", Servers: 2, NotSetUp: true}}},
		"settings reach members late":                            {Trusting: true, Policy: model.Policy{ReplicationDelay: 50 * time.Millisecond}},
		"a certificate that signs itself is trusted as the root": {Trusting: true, SelfSigned: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOfficesFarm(t, o)
			r := f.newRun(t)
			r.rotate().requireOutcome(farm.Verified)
			f.assertRefreshes(t)
			if diff := cmp.Diff([]string{office1, other1}, r.hostsOf("SetS2SCertificate")); diff != "" {
				t.Errorf("the name is set on (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{office2, office1, other2, other1}, r.hostsOf("RestartOffice")); diff != "" {
				t.Errorf("restarts, members first (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRotate_OfficeFarms_HTTPSettings(t *testing.T) {
	f := newOfficesFarm(t, farmsim.Options{Trusting: true})
	f.configure = func(c *farm.Farm) {
		// Of its own: runs read the configuration at the same time.
		c.Office.Others = slices.Clone(c.Office.Others)
		c.Office.Others[0].AllowOutboundHTTP = new(true)
	}
	before := f.sim.Trust()
	ended := f.rotate(t).requireOutcome(farm.Verified)
	got := map[string]bool{}
	for _, m := range f.sim.State().OfficeMembers() {
		got[m.Host] = m.Settings.AllowOutboundHTTP
	}
	if diff := cmp.Diff(map[string]bool{office1: false, office2: false, other1: true, other2: true}, got); diff != "" {
		t.Errorf("AllowOutboundHttp is that of each office farm (-want +got):\n%s", diff)
	}
	f.newRun(t).rollBack(ended.Snapshot).requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
}

func TestRotate_OfficeFarms_MasterMoves(t *testing.T) {
	f := newOfficesFarm(t, farmsim.Options{Trusting: true})
	r := f.newRun(t)
	r.onActivity("SetS2SCertificate", func() {
		if err := f.sim.World.MoveMaster(other2); err != nil {
			t.Error(err)
		}
	})
	r.rotate().requireOutcome(farm.Verified)
	f.assertRefreshes(t)
}

func TestRollBack_OfficeFarms(t *testing.T) {
	notSetUp := []farmsim.OtherOffice{{Name: "dr", Servers: 2, NotSetUp: true}}
	for name, o := range map[string]farmsim.Options{
		"a first set-up":            {},
		"a renewal":                 {Trusting: true},
		"one of two was not set up": {Trusting: true, OtherOffices: notSetUp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newOfficesFarm(t, o)
			before := f.sim.Trust()
			snapshot := f.rotate(t).requireOutcome(farm.Verified).Snapshot
			f.newRun(t).rollBack(snapshot).requireOutcome(farm.RolledBack)
			f.assertTrustUnchanged(t, before)
		})
	}
	t.Run("one of two refuses to have no name again", func(t *testing.T) {
		t.Parallel()
		f := newOfficesFarm(t, farmsim.Options{Trusting: true, OtherOffices: notSetUp, Policy: model.Policy{KeepS2SName: true}})
		snapshot := f.rotate(t).requireOutcome(farm.Verified).Snapshot
		rolledBack := f.newRun(t).rollBack(snapshot).requireOutcome(farm.RolledBack)
		assertFinding(t, rolledBack.Findings, "s2s-name-stays", other1)
		f.assertOnServers(t, snapshot.Target.Thumbprint, 2) // those of the other office farm
	})
}

// TestRotate_OfficeFarms_Canary breaks the restart of the first member: no other
// server, and nothing of the other office farm, is restarted before the rollback.
func TestRotate_OfficeFarms_Canary(t *testing.T) {
	f := newOfficesFarm(t, farmsim.Options{Trusting: true})
	before := f.sim.Trust()
	f.addFaults(t, untilBlocked(brokenScript(office2, "Restart-OfficeServer")))
	r := f.newRun(t)
	r.onActivity("RestoreIssuer", func() {
		others := slices.DeleteFunc(r.hostsOf("RestartOffice"), func(host string) bool { return host == office2 })
		if len(others) > 0 {
			t.Errorf("the canary %s failed, but before the rollback %v were restarted", office2, others)
		}
	})
	r.rotate().requireOutcome(farm.RolledBack).assertStatement("because the canary failed", office2)
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)
}

// abortBetweenOffices leaves the first office farm with the new certificate and the
// other with the old one.
func (f *testFarm) abortBetweenOffices(t *testing.T) *farm.Snapshot {
	t.Helper()
	f.addFaults(t, brokenScript(other1, "Set-S2SCertificateName"))
	r := f.newRun(t)
	r.after(time.Hour, func() {
		r.requireBlocked(other1, "the disk is full")
		r.decide(farm.Decision{Choice: farm.Abort})
	})
	snapshot := r.rotate().requireOutcome(farm.Partial).Snapshot
	f.sim.ClearFaults()
	return snapshot
}

func TestRotate_OfficeFarms_Aborted(t *testing.T) {
	t.Run("another rotation finishes it", func(t *testing.T) {
		t.Parallel()
		f := newOfficesFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.abortBetweenOffices(t)
		ended := f.newRun(t).rotateWith(workflows.RotateInput{Snapshot: snapshot}).requireOutcome(farm.Verified)
		f.assertRefreshes(t)
		if diff := cmp.Diff(snapshot.Previous.Thumbprint, ended.Snapshot.Previous.Thumbprint); diff != "" {
			t.Errorf("the previous certificate (-before the abort +after):\n%s", diff)
		}
	})
	t.Run("a rollback restores both", func(t *testing.T) {
		t.Parallel()
		f := newOfficesFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		snapshot := f.abortBetweenOffices(t)
		f.newRun(t).rollBack(snapshot).requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
}

// TestRotate_OfficeFarms_Differ has two office farms that use different
// certificates, of which SharePoint trusts one: no certificate is taken for the
// current one, and a rotation repairs it.
func TestRotate_OfficeFarms_Differ(t *testing.T) {
	f := newOfficesFarm(t, farmsim.Options{Trusting: true})
	f.abortBetweenOffices(t)
	f.issueCertificate(t)
	inspected := f.inspect(t)
	assertFinding(t, inspected.Findings, "s2s-certificates-differ", "")
	if inspected.Current.Thumbprint != "" {
		t.Errorf("%s is taken for the current certificate", inspected.Current.Thumbprint)
	}
	ended := f.rotate(t).requireOutcome(farm.Verified)
	f.assertRefreshes(t)
	if ended.Snapshot.Replaces() {
		t.Errorf("%s is taken for the one that was replaced, and would be retired", ended.Snapshot.Previous.Thumbprint)
	}
}

// TestRollback_OfficeFarms_SettingsFile has two office farms with different
// certificates, and a member of the other one that cannot start with the new
// certificate: what its own farm had before is unarchived for it.
func TestRollback_OfficeFarms_SettingsFile(t *testing.T) {
	t.Parallel()
	f := newOfficesFarm(t, farmsim.Options{Trusting: true, Policy: model.Policy{SameSubjectStopsService: true}})
	friendlyName, _ := f.current(t)
	f.abortBetweenOffices(t)
	f.issueCertificate(t)
	r := f.newRun(t)
	r.hooks = append(r.hooks, func(a startedActivity) {
		if a.name == "RestartOffice" && a.host == other2 {
			f.rename(t, other2, f.newest(t), "another name")
		}
	})
	rolledBack := false
	r.decideOnce(func(blocked []farm.Blocked) bool {
		requireOneBlocked(t, blocked, other2)
		if !rolledBack {
			rolledBack = true
			r.decide(farm.Decision{Choice: farm.RollBack})
			return false
		}
		assertMentions(t, blocked[0].Text, friendlyName, "settings.xml")
		if err := f.sim.World.EditSettingsFile(other2, friendlyName); err != nil {
			t.Error(err)
		}
		r.decide(farm.Decision{Choice: farm.Retry})
		return true
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.rebootOffice(t)()
}

// TestRotate_Recreated re-creates an office farm as Microsoft's update procedure
// does, without -S2SCertificateName.
func TestRotate_Recreated(t *testing.T) {
	for name, c := range map[string]struct {
		host    string
		offices []farmsim.OtherOffice
	}{
		"the only one": {office1, nil},
		"one of two":   {other1, []farmsim.OtherOffice{{Name: "dr", Servers: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true, OtherOffices: c.offices})
			if err := f.sim.World.RecreateOfficeFarm(c.host, ""); err != nil {
				t.Fatal(err)
			}
			assertFinding(t, f.inspect(t).Findings, "s2s-name-lost", c.host)
			f.rotate(t).requireOutcome(farm.Verified)
			f.assertRefreshes(t)
			assertNoFinding(t, f.inspect(t).Findings, "s2s-name-lost")
		})
	}
}

// TestRotate_RecreatedMeanwhile re-creates the office farm after the cutover: the
// rotation says what is left, and both ways on lead to an end.
func TestRotate_RecreatedMeanwhile(t *testing.T) {
	recreated := func(t *testing.T) (*testFarm, *testRun) {
		t.Helper()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r := f.newRun(t)
		r.onActivity("RestartSharePoint", func() {
			if err := f.sim.World.RecreateOfficeFarm(office1, ""); err != nil {
				t.Error(err)
			}
		})
		return f, r
	}
	setByHand := func(f *testFarm, name string) {
		if err := f.sim.World.RecreateOfficeFarm(office1, name); err != nil {
			t.Error(err)
		}
	}
	t.Run("abort and rotate again", func(t *testing.T) {
		t.Parallel()
		f, r := recreated(t)
		r.after(time.Hour, func() {
			r.requireBlocked(office1, "abort and rotate again")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.rotate().requireOutcome(farm.Partial)
		f.rotate(t).requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
	t.Run("roll back", func(t *testing.T) {
		t.Parallel()
		f, r := recreated(t)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
		r.after(2*time.Hour, func() {
			r.requireBlocked(office1, "Set-OfficeWebAppsFarm -S2SCertificateName 'OOS S2S old' -Force")
			setByHand(f, "OOS S2S old")
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertRefreshes(t)
	})
}

// TestInspect_Dangling removes the certificate that the S2S name selects.
func TestInspect_Dangling(t *testing.T) {
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	held, err := f.logOn(t, office2).Certificates(model.My)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range held {
		if err := f.logOn(t, office2).SetFriendlyName(model.My, c.Thumbprint, "renamed by hand"); err != nil {
			t.Fatal(err)
		}
	}
	assertFinding(t, f.inspect(t).Findings, "s2s-name-dangling", office2, "renamed by hand", "settings.xml")
}

// TestRotate_NameAmbiguous shows the old certificate again, under the name of the one
// that is in use.
func TestRotate_NameAmbiguous(t *testing.T) {
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	ended := f.rotate(t).requireOutcome(farm.Verified)
	administrator := f.logOn(t, office2)
	if err := errors.Join(
		administrator.Archive(ended.Previous, false), administrator.SetFriendlyName(model.My, ended.Previous, ended.FriendlyName),
	); err != nil {
		t.Fatal(err)
	}
	f.issueCertificate(t)
	f.rotate(t).requireOutcome(farm.Refused).assertStatement(ended.FriendlyName, office2, "2 certificates")
}

// TestManageFarm_Recreated re-creates an office farm that its controller has seen in
// order: that is no first set-up, and an event has the name set again.
func TestManageFarm_Recreated(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	c := f.newController(t)
	c.after(time.Hour, func() {
		if code := c.state().Next.Code; code != farm.CodeNotSetUp {
			t.Errorf("before the first set-up the controller says %q", code)
		}
		c.sendEvent("set up")
	})
	c.after(4*time.Hour, func() {
		requireRun(t, c.state(), run{Outcome: farm.Verified, HasSnapshot: true})
		if err := f.sim.World.RecreateOfficeFarm(office1, ""); err != nil {
			t.Error(err)
		}
	})
	c.after(3*day, func() {
		requireRun(t, c.state(), run{Outcome: farm.Verified, HasSnapshot: true, NeedsOperator: true})
		assertMentions(t, c.state().Next.Reason, "has lost", "New-OfficeWebAppsFarm", "-S2SCertificateName")
		if code := c.state().Next.Code; code != farm.CodeNameLost {
			t.Errorf("after the update the controller says %q", code)
		}
		c.sendEvent("set it again")
	})
	state := c.runUntil(3*day + 4*time.Hour)
	assertMentions(t, state.Next.Reason, "trusted until")
	assertEventResult(t, state, "set it again", eventResult{rotateID, true, "has lost"})
	f.assertRefreshes(t)
}

func TestManageFarm_OfficeFarms(t *testing.T) {
	t.Parallel()
	f := newOfficesFarm(t, farmsim.Options{Trusting: true, OtherOffices: []farmsim.OtherOffice{{Name: "dr", Servers: 2, NotSetUp: true}}})
	state := f.newController(t).runUntil(3 * day)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true})
	f.assertRefreshes(t)
}

func TestRetire_OfficeFarms(t *testing.T) {
	t.Parallel()
	f := newOfficesFarm(t, farmsim.Options{Trusting: true})
	old := f.requireRenewed(t)
	r := f.newRun(t)
	r.after(time.Hour, func() {
		f.assertOnServers(t, old.Thumbprint, 4)
		r.approve()
	})
	r.retire(old).requireOutcome(farm.Verified)
	f.assertOnServers(t, old.Thumbprint, 0)
	f.assertRefreshes(t)
}

// assertFinding asserts that there is one finding of a code, on that server, with
// these words.
func assertFinding(t *testing.T, findings []farm.Finding, code, server string, words ...string) {
	t.Helper()
	var found []farm.Finding
	for _, f := range findings {
		if f.Code == code {
			found = append(found, f)
		}
	}
	if len(found) != 1 || found[0].Server != server {
		t.Fatalf("findings %q are %+v, want one on %q", code, found, server)
	}
	assertMentions(t, found[0].Text, words...)
}

func assertNoFinding(t *testing.T, findings []farm.Finding, code string) {
	t.Helper()
	if slices.ContainsFunc(findings, func(f farm.Finding) bool { return f.Code == code }) {
		t.Errorf("there is still a finding %q", code)
	}
}
