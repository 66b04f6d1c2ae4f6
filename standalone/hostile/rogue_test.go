package hostile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// The messages of a rogue run.
const (
	attackUpdate = "attack"
	endSignal    = "end attack"
)

// Rogue is a rotation as it goes on where the attacker polls the task queue of farmtrust's
// workers: the farm's controller has started it, and admits it.
func Rogue(ctx workflow.Context, _ json.RawMessage) error {
	if err := workflow.SetQueryHandler(ctx, workflows.StatusQuery, func() (farm.Status, error) { return farm.Status{Phase: farm.PhaseCutover}, nil }); err != nil {
		return err
	}
	if err := workflow.SetQueryHandler(ctx, workflows.SnapshotQuery, func() (*farm.Snapshot, error) { return nil, nil }); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandler(ctx, attackUpdate, func(ctx workflow.Context, calls []call) ([]answer, error) {
		return Attack(ctx, workflows.TaskQueue(""), calls)
	}); err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, endSignal).Receive(ctx, nil)
	return nil
}

// rogueTypes registers the workflows of farmtrust, but for the one that is the attacker's.
type rogueTypes struct{ worker.Worker }

func (r rogueTypes) RegisterWorkflowWithOptions(w any, o workflow.RegisterOptions) {
	if o.Name == "RotateTrust" {
		w = Rogue
	}
	r.Worker.RegisterWorkflowWithOptions(w, o)
}

// startRogue polls the task queue of farmtrust's workers, for workflow tasks alone.
func (w *world) startRogue(t *testing.T) (stop func()) {
	t.Helper()
	rogue := worker.New(w.dial(t), workflows.TaskQueue(""), worker.Options{LocalActivityWorkerOnly: true, MaxConcurrentWorkflowTaskPollers: 30})
	workflows.Register(rogueTypes{rogue})
	if err := rogue.Start(); err != nil {
		t.Fatal(err)
	}
	return rogue.Stop
}

// takeOver has an operator ask for a rotation until the attacker has got it.
func (w *world) takeOver(t *testing.T) string {
	t.Helper()
	for range 30 {
		run, err := w.farm.client.Rotate(t.Context(), operator)
		if err != nil {
			t.Logf("a rotation is not begun: %v", err)
			continue
		}
		if slices.Contains(w.definitions(t, run.ID(), run.RunID()), attackUpdate) {
			return run.RunID()
		}
		if _, err := run.Report(t.Context()); err != nil {
			t.Logf("a rotation has ended: %v", err)
		}
	}
	t.Skip("the attacker has not got a rotation in 30 attempts")
	return ""
}

// definitions are the updates that a run takes.
func (w *world) definitions(t *testing.T, id, runID string) (names []string) {
	t.Helper()
	for _, u := range w.describeRun(t, id, runID).UpdateDefinitions {
		names = append(names, u.Name)
	}
	return names
}

// testRogue attacks from a run that the farm's controller has started and admits: first
// with forged mandates, then with the one that such a run is honestly given, and with those
// that activities give it for what it asks for.
func testRogue(t *testing.T, w *world) {
	stop := w.startRogue(t)
	defer stop()
	runID := w.takeOver(t)
	honest, taken := w.obtainMandate(t, runID)
	given := w.attackAll(t, runID, w.forgers(w.farm))
	given = append(given, w.attackAll(t, runID, w.withMandate(honest, &taken))...)
	seen := map[string]bool{fmt.Sprint(honest.May): true} // one of each kind, of the many that are alike
	for _, m := range given {
		if what := fmt.Sprint(m.May); !seen[what] {
			seen[what] = true
			w.attackAll(t, runID, w.withMandate(m, nil))
		}
	}
	t.Logf("the run was given %d mandates for what it asked for", len(given))
	_ = w.temporal.SignalWorkflow(t.Context(), workflows.RotateID(w.farm.name), runID, endSignal, nil) //nolint:errcheck // it may have ended
}

// obtainMandate has the rogue run do what an honest one does before its first change: it
// gets a snapshot that a worker has taken, and its mandate.
func (w *world) obtainMandate(t *testing.T, runID string) (activities.Mandate, farm.Snapshot) {
	t.Helper()
	farmName, newest := w.farm.name, w.newest.Target.Thumbprint
	var taken farm.Snapshot
	var kept activities.Kept
	for _, step := range []struct {
		name   string
		in     func() any
		result any
	}{
		{"TakeSnapshot", func() any { return activities.TakeSnapshotInput{Farm: farmName, Target: newest} }, &taken},
		{"KeepSnapshot", func() any {
			return activities.KeepSnapshotInput{Farm: farmName, Target: newest, Snapshot: &taken}
		}, &kept},
	} {
		answers := w.attackFrom(t, runID, []call{{Activity: step.name, Input: encode(t, step.in())}})
		if answers[0].Refused != "" {
			t.Fatalf("an honest %s is refused: %s", step.name, answers[0].Refused)
		}
		if err := json.Unmarshal(answers[0].Result, step.result); err != nil {
			t.Fatal(err)
		}
	}
	if !kept.Mandate.Allows(activities.MayStage) || !kept.Mandate.Allows(activities.MayRestore) {
		t.Fatalf("the mandate of an honest run is for %v", kept.Mandate.May)
	}
	return kept.Mandate, taken
}

