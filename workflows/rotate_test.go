package workflows_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestRotate_SetUpAndRenew(t *testing.T) {
	for name, selfSigned := range map[string]bool{"issued by a CA": false, "self-signed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{SelfSigned: selfSigned})
			first := f.requireRotated(t)
			f.rotate(t).requireOutcome(farm.NoChange)
			f.issueCertificate(t)
			renewal := f.requireRotated(t)
			if renewal.Previous != first.Target || renewal.Target == first.Target {
				t.Errorf("renewal went from %s to %s, want from %s to a new one", renewal.Previous, renewal.Target, first.Target)
			}
		})
	}
}

func TestRotate_Warnings(t *testing.T) {
	t.Parallel()
	ended := newTestFarm(t, farmsim.Options{}).rotate(t)
	ended.requireOutcome(farm.Verified)
	row := ended.requireStep(office1, farm.StepS2SName)
	assertMentions(t, strings.Join(row.Warnings, "; "), "S2SCertificateName", "every machine in the farm must be restarted")
	if row := ended.requireStep(office2, farm.StepImport); len(row.Warnings) > 0 {
		t.Errorf("the import warned of %q", row.Warnings)
	}
}

func TestRotate_LargestFarm(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 100, SharePointFarms: 10})
	f.setPolicy(func(p *farm.RotationPolicy) { p.AtOnce, p.RestartAtOnce = 20, 25 })
	f.requireRotated(t)
}

func TestRotate_Refused(t *testing.T) {
	t.Run("a machine of the farm is not configured", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{OfficeServers: 3})
		f.configure = func(c *farm.Farm) { c.Office.Servers = c.Office.Servers[:2] }
		before := f.sim.Trust()
		f.rotate(t).requireOutcome(farm.Refused).assertStatement("OOS-03", "add it to office.servers")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a server is unreachable", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		before := f.sim.Trust()
		f.addFaults(t, fault.Fault{Server: office2, Kind: fault.Refused, Times: -1})
		f.rotate(t).requireOutcome(farm.Refused).assertStatement(office2 + ": unreachable")
		f.assertTrustUnchanged(t, before)
	})
}

// TestRotate_SQLAway has SQL Server fail over for minutes: no operator is needed,
// whatever the rotation was about to do.
func TestRotate_SQLAway(t *testing.T) {
	for name, c := range map[string]struct {
		step string
		when fault.When
	}{
		"before the issuer is set":  {"Set-TrustedIssuer", fault.Before},
		"after the issuer was set":  {"Set-TrustedIssuer", fault.After},
		"before the chain is added": {"Add-RootAuthority", fault.Before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.addFaults(t, fault.Fault{Server: frontEnd, Step: c.step, When: c.when, Kind: fault.SQLAway, Times: -1})
			r := f.newRun(t)
			r.after(6*time.Minute, f.sim.ClearFaults)
			r.rotate().requireOutcome(farm.Verified)
			f.assertRefreshes(t)
		})
	}
	t.Run("before the farm is verified", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		r := f.newRun(t)
		r.onActivity("RestartOffice", func() {
			if err := f.sim.World.Impose(frontEnd, model.Condition{Kind: model.SQLAway}, false); err != nil {
				t.Error(err)
			}
			r.env.RegisterDelayedCallback(f.sim.ClearFaults, 6*time.Minute)
		})
		r.rotate().requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
}

