package workflows_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/log"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// reminders counts what a worker's log has of waits.
type reminders struct {
	mu    sync.Mutex
	lines []string
}

// Debug, Info and Error implement log.Logger.
func (*reminders) Debug(string, ...any) {}
func (*reminders) Info(string, ...any)  {}
func (*reminders) Error(string, ...any) {}

// Warn implements log.Logger.
func (r *reminders) Warn(msg string, keyvals ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; i+1 < len(keyvals); i += 2 {
		if text, ok := keyvals[i+1].(string); ok {
			msg += " " + text
		}
	}
	if slices.Contains(keyvals, any("reminder")) {
		r.lines = append(r.lines, msg)
	}
}

var _ log.Logger = (*reminders)(nil)

// about returns the lines with all of these words.
func (r *reminders) about(words ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, line := range r.lines {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

func (r *reminders) assertCount(t *testing.T, want int, words ...string) {
	t.Helper()
	if found := r.about(words...); len(found) != want {
		t.Errorf("reminded %d times of %v, want %d: %q", len(found), words, want, r.lines)
	}
}

func TestRotate_NotApproved(t *testing.T) {
	waitThreeDays := func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 3*day }
	t.Run("what is staged is rolled back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(waitThreeDays)
		before := f.sim.Trust()
		r := f.newRun(t)
		r.after(day, func() {
			if left := r.requireWait(farm.ForApproval).Until.Sub(r.env.Now()); left < 47*time.Hour || left > 49*time.Hour {
				t.Errorf("after a day %s are left, want two days", left)
			}
		})
		ended := r.rotate().requireOutcome(farm.RolledBack)
		ended.assertStatement("nobody approved by ", "the next inspection plans it again")
		if !ended.NotApproved {
			t.Error("the result does not say that nobody approved")
		}
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("what an earlier rotation changed stays", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.abortAfterRestartOf(t, office2)
		before := f.sim.Trust()
		f.setPolicy(waitThreeDays)
		ended := f.newRun(t).rotateWith(workflows.RotateInput{Snapshot: snapshot}).requireOutcome(farm.Incomplete)
		ended.assertStatement("nobody approved by ", "nothing is rolled back", "the next inspection plans it again")
		if !ended.NotApproved || ended.Snapshot == nil {
			t.Errorf("the result says that nobody approved: %t, and has the snapshot %v", ended.NotApproved, ended.Snapshot)
		}
		f.assertTrustUnchanged(t, before)
	})
	t.Run("an old certificate is unarchived and kept", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.ApprovalTimeout = 3 * day })
		old := f.requireRenewed(t)
		r := f.newRun(t)
		r.after(2*day, func() { f.assertArchived(t, true) })
		ended := r.retire(old).requireOutcome(farm.Partial)
		ended.assertStatement("nobody approved by ", "kept for another retention")
		if !ended.NotApproved {
			t.Error("the result does not say that nobody approved")
		}
		f.assertArchived(t, false)
		f.assertOnServers(t, old.Thumbprint, 2)
	})
}

func TestRun_Reminders(t *testing.T) {
	t.Run("every day, and when the end of the certificate is near", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 30*day })
		end := f.inspect(t).Current.NotAfter
		r, logged := f.newLoggedRun(t)
		r.env.SetStartTime(end.Add(-10*day - 12*time.Hour))
		r.after(9*day+18*time.Hour, func() {
			assertMentions(t, r.requireWait(farm.ForApproval).Text, "ends in ", " hours")
			logged.assertCount(t, 0, "has ended")
		})
		r.after(12*day, func() {
			assertMentions(t, r.requireWait(farm.ForApproval).Text, "has ended on")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		r.rotate().requireOutcome(farm.Partial)
		if n := len(logged.about(farmsim.FarmName, "approval")); n < 12 || n > 16 {
			t.Errorf("reminded %d times in twelve days: %q", n, logged.lines)
		}
		if n := len(logged.about("has ended")); n < 2 {
			t.Errorf("reminded %d times of the end: %q", n, logged.lines)
		}
	})
	t.Run("of a window only when the end is near", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		end := f.inspect(t).Current.NotAfter
		f.setPolicy(func(p *farm.RotationPolicy) {
			p.Window = farm.Window{Days: []time.Weekday{end.Add(2 * day).UTC().Weekday()}, From: 2 * time.Hour, To: 5 * time.Hour, Zone: "UTC"}
		})
		r, logged := f.newLoggedRun(t)
		r.env.SetStartTime(end.Add(-3*day - 12*time.Hour))
		r.rotate().requireOutcome(farm.Verified)
		logged.assertCount(t, 3, "still waits", "window") // three days before, one day, and at the end
		logged.assertCount(t, 1, "has ended")
	})
}

// TestRun_BacksOff has a step fail for a year where nothing can be rolled back: its
// history must not grow without end.
func TestRun_BacksOff(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.DecisionTimeout = 6 * time.Hour })
	snapshot := f.requireRotated(t).Snapshot
	f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
	r, logged := f.newLoggedRun(t)
	waits := map[time.Duration]bool{}
	r.after(time.Hour, func() {
		waits[r.requireBlocked(frontEnd, "the disk is full").Until.Sub(r.env.Now()).Round(time.Hour)] = true
	})
	attempts := 0
	r.after(100*day, func() {
		b := r.requireBlocked(frontEnd, "the disk is full")
		if !b.Until.IsZero() || b.Then != "it is not tried again by itself" {
			t.Errorf("after a hundred days blocked is %+v", b)
		}
		attempts = len(r.hostsOf("RestoreIssuer"))
	})
	r.after(365*day, func() {
		if later := len(r.hostsOf("RestoreIssuer")); later != attempts || attempts > 15*9 {
			t.Errorf("tried %d times in a hundred days, and %d in a year", attempts, later)
		}
		if n := len(logged.about("decision")); n < 360 {
			t.Errorf("reminded %d times in a year", n)
		}
		f.sim.ClearFaults()
		r.decide(farm.Decision{Choice: farm.Retry})
	})
	r.rollBack(snapshot).requireOutcome(farm.RolledBack)
}
