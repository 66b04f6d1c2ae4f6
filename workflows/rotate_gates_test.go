package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// noon is ten hours before the window that tests configure, which is in UTC.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// assertEndedInWindow asserts that a run that began at noon ended in the window
// of a day of the month.
func (e endedRun) assertEndedInWindow(dayOfMonth int) {
	e.t.Helper()
	end := noon.Add(time.Duration(e.DurationMS) * time.Millisecond)
	if end.Day() != dayOfMonth || end.Hour() < 2 || end.Hour() >= 5 {
		e.t.Errorf("ended at %s, want in the window of the %dth", end, dayOfMonth)
	}
}

func TestRotate_Window(t *testing.T) {
	t.Run("the cutover waits for it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setWindow(t)
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.after(time.Hour, func() { r.requireWait(farm.ForWindow) })
		r.rotate().requireOutcome(farm.Verified).assertEndedInWindow(24)
	})
	t.Run("the cutover does not begin after it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setWindow(t)
		r := f.newRun(t)
		r.env.SetStartTime(noon)
		r.onCompare(func(nth int, _ *activities.Comparison) error {
			if nth != 2 {
				return nil
			}
			// As when no worker ran while the window was open.
			return temporal.NewApplicationErrorWithOptions("delayed", "", temporal.ApplicationErrorOptions{NextRetryDelay: 8 * time.Hour})
		})
		r.rotate().requireOutcome(farm.Verified).assertEndedInWindow(25)
	})
}

func TestRotate_Recheck(t *testing.T) {
	t.Run("the farm has changed since the approval", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			f.removeIssuer(t)
			r.approve()
		})
		r.after(2*time.Hour, func() {
			r.requireBlocked(office1, "the farm has changed since the rotation was planned")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.rotate().requireOutcome(farm.Partial)
	})
	t.Run("what would have refused the rotation blocks the cutover", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		r := f.newRun(t)
		restarted := false
		r.onCompare(func(nth int, c *activities.Comparison) error {
			if nth > 1 && !restarted {
				c.Findings = append(c.Findings, farm.Finding{
					Code: "pending-reboot", Severity: farm.Stop, Server: office2, Text: "Windows waits for a restart", Remedy: "restart it first",
				})
			}
			return nil
		})
		r.after(time.Hour, func() {
			r.requireBlocked(office2, "since the rotation was planned: "+office2+": Windows waits for a restart: restart it first")
			if phase := r.status().Phase; phase != farm.PhaseWaiting {
				t.Errorf("it is blocked in phase %q, want %q", phase, farm.PhaseWaiting)
			}
			restarted = true
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.rotate().requireOutcome(farm.Verified)
		if !restarted {
			t.Error("the cutover was not blocked")
		}
	})
	t.Run("a stop that is found then can be accepted", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setPolicy(requireApproval)
		r := f.newRun(t)
		before := ""
		r.after(time.Hour, func() {
			before = r.requireWait(farm.ForApproval).Digest
			f.installUpdates(t, office2)
			r.approve()
		})
		retry := func(accept ...string) farm.Decision { return farm.Decision{Choice: farm.Retry, Accept: accept} }
		pending := "pending-reboot@" + office2
		r.after(2*time.Hour, func() {
			blocked := r.requireBlocked(office2, "since the rotation was planned: "+office2+": a reboot of Windows is pending")
			if !slices.Equal(blocked.Accept, []string{pending}) {
				t.Errorf("a retry can accept %q, want %q", blocked.Accept, pending)
			}
			r.assertDecisionRefused(retry("masters-differ"), "can never be accepted")
			r.assertDecisionRefused(retry("pending-reboot@"+office1), "that is not what blocks it; it is "+pending)
			r.decide(retry("pending-reboot@" + strings.ToUpper(office2)))
		})
		r.after(3*time.Hour, func() {
			if again := r.requireWait(farm.ForApproval).Digest; again == before {
				t.Error("the approval from before covers what was accepted since")
			}
			r.approve()
		})
		r.rotate().requireOutcome(farm.Verified).assertAccepted(pending + " by op: a test")
	})
	t.Run("what was accepted at first does not block it, also once it has gone", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setPolicy(requireApproval)
		f.installUpdates(t, office1)
		f.installUpdates(t, office2)
		r := f.newRun(t)
		r.after(time.Hour, func() {
			if err := f.sim.World.Reboot(office2, time.Nanosecond); err != nil {
				t.Error(err)
			}
			r.approve()
		})
		in := workflows.RotateInput{Accepted: farm.NewAcceptances([]string{"pending-reboot"}, "op", "patch day", noon)}
		r.rotateWith(in).requireOutcome(farm.Verified).
			assertAccepted("pending-reboot@"+office1+" by op: patch day", "pending-reboot@"+office2+" by op: patch day")
	})
	t.Run("a retry accepts nothing where a step has failed", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.addFaults(t, brokenScript(office2, "Import-S2SCertificate"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.Retry, Accept: []string{"pending-reboot"}}, "nothing that is blocked can be accepted")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.rotate().requireOutcome(farm.Partial)
	})
}
