package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/report"
)

// reportedFarm is a farm that trusts a certificate, whose rotation takes an approval.
func reportedFarm(t *testing.T) *testFarm {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	f.activities.Version = "v1.2.3"
	return f
}

// assertInUse asserts which certificate the report says that the farm has.
func (e endedRun) assertInUse(want farm.Thumbprint) {
	e.t.Helper()
	if e.InUse == nil || e.InUse.Thumbprint != want || e.InUse.NotAfter.IsZero() {
		e.t.Errorf("in use is %+v, want %s, with its end", e.InUse, want)
	}
}

// assertProof asserts that the report says that something was verified.
func (e endedRun) assertProof(parts ...string) {
	e.t.Helper()
	assertMentions(e.t, strings.Join(e.Proofs, "\n"), parts...)
}

// differsBy lists the steps of the differences that are left.
func (e endedRun) differsBy() []farm.Step {
	var steps []farm.Step
	for _, d := range e.Differences {
		steps = append(steps, d.Step)
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

func TestReport_Renewal(t *testing.T) {
	t.Parallel()
	f := reportedFarm(t)
	f.addFaults(t, fault.Fault{Server: office2, Step: "Import-S2SCertificate", Kind: fault.ScriptError, Times: 2, Error: &fault.Error{ID: "Test,Busy", Message: "the store is busy"}})
	r := f.newRun(t)
	r.env.SetStartTime(noon)
	r.after(3*time.Hour, r.approve)
	e := r.rotate().requireOutcome(farm.Verified)

	e.assertInUse(e.Target)
	if e.Previous == "" || e.PreviousNotAfter.IsZero() || e.PreviousName == "" {
		t.Errorf("previous is %s %q until %s", e.Previous, e.PreviousName, e.PreviousNotAfter)
	}
	if e.RunID == "" || e.WorkflowID != "rotate/contoso" || e.Version != "v1.2.3" || !e.EndedAt.Equal(e.StartedAt.Add(time.Duration(e.DurationMS)*time.Millisecond)) {
		t.Errorf("run %s of %s, by %s, from %s to %s in %dms", e.RunID, e.WorkflowID, e.Version, e.StartedAt, e.EndedAt, e.DurationMS)
	}
	if len(e.Waits) != 1 || e.Waits[0].For != "an approval" || e.Waits[0].By != "op: approve" || e.Waits[0].To.Sub(e.Waits[0].From) < 2*time.Hour {
		t.Errorf("waits are %+v", e.Waits)
	}
	e.assertProof("on 2 office servers the key of "+e.Target.Short()+" signed as NETWORK SERVICE", "both trusted token issuers of the SharePoint farm hold "+e.Target.Short(), "not verified: no token")
	if row := e.requireStep(office2, farm.StepImport); row.Attempts != 3 || !strings.Contains(row.LastError, "the store is busy") || row.StartedAt.Before(noon) {
		t.Errorf("the import on %s is reported as %+v", office2, row)
	}
	if row := e.requireStep(office1, farm.StepImport); row.Attempts != 0 || row.LastError != "" {
		t.Errorf("the import on %s is reported as %+v", office1, row)
	}
	from, to := e.Previous.Short(), e.Target.Short()
	want := []farm.Change{{Name: "issuer for SharePoint Server", Before: from, After: to}, {Name: "issuer for SQL Server", Before: from, After: to}}
	if diff := cmp.Diff(want, e.requireStep(frontEnd, farm.StepIssuer).Changes); diff != "" {
		t.Errorf("changes of the issuers (-want +got):\n%s", diff)
	}
	names := []farm.Change{
		{Name: "S2SCertificateName", Before: `"` + e.PreviousName + `"`, After: `"` + e.FriendlyName + `"`},
		{Name: "certificate " + to, Before: "archived", After: "visible"},
		{Name: "certificate " + from, Before: "visible", After: "archived"},
	}
	if diff := cmp.Diff(names, e.requireStep(office1, farm.StepS2SName).Changes); diff != "" {
		t.Errorf("changes of the setting (-want +got):\n%s", diff)
	}
}

// The differences of a run that ends half-way are those at its end: what it has staged is
// not missing any more.
func TestReport_Aborted(t *testing.T) {
	atTheEnd := []farm.Step{farm.StepReplication, farm.StepRestart, farm.StepS2SName, farm.StepIssuer}
	slices.Sort(atTheEnd)
	for name, c := range map[string]struct {
		faults []fault.Fault
		unseen string
	}{
		"every server is seen at the end": {nil, ""},
		"one of them is not":              {[]fault.Fault{{Server: office2, Step: "Get-OfficeServer", Kind: fault.Refused, Times: -1}}, office2},
		"the front end is not":            {[]fault.Fault{{Server: frontEnd, Kind: fault.Refused, Times: -1}}, frontEnd},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := reportedFarm(t)
			r := f.newRun(t)
			r.after(time.Hour, func() {
				f.addFaults(t, c.faults...)
				r.decide(farm.Decision{Choice: farm.Abort})
			})
			e := r.rotate().requireOutcome(farm.Partial)
			e.assertStatement("not finished: aborted by op (a test); ", "differences are left, as listed")
			e.assertInUse(e.Previous)
			if diff := cmp.Diff(atTheEnd, e.differsBy()); diff != "" {
				t.Errorf("steps that are left (-want +got):\n%s", diff)
			}
			if !strings.Contains(e.Unseen, c.unseen) || (c.unseen == "") != (e.Unseen == "") || e.ComparedAt.Before(e.StartedAt.Add(time.Hour)) {
				t.Errorf("compared at %s, without %q", e.ComparedAt, e.Unseen)
			}
		})
	}
	t.Run("no worker has the farm any more", func(t *testing.T) {
		t.Parallel()
		f := reportedFarm(t)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.config = &config.Config{}
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		e := r.rotate().requireOutcome(farm.Partial)
		assertMentions(t, e.Unseen, "could not be observed at the end", "not in the configuration")
		e.assertInUse(e.Previous)
		if diff := cmp.Diff(atTheEnd, e.differsBy()); diff != "" {
			t.Errorf("steps that are left (-want +got):\n%s", diff)
		}
	})
}

