package reliability

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// result is how a scenario ended.
type result struct {
	scenario

	outcome  farm.Outcome
	asked    int
	took     time.Duration
	restarts int
	failed   bool
}

// run runs the scenario and compares the reported outcome with the farm's state.
func (r *result) run(t *testing.T, s *testFarm) {
	ctx, fc := withDeadline(t), r.faultCase()
	s.setPolicy(ctx, t, fc.policy())
	s.prepareFor(ctx, t, r.operation)
	before, mark, began := s.sim.State(), s.callLog.len(), time.Now()
	if r.step == startScript {
		s.stopService(t, r.call.server)
	}
	r.addFault(t, s)
	run, injected := s.startRun(ctx, t, r.operation), fc.inject == nil
	s.onPoll = func() {
		if !injected && fc.wasInjected(s) {
			injected = true
			fc.inject(t, s, r.call.server)
		}
	}
	ended := s.awaitEnd(ctx, t, run, r.decideBlocked(t, s))
	s.onPoll = nil
	now := s.sim.State()
	r.took, r.restarts, r.outcome = time.Since(began), countRestarts(now)-countRestarts(before), ended.Outcome
	if !fc.wasInjected(s) {
		t.Errorf("%s did not occur: %+v is pending", fc.name, s.sim.Pending())
	}
	if at, end := s.sim.Faults.LastAt(), s.describe(ctx, t, run).GetCloseTime().AsTime(); !fc.permanent && at.After(end) {
		t.Errorf("%s occurred at %s, after the run had ended at %s", fc.name, at, end)
	}
	s.sim.ClearFaults()
	if fc.stopsService && (r.operation == opRetire || ended.Outcome == farm.Refused) {
		s.startService(t, r.call.server) // the run itself does not
	}
	calls := s.callLog.since(mark)
	r.assertOutcome(t, ended)
	s.assertOutcomeIsTrue(t, r.operation, ended, before, calls)
	if t.Failed() {
		s.logCalls(t, calls)
		return
	}
	s.recordEnd(t, r.operation, ended)
}

// faultCase returns the scenario's fault case.
func (c scenario) faultCase() faultCase {
	all := faultCases()
	return all[slices.IndexFunc(all, func(fc faultCase) bool { return fc.name == c.faultName })]
}

// addFault schedules the scenario's fault.
func (r *result) addFault(t *testing.T, s *testFarm) {
	t.Helper()
	f := r.faultCase().faultDuring(r.call.server)
	f.Server, f.Step, f.Skip, f.When = r.call.server, r.step, r.call.before, r.when
	if err := s.sim.AddFaults(f); err != nil {
		t.Fatal(err)
	}
}

// rollsBack reports whether the farm's policy rolls back after the fault without
// asking an operator. Only a rotation can be rolled back.
func (r *result) rollsBack() bool { return r.faultCase().rollsBack && r.operation == opRotate }

// refusesWayBack reports whether a server has refused a step forward, after it had carried
// it out, that the way back takes too: then nothing is rolled back without an operator, who
// removes the cause and retries. Where there is nothing to put back, nobody is asked.
func (r *result) refusesWayBack() bool {
	return r.rollsBack() && r.asked > 0 && r.when == fault.After && slices.ContainsFunc([]string{
		powershell.ScriptOf(powershell.SetS2SCertificateName{}), powershell.ScriptOf(powershell.SetOfficeHTTPSetting{}), powershell.ScriptOf(powershell.SetTrustedIssuer{}),
	}, func(script string) bool { return strings.Contains(r.step, script) })
}

// isCanary reports whether the fault makes the canary fail, the restart that
// proves the new settings on one server. That rolls back without asking an
// operator.
func (r *result) isCanary() bool {
	return r.operation == opRotate && r.step == powershell.ScriptOf(powershell.RestartOfficeServer{}) && r.when == fault.Before && r.faultCase().wantText != ""
}