func TestRotate_AcceptedFinding(t *testing.T) {
	accept := func(refs ...string) workflows.RotateInput {
		return workflows.RotateInput{Accepted: farm.NewAcceptances(refs, "op", "patch day", noon)}
	}
	// withDeadMachine has three office servers, of which one is not configured.
	withDeadMachine := func(t *testing.T) *testFarm {
		t.Helper()
		f := newTestFarm(t, farmsim.Options{OfficeServers: 3})
		f.configure = func(c *farm.Farm) { c.Office.Servers = c.Office.Servers[:2] }
		return f
	}
	t.Run("a machine that is not configured is left alone, and the report says so", func(t *testing.T) {
		t.Parallel()
		f := withDeadMachine(t)
		ended := f.newRun(t).rotateWith(accept("machine-not-configured@OOS-03")).requireOutcome(farm.Verified)
		ended.assertStatement("key usable on every configured server; not configured and left alone: OOS-03; accepted: machine-not-configured@OOS-03")
		ended.assertAccepted("machine-not-configured@OOS-03 by op: patch day")
		f.assertOnServers(t, ended.Target, 2)
		if stops := farm.Stops(ended.Inspection.Findings); len(stops) != 1 {
			t.Errorf("the controller is handed %+v, want the stop as it is for any other rotation", stops)
		}
	})
	t.Run("a rollback leaves it alone too", func(t *testing.T) {
		t.Parallel()
		f := withDeadMachine(t)
		before := f.sim.Trust()
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		configure := f.configure
		f.configure = func(c *farm.Farm) {
			configure(c)
			rollBackOnFailure(&c.Rotation)
		}
		r := f.newRun(t)
		r.onActivity("RestoreIssuer", f.sim.ClearFaults)
		ended := r.rotateWith(accept("machine-not-configured")).requireOutcome(farm.RolledBack)
		ended.assertStatement("everything is as it was before; it was rolled back because")
		ended.assertAccepted("machine-not-configured@OOS-03 by op: patch day")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a certificate that is compromised", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.requireRotated(t)
		f.issueCertificate(t)
		f.installUpdates(t, office2)
		in := accept("pending-reboot@" + office2)
		in.Intent = farm.ReplaceCompromised
		f.newRun(t).rotateWith(in).requireOutcome(farm.Verified).assertAccepted("pending-reboot@" + office2 + " by op: patch day")
	})
	t.Run("another stop refuses the rotation", func(t *testing.T) {
		t.Parallel()
		f := withDeadMachine(t)
		f.installUpdates(t, office2)
		f.newRun(t).rotateWith(accept("machine-not-configured@OOS-03")).requireOutcome(farm.Refused).assertStatement(office2 + ": a reboot of Windows is pending")
	})
	t.Run("what is accepted and not there refuses the rotation", func(t *testing.T) {
		t.Parallel()
		f := withDeadMachine(t)
		f.newRun(t).rotateWith(accept("machine-not-configured", "pending-reboot@"+office1)).requireOutcome(farm.Refused).
			assertStatement("accept pending-reboot@"+office1+": nothing like that stops the rotation now", "what does: machine-not-configured@OOS-03")
	})
}

func TestRotate_MasterMoves(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	r := f.newRun(t)
	r.onActivity("SetS2SCertificate", func() {
		if err := f.sim.World.MoveMaster(office2); err != nil {
			t.Error(err)
		}
	})
	r.rotate().requireOutcome(farm.Verified).assertStep(office2, farm.StepS2SName, farm.StateChanged)
	f.assertRefreshes(t)
}

func TestRotate_ResumesAnAbortedRotation(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
	r := f.newRun(t)
	r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.Abort}) })
	if first := r.rotate().requireOutcome(farm.Partial); len(first.Differences) == 0 {
		t.Error("the report of an aborted rotation does not list what differs")
	}
	f.sim.ClearFaults()
	second := f.requireRotated(t)
	for _, done := range []farm.Step{farm.StepImport, farm.StepGrant} {
		second.assertStep(office2, done, farm.StateUnchanged)
	}
}

// TestRotate_Inspection is about the inspection that a rotation begins from.
func TestRotate_Inspection(t *testing.T) {
	// rotateFrom asserts how often a rotation that starts from an inspection
	// observes every server, and that its report says so at any rate.
	rotateFrom := func(t *testing.T, f *testFarm, n farm.Inspection, starts time.Time, observations int) {
		t.Helper()
		r := f.newRun(t)
		r.env.SetStartTime(starts)
		ended := r.rotateWith(workflows.RotateInput{Inspection: &n}).requireOutcome(farm.Verified)
		r.assertObservations(observations)
		for _, host := range []string{office1, office2, frontEnd} {
			ended.assertStep(host, farm.StepObserve, farm.StateObserved)
		}
		f.assertRefreshes(t)
	}
	t.Run("one that is recent is not repeated", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		n := f.inspect(t)
		rotateFrom(t, f, n, n.At.Add(5*time.Minute), 2)
	})
	t.Run("one that is old is repeated", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		n := f.inspect(t)
		rotateFrom(t, f, n, n.At.Add(time.Hour), 3)
	})
	t.Run("one that is about another certificate is repeated", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		n := f.inspect(t)
		f.issueCertificate(t)
		rotateFrom(t, f, n, n.At, 3)
	})
	t.Run("one that does not cover the farm is repeated", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		n := f.inspect(t)
		n.Observed.Office = n.Observed.Office[:1]
		rotateFrom(t, f, n, n.At, 3)
	})
	t.Run("a rotation that ended as planned hands over what it observed last", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		for _, outcome := range []farm.Outcome{farm.Verified, farm.NoChange} {
			ended := f.rotate(t).requireOutcome(outcome)
			if n := ended.Inspection; n == nil || n.Target.Thumbprint != ended.Target || n.Current.Thumbprint != ended.Target || len(n.Plan) > 0 {
				t.Errorf("%s: it hands over %+v, want an inspection that finds the target in use and nothing to do", outcome, n)
			}
		}
	})
	t.Run("one that was aborted hands over nothing", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.after(time.Hour, func() { r.decide(farm.Decision{Choice: farm.Abort}) })
		if n := r.rotate().requireOutcome(farm.Partial).Inspection; n != nil {
			t.Errorf("it hands over %+v", n)
		}
	})
}

