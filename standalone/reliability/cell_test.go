package reliability

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// way is what meets the trouble.
type way string

const (
	forth way = "rotation"
	back  way = "undo"
)

// cell is one cell of the table: one trouble during one step.
type cell struct {
	way     way
	trouble trouble
	// step is a script, call the one of its calls that meets the trouble.
	step string
	call call
	when fault.When
}

// call is one call of a script: its server, and how many calls of the script
// that server had before.
type call struct {
	server string
	before int
}

// String is the cell's name, as go test -run writes it.
func (c cell) String() string {
	return strings.ReplaceAll(fmt.Sprintf("%s, %s %s %s", c.way, c.trouble.name, c.when, c.step), " ", "_")
}

func (c cell) named(part string) bool {
	return strings.Contains(c.String(), strings.ReplaceAll(part, " ", "_"))
}

// steps are the calls of each script in a rotation and in an undo.
type steps map[way]map[string][]call

// retiring are the scripts that belong to a retirement, and to nothing here.
func retiring() []string {
	return []string{powershell.GetCertificateUse{}.Script(), powershell.HideS2SCertificate{}.Script()}
}

// table is every cell. Its steps are those of a rotation and an undo that
// nothing happens to, so that it grows with them.
func table(t *testing.T) []cell {
	t.Helper()
	found := steps{}
	ctx, s := deadline(t), newSite(t, farm.Pause)
	rotated := s.await(ctx, t, s.begin(ctx, t, workflows.RotateInput{}), neverAsked(t))
	acts, mark := s.ledger.since(0)
	found.learn(forth, acts)
	undone := s.await(ctx, t, s.begin(ctx, t, workflows.RotateInput{Intent: farm.PutBack, Journal: rotated.Journal}), neverAsked(t))
	acts, _ = s.ledger.since(mark)
	found.learn(back, acts)
	if rotated.Outcome != farm.Verified || undone.Outcome != farm.Undone {
		t.Fatalf("with nothing going wrong: %s (%s), then %s (%s)", rotated.Outcome, rotated.Statement, undone.Outcome, undone.Statement)
	}
	var cells []cell
	for _, script := range powershell.Scripts() {
		if found[forth][script] == nil && found[back][script] == nil && !slices.Contains(retiring(), script) {
			t.Errorf("%s is in no cell: neither the rotation nor the undo of this test runs it", script)
		}
		for _, w := range []way{forth, back} {
			cells = append(cells, cellsOf(w, script, found[w][script])...)
		}
	}
	return cells
}

// learn notes the calls of each script: those that changed something, if there
// are any, because a trouble matters most then.
func (s steps) learn(w way, acts []act) {
	s[w] = map[string][]call{}
	before, changing := map[string]int{}, map[string][]call{}
	for _, a := range acts {
		one := call{a.host, before[a.script+a.host]}
		before[a.script+a.host]++
		s[w][a.script] = append(s[w][a.script], one)
		if a.changed {
			changing[a.script] = append(changing[a.script], one)
		}
	}
	maps.Copy(s[w], changing)
}

// cellsOf is every trouble during a script, at the first of its calls before it
// acts and at the last after.
func cellsOf(w way, script string, calls []call) []cell {
	if len(calls) == 0 {
		return nil
	}
	var cells []cell
	for _, x := range troubles() {
		cells = append(cells,
			cell{w, x, script, calls[0], fault.Before},
			cell{w, x, script, calls[len(calls)-1], fault.After})
	}
	return cells
}

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
func (r *result) run(t *testing.T) {
	defer func() { r.failed = t.Failed() }()
	policy := farm.Pause
	if r.trouble.goesBack {
		policy = farm.GoBack
	}
	ctx, s := deadline(t), newSite(t, policy)
	before := s.sim.State()
	var in workflows.RotateInput
	if r.way == back {
		rotated := s.await(ctx, t, s.begin(ctx, t, in), neverAsked(t))
		if rotated.Outcome != farm.Verified {
			t.Fatalf("nothing went wrong, and it ended %s: %s", rotated.Outcome, rotated.Statement)
		}
		in = workflows.RotateInput{Intent: farm.PutBack, Journal: rotated.Journal}
	}
	_, mark := s.ledger.since(0)
	restarted, began := restarts(s.sim.State()), time.Now()
	r.begin(t, s)
	run := s.begin(ctx, t, in)
	if r.trouble.strike != nil {
		for !r.trouble.happened(s) && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		r.trouble.strike(t, s)
	}
	ended := s.await(ctx, t, run, r.decide(t, s))
	r.took, r.restarts, r.outcome = time.Since(began), restarts(s.sim.State())-restarted, ended.Outcome
	if !r.trouble.happened(s) {
		t.Errorf("%s did not happen: %+v is still to come", r.trouble.name, s.sim.Pending())
	}
	acts, _ := s.ledger.since(mark)
	r.judge(t, ended)
	s.holds(t, ended, before, acts)
	if t.Failed() {
		s.tell(t, acts)
	}
}

// begin plans the trouble.
func (r *result) begin(t *testing.T, s *site) {
	t.Helper()
	f := r.trouble.fault
	f.Server, f.Step, f.Skip, f.When = r.call.server, r.step, r.call.before, r.when
	if err := s.sim.AddFaults(f); err != nil {
		t.Fatal(err)
	}
}

// decide is a person who clears what is in the way and then rolls the rotation
// back, if it is for good and not on its way back already, as after a canary,
// or has the step tried again.
func (r *result) decide(t *testing.T, s *site) func(farm.Parked) farm.Choice {
	return func(p farm.Parked) farm.Choice {
		r.asked++
		s.sim.ClearFaults()
		switch {
		case r.trouble.says == "" || r.asked > 1:
			t.Errorf("parked though it passes: %s on %s: %s", p.Step, p.Server, p.Text)
		case p.Server != r.call.server || p.Step == "" || p.Then == "" || !strings.Contains(p.Text, r.trouble.says):
			t.Errorf("parked as %+v, want a step on %s and %q", p, r.call.server, r.trouble.says)
		}
		if r.trouble.forGood && r.way == forth && !r.trouble.goesBack && !slices.Contains(farm.UndoSteps(), p.Step) {
			return farm.RollBack
		}
		return farm.Retry
	}
}

// judge demands the best outcome that the trouble allows. A rotation that could
// not even look refuses to start.
func (r *result) judge(t *testing.T, ended workflows.Rotation) {
	t.Helper()
	want := farm.Verified
	if r.way == back || r.trouble.forGood {
		want = farm.Undone
	}
	unseen := r.way == forth && r.trouble.says != "" && strings.HasPrefix(r.step, "Get-") && r.asked == 0
	if ended.Outcome != want && (ended.Outcome != farm.Refused || !unseen) {
		t.Errorf("ended %s: %s; want %s", ended.Outcome, ended.Statement, want)
	}
}
