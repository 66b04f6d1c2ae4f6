package reliability

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// result is how a cell ended.
type result struct {
	cell

	outcome  farm.Outcome
	asked    int
	took     time.Duration
	restarts int
	failed   bool
}

// run makes the trouble and holds what is reported against what is there.
func (r *result) run(t *testing.T, s *site) {
	ctx, x := deadline(t), r.met()
	s.follow(t, x.policy())
	s.prepare(ctx, t, r.way)
	before, mark, began := s.sim.State(), s.ledger.len(), time.Now()
	r.begin(t, s)
	run, struck := s.begin(ctx, t, r.way), x.strike == nil
	s.meanwhile = func() {
		if !struck && x.happened(s) {
			struck = true
			x.strike(t, s)
		}
	}
	ended := s.await(ctx, t, run, r.decide(t, s))
	s.meanwhile = nil
	now := s.sim.State()
	r.took, r.restarts, r.outcome = time.Since(began), restarts(now)-restarts(before), ended.Outcome
	if !x.happened(s) {
		t.Errorf("%s did not happen: %+v is still to come", x.name, s.sim.Pending())
	}
	s.sim.ClearFaults()
	acts := s.ledger.since(mark)
	r.judge(t, ended)
	s.holds(t, r.way, ended, before, acts)
	if t.Failed() {
		s.tell(t, acts)
		return
	}
	s.concluded(t, r.way, ended)
}

// met is the trouble.
func (c cell) met() trouble {
	all := troubles()
	return all[slices.IndexFunc(all, func(x trouble) bool { return x.name == c.trouble })]
}

// begin plans the trouble.
func (r *result) begin(t *testing.T, s *site) {
	t.Helper()
	f := r.met().fault
	f.Server, f.Step, f.Skip, f.When = r.call.server, r.step, r.call.before, r.when
	if err := s.sim.AddFaults(f); err != nil {
		t.Fatal(err)
	}
}

// goesBack says whether the farm's policy undoes what fails, unasked: only a
// rotation can go back.
func (r *result) goesBack() bool { return r.met().goesBack && r.way == forth }

// canary says whether the trouble ends the restart that proves the new settings
// on one server, which goes back unasked.
func (r *result) canary() bool {
	return r.way == forth && r.step == powershell.ScriptOf(powershell.RestartOfficeServer{}) && r.when == fault.Before && r.met().says != ""
}

// decide is a person who clears what is in the way and then rolls the rotation
// back, if it is for good and not on its way back already, as after a canary,
// or has the step tried again.
func (r *result) decide(t *testing.T, s *site) func(farm.Parked) farm.Choice {
	return func(p farm.Parked) farm.Choice {
		r.asked++
		s.sim.ClearFaults()
		x := r.met()
		switch {
		case x.says == "" || r.asked > 1:
			t.Errorf("parked though it passes: %s on %s: %s", p.Step, p.Server, p.Text)
		case p.Server != r.call.server || p.Step == "" || p.Then == "" || !strings.Contains(p.Text, x.says):
			t.Errorf("parked as %+v, want a step on %s and %q", p, r.call.server, x.says)
		}
		if x.forGood && r.way == forth && !r.goesBack() && !slices.Contains(farm.UndoSteps(), p.Step) {
			return farm.RollBack
		}
		return farm.Retry
	}
}

// judge demands the best outcome that the trouble allows. A rotation or a
// retirement that could not even look refuses to start.
func (r *result) judge(t *testing.T, ended workflows.Rotation) {
	t.Helper()
	x, want := r.met(), farm.Verified
	if r.way == back || r.way == forth && x.forGood || r.canary() {
		want = farm.Undone
	}
	unseen := r.way != back && x.says != "" && strings.HasPrefix(r.step, "Get-") && r.asked == 0
	if unseen && ended.Outcome == farm.Refused {
		return
	}
	if ended.Outcome != want {
		t.Errorf("ended %s: %s; want %s", ended.Outcome, ended.Statement, want)
	}
	if x.says != "" && !r.goesBack() && !r.canary() && r.asked == 0 {
		t.Errorf("nobody was asked about %s", x.name)
	}
}