func TestRotate_Compromised(t *testing.T) {
	t.Run("it waits for nothing and is not rolled back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		f.addFaults(t, brokenScript("", "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.assertDecisionRefused(farm.Decision{Choice: farm.RollBack}, "is compromised and is never restored")
			f.sim.ClearFaults()
			r.decide(farm.Decision{Choice: farm.Retry})
		})
		r.rotateWith(workflows.RotateInput{Reason: "leaked", Intent: farm.ReplaceCompromised}).requireOutcome(farm.Verified)
		f.assertRefreshes(t)
	})
	replace := func(t *testing.T, f *testFarm, s *farm.Snapshot) endedRun {
		t.Helper()
		return f.newRun(t).rotateWith(workflows.RotateInput{Reason: "leaked", Intent: farm.ReplaceCompromised, Snapshot: s})
	}
	t.Run("the newest certificate is not reported as replaced", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.requireRotated(t)
		replace(t, f, nil).requireOutcome(farm.Refused).assertStatement("provide another")
	})
	t.Run("a source that makes its certificates makes another", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		folder := f.makeOwnCertificates(t)
		leaked := f.requireRotated(t).Snapshot.Target
		end := replace(t, f, nil)
		end.requireOutcome(farm.Verified)
		f.assertRefreshes(t)
		if now := end.Snapshot.Target; now.Thumbprint == leaked.Thumbprint || end.Snapshot.Previous.Thumbprint != leaked.Thumbprint || !end.Snapshot.Compromised {
			t.Errorf("replaced %s by %s, with the snapshot of %s, compromised: %v", leaked.Thumbprint, now.Thumbprint, end.Snapshot.Previous.Thumbprint, end.Snapshot.Compromised)
		}
		// Its file goes with it.
		r := f.newRun(t)
		r.after(time.Hour, r.approve)
		r.retire(end.Snapshot.Previous).requireOutcome(farm.Verified)
		if files, err := filepath.Glob(filepath.Join(folder, "*.pfx")); err != nil || len(files) != 1 {
			t.Errorf("the worker keeps %v, %v; want the new one alone", files, err)
		}
		f.assertRefreshes(t)
	})
	t.Run("an earlier rotation's certificate is not reported as replaced", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		snapshot := f.requireRotated(t).Snapshot
		replace(t, f, snapshot).requireOutcome(farm.Refused).assertStatement("provide another")
		// Unless the earlier rotation was there to replace a compromised one.
		snapshot.Compromised = true
		replace(t, f, snapshot).requireOutcome(farm.NoChange)
	})
}

func TestRotate_Expired(t *testing.T) {
	t.Parallel()
	// By every clock the old certificate has expired; the newest has not.
	const later = 20 * day
	f := newTestFarm(t, farmsim.Options{Trusting: true, Skew: map[string]time.Duration{office1: later, office2: later, frontEnd: later}})
	f.setPolicy(rollBackOnFailure)
	f.activities.Now = func() time.Time { return time.Now().Add(later) }
	f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
	r := f.newRun(t)
	r.after(time.Hour, func() {
		r.assertDecisionRefused(farm.Decision{Choice: farm.RollBack}, "an expired certificate is never restored")
		f.sim.ClearFaults()
		r.decide(farm.Decision{Choice: farm.Retry})
	})
	if got := r.rotate().requireOutcome(farm.Verified).Intent; got != farm.ReplaceExpired {
		t.Errorf("the report's intent is %q, want %q", got, farm.ReplaceExpired)
	}
}

func TestRotate_RemoteSQL(t *testing.T) {
	t.Run("by the scheduled task", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Task, SharePointFarms: 2})
		f.requireRotated(t)
		f.rotate(t).requireOutcome(farm.NoChange)
	})
	t.Run("a rollback by the scheduled task", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Task, Trusting: true})
		f.setPolicy(rollBackOnFailure)
		before := f.sim.Trust()
		// The rollback restarts too.
		f.addFaults(t, untilBlocked(brokenScript(office1, "Restart-OfficeServer")))
		f.rotate(t).requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("without delegation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Direct})
		f.assertFrontEndRefuses(t, "Cannot access the local farm")
	})
	t.Run("an old version of the task", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{RemoteSQL: true, RunAs: farm.Task})
		f.installOldTask(t)
		f.assertFrontEndRefuses(t, taskVersion)
	})
}
