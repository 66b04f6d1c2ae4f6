package reliability

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// result is how a cell ended.
type result struct {
	scenario

	outcome  farm.Outcome
	asked    int
	took     time.Duration
	restarts int
	failed   bool
}

// run makes the trouble and holds what is reported against what is there.
func (r *result) run(t *testing.T, s *testFarm) {
	ctx, x := withDeadline(t), r.faultCase()
	s.setPolicy(t, x.policy())
	s.prepareFor(ctx, t, r.operation)
	before, mark, began := s.sim.State(), s.callLog.len(), time.Now()
	r.begin(t, s)
	run, struck := s.begin(ctx, t, r.operation), x.inject == nil
	s.meanwhile = func() {
		if !struck && x.wasInjected(s) {
			struck = true
			x.inject(t, s)
		}
	}
	ended := s.awaitEnd(ctx, t, run, r.decideBlocked(t, s))
	s.meanwhile = nil
	now := s.sim.State()
	r.took, r.restarts, r.outcome = time.Since(began), countRestarts(now)-countRestarts(before), ended.Outcome
	if !x.wasInjected(s) {
		t.Errorf("%s did not happen: %+v is still to come", x.name, s.sim.Pending())
	}
	s.sim.ClearFaults()
	acts := s.callLog.since(mark)
	r.assertOutcome(t, ended)
	s.assertOutcomeIsTrue(t, r.operation, ended, before, acts)
	if t.Failed() {
		s.logCalls(t, acts)
		return
	}
	s.recordEnd(t, r.operation, ended)
}

// met is the trouble.
func (c scenario) faultCase() faultCase {
	all := faultCases()
	return all[slices.IndexFunc(all, func(x faultCase) bool { return x.name == c.faultName })]
}

// begin plans the trouble.
func (r *result) begin(t *testing.T, s *testFarm) {
	t.Helper()
	f := r.faultCase().fault
	f.Server, f.Step, f.Skip, f.When = r.call.server, r.step, r.call.before, r.when
	if err := s.sim.AddFaults(f); err != nil {
		t.Fatal(err)
	}
}

// goesBack says whether the farm's policy undoes what fails, unasked: only a
// rotation can go back.
func (r *result) rollsBack() bool { return r.faultCase().rollsBack && r.operation == opRotate }

// canary says whether the trouble ends the restart that proves the new settings
// on one server, which goes back unasked.
func (r *result) isCanary() bool {
	return r.operation == opRotate && r.step == powershell.ScriptOf(powershell.RestartOfficeServer{}) && r.when == fault.Before && r.faultCase().wantText != ""
}

// decide is a person who clears what is in the way and then rolls the rotation
// back, if it is for good and not on its way back already, as after a canary,
// or has the step tried again.
func (r *result) decideBlocked(t *testing.T, s *testFarm) func(farm.Blocked) farm.Choice {
	return func(p farm.Blocked) farm.Choice {
		r.asked++
		s.sim.ClearFaults()
		x := r.faultCase()
		switch {
		case x.wantText == "" || r.asked > 1:
			t.Errorf("parked though it passes: %s on %s: %s", p.Step, p.Server, p.Text)
		case p.Server != r.call.server || p.Step == "" || p.Then == "" || !strings.Contains(p.Text, x.wantText):
			t.Errorf("parked as %+v, want a step on %s and %q", p, r.call.server, x.wantText)
		}
		if x.permanent && r.operation == opRotate && !r.rollsBack() && !slices.Contains(farm.RollbackSteps(), p.Step) {
			return farm.RollBack
		}
		return farm.Retry
	}
}

// judge demands the best outcome that the trouble allows. A rotation or a
// retirement that could not even look refuses to start.
func (r *result) assertOutcome(t *testing.T, ended farm.RotationResult) {
	t.Helper()
	x, want := r.faultCase(), farm.Verified
	if r.operation == opRollback || r.operation == opRotate && x.permanent || r.isCanary() {
		want = farm.RolledBack
	}
	unseen := r.operation != opRollback && x.wantText != "" && strings.HasPrefix(r.step, "Get-") && r.asked == 0
	if unseen && ended.Outcome == farm.Refused {
		return
	}
	if ended.Outcome != want {
		t.Errorf("ended %s: %s; want %s", ended.Outcome, ended.Statement, want)
	}
	if x.wantText != "" && !r.rollsBack() && !r.isCanary() && r.asked == 0 {
		t.Errorf("nobody was asked about %s", x.name)
	}
}