func TestReport_RolledBack(t *testing.T) {
	t.Parallel()
	f := reportedFarm(t)
	r := f.newRun(t)
	r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
	e := r.rotate().requireOutcome(farm.RolledBack)
	e.assertInUse(e.Previous)
	e.assertProof("none of what was staged is left")
	if len(e.Differences) > 0 {
		t.Errorf("differences are left: %+v", e.Differences)
	}
}

// The controller has the reports of a year, and never says what was so before a run.
func TestReport_OfTheController(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	c := f.newController(t)
	assertNotTrusted := func() {
		s := c.state()
		page := report.Farm(s, time.Now()).Markdown()
		if s.IsTrusted(time.Now()) || strings.Contains(page, "trusted until") {
			t.Errorf("is called trusted while %+v works, or before an inspection after it: %s", s.Active, page)
		}
	}
	for _, working := range []string{"ImportCertificate", "SetS2SCertificate", "RestartOffice", "DeleteCertificate"} {
		c.onActivity(working, func() {
			if working != "DeleteCertificate" { // the old certificate is nobody's trust
				assertNotTrusted()
			}
		})
	}
	var inspections []string
	c.hooks = append(c.hooks, func(a startedActivity) {
		if s := c.state(); a.name == "InspectFarm" && s.AwaitsInspection() {
			inspections = append(inspections, report.Farm(s, time.Now()).State)
			assertNotTrusted()
		}
	})
	c.after(retention-time.Hour, func() {
		s := c.state()
		if !s.IsTrusted(time.Now()) {
			t.Errorf("is not called trusted although it was inspected: %+v, next %+v", s.Inspected, s.Next)
		}
	})
	c.after(retirement, func() { c.decideOn(retireID, farm.Approve) })
	reports := c.runUntil(retirement + time.Hour).Reports
	if reports.Rotation == nil || reports.Retirement == nil {
		t.Fatalf("kept %+v", reports)
	}
	rotated, retired := endedRun{farm.RotationResult{Report: *reports.Rotation}, t, nil}, endedRun{farm.RotationResult{Report: *reports.Retirement}, t, nil}
	rotated.assertInUse(rotated.Target)
	retired.assertInUse(rotated.Target)
	retired.assertProof("nothing named it on each of 2 office servers", "no trusted token issuer of the SharePoint farm held it")
	if retired.Target != rotated.Previous {
		t.Errorf("retired %s, want %s", retired.Target, rotated.Previous)
	}
	if diff := cmp.Diff([]string{"being inspected"}, inspections); diff != "" {
		t.Errorf("the farm while it is inspected after a run (-want +got):\n%s", diff)
	}
}
