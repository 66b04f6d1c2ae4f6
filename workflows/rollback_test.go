package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestRotate_RollsBack(t *testing.T) {
	for name, c := range map[string]struct {
		policy    func(*farm.RotationPolicy)
		prepare   func(*testRun)
		cancelled bool
	}{
		"by decision": {prepare: func(r *testRun) {
			r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
		}},
		"by policy":       {policy: rollBackOnFailure},
		"by timeout":      {policy: func(p *farm.RotationPolicy) { p.DecisionTimeout = 2 * time.Hour }},
		"by cancellation": {cancelled: true, prepare: func(r *testRun) { r.after(time.Hour, r.env.CancelWorkflow) }},
	} {
		for _, script := range []string{"Grant-S2SKey", "Set-TrustedIssuer", "Restart-SharePointServer"} {
			t.Run(name+" at "+script, func(t *testing.T) {
				t.Parallel()
				f := newTestFarm(t, farmsim.Options{Trusting: true})
				if c.policy != nil {
					f.setPolicy(c.policy)
				}
				before := f.sim.Trust()
				broken := brokenScript("", script)
				if script == "Restart-SharePointServer" {
					// The rollback restarts too.
					broken = untilBlocked(brokenScript(frontEnd, script))
				}
				f.addFaults(t, broken)
				r := f.newRun(t)
				if c.prepare != nil {
					c.prepare(r)
				}
				if ended := r.rotate(); c.cancelled {
					ended.requireCancelled(farm.RolledBack)
				} else {
					ended.requireOutcome(farm.RolledBack)
				}
				f.assertTrustUnchanged(t, before)
				f.assertRefreshes(t)
			})
		}
	}
}

func TestRotate_Canary(t *testing.T) {
	for name, restarted := range map[string]string{
		"the first member":                  "",
		"the first member that is not done": office2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{OfficeServers: 4, Trusting: true})
			f.setPolicy(func(p *farm.RotationPolicy) { p.RestartAtOnce = 2 })
			before := f.sim.Trust()
			var snapshot *farm.Snapshot
			canary := office2
			if restarted != "" {
				canary, snapshot = office3, f.abortAfterRestartOf(t, restarted)
			}
			f.addFaults(t, untilBlocked(brokenScript(canary, "Restart-OfficeServer")))
			r := f.newRun(t)
			r.onActivity("RestoreIssuer", func() {
				others := slices.DeleteFunc(r.hostsOf("RestartOffice"), func(host string) bool { return host == canary || host == restarted })
				if len(others) > 0 {
					t.Errorf("the canary %s failed, but before the rollback %v were restarted", canary, others)
				}
			})
			r.rotateWith(workflows.RotateInput{Snapshot: snapshot}).requireOutcome(farm.RolledBack).assertStatement("because the canary failed", canary)
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
}

// abortAfterRestartOf leaves a rotation half-way, as one that is terminated is:
// one office server is restarted, the next is not. It returns the snapshot.
func (f *testFarm) abortAfterRestartOf(t *testing.T, host string) *farm.Snapshot {
	t.Helper()
	r := f.newRun(t)
	done := false
	r.hooks = append(r.hooks, func(a startedActivity) {
		if a.name == "RestartOffice" && a.host != host && !done {
			done = true
			f.addFaults(t, brokenScript(a.host, "Restart-OfficeServer"))
		}
	})
	// After its canary a rotation that fails is blocked.
	r.after(time.Hour, func() {
		f.sim.ClearFaults()
		r.decide(farm.Decision{Choice: farm.Abort})
	})
	return r.rotate().requireOutcome(farm.Partial).Snapshot
}

