package workflows_test

import (
	"cmp"
	"context"
	"sync"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// testRuns is Temporal, as far as runs are known. Where no controller runs it admits
// every run, until it is told otherwise.
type testRuns struct {
	mu sync.Mutex
	records
	// answers are where a controller that runs answers to a run that asks.
	answers map[string]chan answer
	// refused is why no run is admitted, and unanswered what comes instead of an answer.
	refused    string
	unanswered error
	// kept is the snapshot of an earlier rotation, and given the one that a run was started
	// with.
	kept, given *farm.Snapshot
	// asked are the runs that asked.
	asked []controller.Admission
}

// Admit implements activities.Runs.
func (r *testRuns) Admit(ctx context.Context, farmName string, a controller.Admission) (controller.Admitted, error) {
	if answers := r.takeAnswers(a.RunID); answers != nil {
		select {
		case got := <-answers:
			return got.admitted, got.err
		case <-ctx.Done():
			return controller.Admitted{}, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, a)
	if r.refused != "" {
		return controller.Admitted{}, temporal.NewNonRetryableApplicationError(r.refused, activities.NotAdmitted, nil)
	}
	admitted := controller.Admitted{Farm: farmName, RunID: a.RunID, Snapshot: r.kept}
	if known := cmp.Or(r.kept, r.given); known != nil {
		admitted.Names = known.ID
	}
	return admitted, r.unanswered
}

// OriginalRun implements activities.Runs.
func (r *testRuns) OriginalRun(_ context.Context, _, runID string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if record := r.find(runID); record != nil {
		return record.OriginalRunID, nil
	}
	return runID, nil
}

func (r *testRuns) refuse(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = why
}

func (r *testRuns) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unanswered = err
}

// anything matches every argument of a mocked call: mock.Anything of testify, which
// Temporal's test environment uses.
const anything = "mock.Anything"

// hints are what a run tells the controller, which hears them elsewhere.
type hints struct {
	mu   sync.Mutex
	sent []controller.RunHint
	// endsIn is the phase in which the run said that it is about to end.
	endsIn string
	// lost is why they do not arrive.
	lost error
}

// receiveHint hands a hint over to the controller, if that is what runs.
func (r *testRun) receiveHint(_, workflowID, _, signal string, arg any) error {
	if workflowID == r.id {
		r.env.SignalWorkflow(signal, arg)
	}
	r.hints.mu.Lock()
	defer r.hints.mu.Unlock()
	if hint, ok := arg.(controller.RunHint); ok {
		r.hints.sent = append(r.hints.sent, hint)
		if hint.Ending {
			r.hints.endsIn = r.marks.lastPhase()
		}
	}
	return r.hints.lost
}

// endings lists for each hint whether the run said that it is about to end.
func (r *testRun) endings() []bool {
	r.hints.mu.Lock()
	defer r.hints.mu.Unlock()
	var endings []bool
	for _, h := range r.hints.sent {
		endings = append(endings, h.Ending)
	}
	return endings
}
