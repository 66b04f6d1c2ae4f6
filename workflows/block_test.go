package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
)

func TestRotate_Blocked(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	f.addFaults(t, brokenScript(office2, "Import-S2SCertificate"))
	r := f.newRun(t)
	r.after(time.Hour, func() {
		b := r.requireBlocked(office2, "the disk is full")
		if b.Step != farm.StepImport || b.Until.IsZero() || b.Then != "the rotation is rolled back" {
			t.Errorf("blocked is %+v, want the import, until when, and what then follows", b)
		}
		f.sim.ClearFaults()
		r.decide(farm.Decision{Choice: farm.Retry, Server: office2})
	})
	ended := r.rotate().requireOutcome(farm.Verified)
	f.assertRefreshes(t)
	t.Run("the report says no more of what is over", func(t *testing.T) {
		if row := ended.requireStep(office2, farm.StepImport); row.State != farm.StateChanged || strings.Contains(row.Detail, "the disk is full") {
			t.Errorf("the retried step is %s: %q", row.State, row.Detail)
		}
	})
	t.Run("the report records who decided what, and why", func(t *testing.T) {
		var decisions []farm.Decision
		for _, d := range ended.Decisions {
			decisions = append(decisions, d.Decision)
		}
		want := []farm.Decision{{Choice: farm.Retry, Server: office2, By: "op", Reason: "a test"}}
		if diff := cmp.Diff(want, decisions); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestRotate_Retries(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 3})
	f.addFaults(t,
		fault.Fault{Server: office2, Step: "Import-S2SCertificate", Kind: fault.Refused, Times: 20},
		untilBlocked(brokenScript(office3, "Import-S2SCertificate")),
	)
	r := f.newRun(t)
	r.after(time.Hour, func() {
		// A server that restarts is waited for; other errors are retried briefly.
		r.requireBlocked(office3, "the disk is full")
		r.decide(farm.Decision{Choice: farm.Retry})
	})
	r.rotate().requireOutcome(farm.Verified)
	if left := f.sim.Pending(); len(left) > 0 {
		t.Errorf("faults were not met: %+v", left)
	}
}

func TestRotate_RefusedDecisions(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	f.setPolicy(requireApproval)
	r := f.newRun(t)
	r.after(time.Hour, func() {
		for want, d := range map[string]farm.Decision{
			`"" is not one of the choices`:     {By: "op", Reason: "x"},
			"the reason may have 1000 bytes":   {Choice: farm.Abort, By: "op", Reason: strings.Repeat("x", 1<<20)},
			"abort: give a reason":             {Choice: farm.Abort, By: "op"},
			"give the digest":                  {Choice: farm.Approve},
			"the digest is now":                {Choice: farm.Approve, Digest: "0123"},
			"retry: nothing is blocked":        {Choice: farm.Retry},
			"nothing is blocked on " + office2: {Choice: farm.Skip, Server: office2},
		} {
			r.assertDecisionRefused(d, want)
		}
		r.approve()
	})
	if decisions := r.rotate().requireOutcome(farm.Verified).Decisions; len(decisions) != 1 {
		t.Errorf("the report has %d decisions, want the approval alone", len(decisions))
	}
}

func TestRotate_Skip(t *testing.T) {
	skip := farm.Decision{Choice: farm.Skip, Server: strings.ToUpper(office2), Force: true}
	t.Run("the report lists what differs on a server that was skipped", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.addFaults(t, brokenScript(office2, "Import-S2SCertificate"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.Skip, Server: office2}, "its data refreshes will fail")
			r.decide(skip)
		})
		r.rotate().requireOutcome(farm.Partial).assertDiffersOnlyOn(office2)
	})
	t.Run("a rollback does not leave out what the rotation did", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		f.addFaults(t, brokenScript(office2, "Grant-S2SKey"), brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.decide(skip)
		})
		r.after(time.Hour+time.Minute, func() {
			r.assertDecisionRefused(skip, "nothing is blocked on "+strings.ToUpper(office2))
		})
		r.after(2*time.Hour, func() {
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.RollBack})
		})
		r.rotate().requireOutcome(farm.RolledBack).assertStatement("op asked for it")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a server that a rollback leaves out is not reported as rolled back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(rollBackOnFailure)
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"), brokenScript(office2, "Remove-S2SCertificate"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			if b := r.requireBlocked(office2, "the disk is full"); b.Until.IsZero() || b.Then != "it is tried again" {
				t.Errorf("during the rollback blocked is %+v, want until when, and that it is then tried again", b)
			}
		})
		r.after(50*time.Hour, func() { r.decide(skip) })
		r.rotate().requireOutcome(farm.Partial).assertDiffersOnlyOn(office2)
	})
}