func TestRotate_Cancelled(t *testing.T) {
	for name, c := range map[string]struct {
		policy  func(*farm.RotationPolicy)
		prepare func(*testRun)
		want    farm.Outcome
	}{
		"while it observes": {
			prepare: func(r *testRun) { r.onActivity("ObserveOffice", r.env.CancelWorkflow) },
			want:    farm.Refused,
		},
		"while it waits for approval": {
			policy:  requireApproval,
			prepare: func(r *testRun) { r.after(time.Hour, r.env.CancelWorkflow) },
			want:    farm.RolledBack,
		},
		"while it waits for the window": {
			policy: func(p *farm.RotationPolicy) {
				p.Window = farm.Window{Days: []time.Weekday{time.Sunday}, From: 2 * time.Hour, To: 5 * time.Hour, Zone: "UTC"}
			},
			prepare: func(r *testRun) {
				r.env.SetStartTime(noon)
				r.after(time.Hour, r.env.CancelWorkflow)
			},
			want: farm.RolledBack,
		},
		"in the middle of a step": {
			prepare: func(r *testRun) { r.onActivity("TrustIssuer", r.env.CancelWorkflow) },
			want:    farm.RolledBack,
		},
		"a second time, during the rollback": {
			prepare: func(r *testRun) {
				r.onActivity("TrustIssuer", r.env.CancelWorkflow)
				r.onActivity("RestoreIssuer", r.env.CancelWorkflow)
			},
			want: farm.RolledBack,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			if c.policy != nil {
				f.setPolicy(c.policy)
			}
			before := f.sim.Trust()
			r := f.newRun(t)
			c.prepare(r)
			r.rotate().requireCancelled(c.want)
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
	t.Run("before any change the rotation before it is not rolled back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.requireRotated(t).Snapshot
		f.issueCertificate(t)
		before := f.sim.Trust()
		r := f.newRun(t)
		r.onActivity("ObserveOffice", r.env.CancelWorkflow)
		ended := r.rotateWith(workflows.RotateInput{Reason: "next", Snapshot: snapshot}).requireCancelled(farm.Refused)
		ended.assertStatement("cancelled before anything was changed")
		f.assertTrustUnchanged(t, before)
	})
}

// TestRotate_RollsBackRepair deletes the certificate that is set from a server. The
// rollback of a rotation that puts it there again must not take it away: the settings
// name it.
func TestRotate_RollsBackRepair(t *testing.T) {
	for name, remove := range map[string]func(*model.Session, farm.Thumbprint) error{
		"of a deleted certificate": func(s *model.Session, c farm.Thumbprint) error {
			_, err := s.RemoveFromStore(model.My, c)
			return err
		},
		"of an archived certificate": func(s *model.Session, c farm.Thumbprint) error { return s.Archive(c, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.requireRotated(t)
			for _, host := range []string{office1, office2} {
				if err := remove(f.logOn(t, host), f.newest(t)); err != nil {
					t.Fatal(err)
				}
			}
			f.addFaults(t, untilBlocked(brokenScript(frontEnd, "Set-TrustedIssuer")))
			r := f.newRun(t)
			r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.RollBack}) })
			ended := r.rotate().requireOutcome(farm.RolledBack)
			if !slices.ContainsFunc(ended.Findings, func(found farm.Finding) bool { return found.Code == "certificate-stays" }) {
				t.Errorf("nothing is said of what stays: %+v", ended.Findings)
			}
			f.assertRefreshes(t)
		})
	}
}

func TestRollback(t *testing.T) {
	t.Run("it restores what a finished rotation changed, although it is cancelled", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		rotated := f.requireRotated(t)
		r := f.newRun(t)
		r.onActivity("RestoreS2SCertificate", r.env.CancelWorkflow)
		r.rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("without a snapshot it is refused", func(t *testing.T) {
		t.Parallel()
		r := newTestFarm(t, farmsim.Options{}).newRun(t)
		r.startAs(workflows.RotateID(farmsim.FarmName))
		r.env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Intent: farm.Rollback})
		if err := r.env.GetWorkflowError(); err == nil {
			t.Error("it is not refused")
		} else {
			assertMentions(t, err.Error(), "there is no snapshot to restore")
		}
	})
}