// decideBlocked returns an operator who removes the fault and then decides: roll
// back if the fault was permanent and no rollback is running yet, as one is after a
// canary; otherwise retry.
func (r *result) decideBlocked(t *testing.T, s *testFarm) func(farm.Blocked) farm.Choice {
	return func(b farm.Blocked) farm.Choice {
		r.asked++
		s.sim.ClearFaults()
		fc, wantText := r.faultCase(), r.faultCase().wantText
		if r.when == fault.After {
			wantText = cmp.Or(wantText, fc.afterText)
		}
		if r.interruptsSwap() {
			wantText = notRunning
		}
		switch {
		case wantText == "" || r.asked > 1:
			t.Errorf("blocked by a transient fault: %s on %s: %s", b.Step, b.Server, b.Text)
		case b.Server != r.call.server || b.Step == "" || b.Then == "" || !strings.Contains(b.Text, wantText):
			t.Errorf("blocked as %+v, want a step on %s and %q", b, r.call.server, wantText)
		}
		if r.asked > 2 {
			return farm.Abort
		}
		if fc.stopsService && (strings.Contains(b.Text, "start it") || strings.Contains(b.Text, "start the service")) {
			s.startService(t, r.call.server)
		}
		if fc.permanent && r.operation == opRotate && !r.rollsBack() && !slices.Contains(farm.RollbackSteps(), b.Step) {
			return farm.RollBack
		}
		return farm.Retry
	}
}

// assertOutcome asserts the best outcome that the fault allows. A rotation or a
// retirement that cannot inspect the farm refuses to start.
func (r *result) assertOutcome(t *testing.T, ended farm.RotationResult) {
	t.Helper()
	fc, want := r.faultCase(), farm.Verified
	if r.operation == opRollback || r.operation == opRotate && fc.permanent || r.isCanary() {
		want = farm.RolledBack
	}
	if r.refusesWayBack() {
		want = farm.Verified
	}
	unreachable := r.operation != opRollback && fc.wantText != "" && strings.HasPrefix(r.step, "Get-") && r.asked == 0
	if unreachable && ended.Outcome == farm.Refused {
		if !strings.Contains(ended.Statement, r.call.server) || !strings.Contains(ended.Statement, fc.wantText) {
			t.Errorf("refused with %q, want %s and %q", ended.Statement, r.call.server, fc.wantText)
		}
		return
	}
	if fc.fault.Kind == fault.SQLAway && ended.Outcome == farm.Refused && r.operation == opRotate && strings.HasPrefix(r.step, "Get-") {
		return // no site answered when they were first asked
	}
	if fc.stopsService && strings.Contains(ended.Statement, "because the canary failed") {
		want = farm.RolledBack // nothing needed the service before its restart
	}
	if ended.Outcome != want {
		t.Errorf("ended %s: %s; want %s", ended.Outcome, ended.Statement, want)
	}
	if fc.wantText != "" && !r.rollsBack() && !r.isCanary() && !r.mayPass() && r.asked == 0 {
		t.Errorf("no operator was asked about %s", fc.name)
	}
}

// interruptsSwap reports whether a server reboots while it is changed which of two
// certificates of one subject is visible. It may find both when it starts; a retry
// repairs that.
func (r *result) interruptsSwap() bool {
	return r.faultCase().fault.Kind == fault.Reboot && r.operation != opRetire && r.step == powershell.ScriptOf(powershell.SetS2SCertificateArchived{})
}

// mayPass reports whether a fault that an operator is asked about elsewhere may pass
// here. A rollback starts the services of IIS one by one where iisreset fails; a
// service that has stopped is started by a restart, and no matter once the last step
// of a retirement has acted.
func (r *result) mayPass() bool {
	fc := r.faultCase()
	return fc.fault.Kind == fault.IISResetFails && r.operation == opRollback ||
		fc.stopsService && r.operation == opRetire && r.when == fault.After
}