// withMandate returns the forgers with a mandate; where it was given for a snapshot, also
// such as name what it was given for, and forge only what is to be done with it.
func (w *world) withMandate(m activities.Mandate, given *farm.Snapshot) (all []forger) {
	for _, f := range w.forgers(w.farm) {
		f.mandate = reflect.ValueOf(m)
		all = append(all, f)
		if given != nil {
			f.name, f.certificate = "the run's own certificate and mandate, and of "+f.name+" the rest", given.Target
			all = append(all, f)
		}
	}
	return all
}

// attackFrom has the rogue run schedule activities.
func (w *world) attackFrom(t *testing.T, runID string, calls []call) (answers []answer) {
	t.Helper()
	handle, err := w.temporal.UpdateWorkflow(t.Context(), temporal.UpdateWorkflowOptions{
		WorkflowID: workflows.RotateID(w.farm.name), RunID: runID, UpdateName: attackUpdate, Args: []any{calls}, WaitForStage: temporal.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := handle.Get(t.Context(), &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// attackAll schedules every activity with the input of forgers, and where they have a
// mandate every one that takes it; it returns the mandates
// that were given for it. Nothing of the attacker's, and nothing of others, may come to the
// farm, or go.
func (w *world) attackAll(t *testing.T, runID string, forgers []forger) (given []activities.Mandate) {
	t.Helper()
	types := activityTypes()
	if forgers[0].mandate.IsValid() {
		maps.DeleteFunc(types, func(_ string, input reflect.Type) bool { return !takesMandate(input) })
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		began, calls := time.Now(), []call{}
		for _, f := range forgers {
			f.run.WorkflowID, f.run.RunID = workflows.RotateID(w.farm.name), runID
			calls = append(calls, f.calls(t, name, types[name], w.farm.hosts())...)
		}
		for part := range slices.Chunk(calls, 200) {
			for _, a := range w.attackFrom(t, runID, part) {
				given = append(given, mandatesIn(a.Result)...)
			}
		}
		w.requireNothingForeign(t, name)
		if took := time.Since(began); took > attemptedFor/2 {
			t.Logf("%s took %s, for %d calls", name, took, len(calls))
		}
	}
	return given
}

// takesMandate reports whether an activity has a mandate in its input; for all others it
// makes no difference which one the attacker has.
func takesMandate(input reflect.Type) bool {
	return input != nil && contains(input, reflect.TypeFor[activities.Mandate](), map[reflect.Type]bool{})
}

// mandatesIn finds the mandates in a result.
func mandatesIn(result json.RawMessage) (all []activities.Mandate) {
	var direct activities.Mandate
	if json.Unmarshal(result, &direct) == nil && direct.Seal != "" && len(direct.May) > 0 {
		all = append(all, direct)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(result, &fields) == nil {
		for _, field := range fields {
			all = append(all, mandatesIn(field)...)
		}
	}
	return all
}

// requireNothingForeign fails the test where a fact of the farm is about what is the
// attacker's or another farm's, or where what is none of farmtrust's business has changed.
func (w *world) requireNothingForeign(t *testing.T, name string) {
	t.Helper()
	w.farm.changes.take()
	now := w.farm.sim.Trust()
	for fact, value := range now {
		for _, foreign := range []farm.Thumbprint{w.attacker.Thumbprint(), w.others.Target.Thumbprint, w.others.Previous.Thumbprint} {
			if strings.Contains(fact+value, string(foreign)) {
				t.Fatalf("%s has brought %s to the farm: %s: %s", name, foreign.Short(), fact, value)
			}
		}
	}
	for fact, value := range w.farm.before {
		isSafe := strings.Contains(fact, string(w.stranger)) || strings.Contains(fact, "issuer") || strings.Contains(fact, "root authority") || strings.Contains(fact, "permission")
		if isSafe && now[fact] != value {
			t.Fatalf("%s has changed %s: %s, was %s", name, fact, now[fact], value)
		}
	}
}
