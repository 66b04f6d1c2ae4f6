package workflows_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// The flags must follow the package in go test's arguments.
var (
	sequences = flag.Int("seeds", 12, "run this `many` random sequences")
	firstSeed = flag.Uint64("seed", 1, "the `seed` of the first random sequence; the others follow")
)

// TestRandomSequences lives through what a farm may meet in some days: renewals,
// repairs, changed settings, failures, services that stop, and all that operators and
// deadlines decide, drawn by seed. At every moment at which nothing is being done,
// data refreshes work, or the pages say that they may not.
//
//	go test ./workflows -run TestRandomSequences -seeds 300
//	go test ./workflows -run TestRandomSequences -seeds 1 -seed 42 -v
func TestRandomSequences(t *testing.T) {
	for i := range uint64(*sequences) {
		t.Run(fmt.Sprintf("seed %d", *firstSeed+i), func(t *testing.T) {
			t.Parallel()
			newSequence(t, *firstSeed+i).run()
		})
	}
}

// tick is the time between two things that happen.
const tick = 5 * time.Hour

// sequence is one random sequence. What it does and sees is logged, for a replay.
type sequence struct {
	*testController

	chance *rand.Rand
	// configured is how the farm's configuration differs now.
	configured func(*farm.Farm)
	// disturbedAt is when something was last done to the farm that its controller was
	// not told of.
	disturbedAt time.Time
	// waitsSince is when the run that waits now was first seen to, for what.
	waitsSince time.Time
	waitsFor   string
	// atRest is the trust when nothing was being done last, and undisturbed reports
	// whether nobody else has changed anything since.
	pairAtRest  string
	undisturbed bool
	lastRun     string
	log         []string
}

func newSequence(t *testing.T, seed uint64) *sequence {
	t.Helper()
	chance := rand.New(rand.NewPCG(seed, 0))
	f := newTestFarm(t, farmsim.Options{
		OfficeServers: 2 + chance.IntN(2), SharePointFarms: 1 + chance.IntN(2), SharePointServers: 1 + chance.IntN(2),
		Trusting: true, DistinctSubjects: chance.IntN(2) == 0,
	})
	s := &sequence{chance: chance, configured: func(*farm.Farm) {}, undisturbed: true}
	policy := drawPolicy(chance)
	f.configure = func(c *farm.Farm) {
		policy(&c.Rotation)
		s.configured(c)
	}
	s.testController = f.newController(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay it with -seeds 1 -seed %d\n%s", seed, strings.Join(s.log, "\n"))
		}
	})
	return s
}

// drawPolicy draws what decides by itself.
func drawPolicy(chance *rand.Rand) func(*farm.RotationPolicy) {
	approval, windowed, immediate := chance.IntN(4) == 0, chance.IntN(4) == 0, chance.IntN(4) == 0
	timeout := []time.Duration{time.Hour, 4 * time.Hour, day}[chance.IntN(3)]
	return func(p *farm.RotationPolicy) {
		p.Approval, p.DecisionTimeout, p.HealthyWithin = approval, timeout, 500*time.Millisecond
		p.InspectionInterval, p.KeepOldFor = 3*time.Hour, 2*day
		if windowed {
			p.Window = farm.Window{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, From: 2 * time.Hour, To: 5 * time.Hour, Zone: "UTC"}
		}
		if immediate {
			p.OnFailure = farm.OnFailureRollBack
		}
	}
}

func (s *sequence) run() {
	const steps = 16
	for i := range steps {
		s.after(time.Duration(i+1)*tick, func() {
			s.check()
			if i < steps-2 {
				s.act()
			}
		})
	}
	s.after((steps+1)*tick, s.stop)
	s.runFrom(controller.State{})
}

func (s *sequence) note(format string, args ...any) {
	s.log = append(s.log, s.env.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// waiting returns what the active run waits for, and nil while it works.
func (s *sequence) waiting(state controller.State) *farm.Status {
	if state.Active == nil {
		return nil
	}
	answer, err := s.env.QueryWorkflowByID(state.Active.WorkflowID, workflows.StatusQuery)
	var status farm.Status
	if err != nil || answer.Get(&status) != nil || status.Wait == nil || status.Wait.For == farm.ForController {
		return nil
	}
	return &status
}

// check compares the farm with what the pages say of it, while nothing is being done.
func (s *sequence) check() {
	s.t.Helper()
	if s.t.Failed() {
		return
	}
	state := s.state()
	status := s.waiting(state)
	s.describe(state, status)
	if state.Active != nil && status == nil {
		return
	}
	known := state.Inspected.At
	said := state.Inspected.RefreshDoubt != "" || state.Inspected.Unreachable
	if status != nil {
		text := status.Wait.Text
		if text != s.waitsFor {
			s.waitsFor, s.waitsSince = text, s.env.Now()
		}
		s.checkPair(*status)
		said = said || strings.Contains(text, "data refreshes fail") || strings.Contains(text, "is not known")
		known = s.waitsSince
	} else {
		s.waitsFor = ""
		s.checkRunEnded(state)
	}
	failures, err := s.sim.RefreshFailures()
	if err != nil {
		s.t.Error(err)
	}
	if len(failures) == 0 || said || !known.After(s.disturbedAt) || state.Active == nil && state.Inspected.Due {
		return
	}
	s.note("NOT SAID: %s", strings.Join(failures, "\n\t"))
	s.t.Errorf("data refreshes fail, and no page says so: %s", failures[0])
}

// checkPair asserts that an undo that is stuck before its first restart has left the
// name and the issuers as they were when it began, unless it says that it could not.
func (s *sequence) checkPair(status farm.Status) {
	s.t.Helper()
	isPair := func(b farm.Blocked) bool {
		return slices.Contains([]farm.Step{farm.StepRestoreS2SName, farm.StepRestoreHTTPSettings, farm.StepReplicationAgain, farm.StepRestoreIssuers}, b.Step) &&
			!strings.Contains(b.Text, "failed too")
	}
	restarted := status.Report.Reached(farm.StepRestartAgain) || status.Report.Reached(farm.StepStart)
	if status.Report.Intent != farm.Undo || restarted || !s.undisturbed || s.pairAtRest == "" || !slices.ContainsFunc(status.Wait.Blocked, isPair) {
		return
	}
	if pair := s.pair(); pair != s.pairAtRest {
		s.t.Errorf("an undo is stuck half-way:\n%s\nwhen it began it was\n%s", pair, s.pairAtRest)
	}
	if failures, err := s.sim.RefreshFailures(); err != nil || len(failures) > 0 {
		s.t.Errorf("an undo is stuck, and data refreshes fail: %v %v", failures, err)
	}
}

// checkRunEnded asserts that a run that went back has restored what was in use when it
// began, and nothing before that.
func (s *sequence) checkRunEnded(state controller.State) {
	s.t.Helper()
	pair := s.pair()
	if s.undisturbed && state.Last.RunID != s.lastRun && state.Last.Outcome == farm.RolledBack && state.UndoneAt != state.Last.At &&
		len(state.Unfinished) == 0 && s.pairAtRest != "" && pair != s.pairAtRest {
		s.t.Errorf("a rotation was rolled back, and the farm uses\n%s\nwhen it began it used\n%s", pair, s.pairAtRest)
	}
	s.lastRun = state.Last.RunID
	s.pairAtRest, s.undisturbed = pair, true
	failures, err := s.sim.RefreshFailures()
	if len(state.Unfinished) > 0 || len(failures) > 0 || err != nil {
		s.pairAtRest = "" // a rollback leads to what was before that
	}
}

// pair is the name and the certificates of the issuers, as they are set.
func (s *sequence) pair() string {
	now := s.sim.State()
	var lines []string
	for _, m := range now.OfficeMembers() {
		lines = append(lines, fmt.Sprintf("%s: %q", m.Host, m.Settings.S2SCertificateName))
	}
	for _, sp := range now.SharePoint {
		for _, i := range sp.Issuers {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", sp.Name, i.Name, i.Thumbprint.Short()))
		}
	}
	return strings.Join(lines, "\n")
}

func (s *sequence) describe(state controller.State, status *farm.Status) {
	text := fmt.Sprintf("%s; last %s: %s; next %s; suspended %q; unfinished %d; doubt %q", state.Phase(), state.Last.Outcome, state.Last.Statement,
		state.Next.Reason, state.Suspended, len(state.Unfinished), state.Inspected.RefreshDoubt)
	if status != nil {
		text += fmt.Sprintf("; %s in %s waits for %s until %s: %s %+v", state.Active.WorkflowID, status.Phase, status.Wait.For, status.Wait.Until.Format("15:04"), status.Wait.Text, status.Wait.Blocked)
	}
	s.note("%s", text)
}
