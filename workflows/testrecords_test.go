package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// records is what Temporal knows of the runs that a test environment has started. A
// test may change what it says of them.
type records struct {
	runs []*controller.RunRecord
	// previous is the state of the controller before; nil where there was none.
	previous *controller.State
	// away is why Temporal does not say anything.
	away error
}

// follow records the children of a controller.
func (r *testRuns) follow(env *testsuite.TestWorkflowEnvironment) {
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		id := info.WorkflowExecution
		if id.ID != rotateID && id.ID != retireID {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.runs = append(r.runs, &controller.RunRecord{
			WorkflowID: id.ID, RunID: id.RunID, OriginalRunID: id.RunID, Retirement: id.ID == retireID, ByController: true, StartedAt: env.Now(),
		})
	})
	env.SetOnChildWorkflowCompletedListener(func(info *workflow.Info, value converter.EncodedValue, err error) {
		var result farm.RotationResult
		if err == nil {
			err = value.Get(&result)
		}
		r.end(info.WorkflowExecution.RunID, env.Now(), result, err)
	})
}

// end records how a run ended.
func (r *testRuns) end(runID string, at time.Time, result farm.RotationResult, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record := r.find(runID)
	if record == nil || !record.Running() {
		return
	}
	record.EndedAt, record.Wait = at, nil
	var reported bool
	if record.Result, reported = workflows.RotationResultOf(result, err); !reported {
		record.Problem = fmt.Sprintf("%s left no report (%s); see its history", record.WorkflowID, workflows.Explain(errors.Unwrap(err)))
	}
}

func (r *testRuns) find(runID string) *controller.RunRecord {
	i := slices.IndexFunc(r.runs, func(record *controller.RunRecord) bool { return record.RunID == runID })
	if i < 0 {
		return nil
	}
	return r.runs[i]
}

// add has Temporal know a run.
func (r *testRuns) add(record controller.RunRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, &record)
}

// change changes what Temporal says of the run that was started last.
func (r *testRuns) change(do func(*controller.RunRecord)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do(r.runs[len(r.runs)-1])
}

// setAway has Temporal not answer, until it is nil.
func (r *testRuns) setAway(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = err
}

// ask has the runs that go on say how far they are. It is called where the test
// environment is not at work on them.
func (r *testRuns) ask(env *testsuite.TestWorkflowEnvironment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range r.runs {
		if !record.Running() {
			continue
		}
		var status farm.Status
		if answer, err := env.QueryWorkflowByID(record.WorkflowID, workflows.StatusQuery); err == nil && answer.Get(&status) == nil {
			record.Wait, record.Reason = status.Wait, status.Report.Reason
		}
		var snapshot *farm.Snapshot
		if answer, err := env.QueryWorkflowByID(record.WorkflowID, workflows.SnapshotQuery); err == nil && answer.Get(&snapshot) == nil {
			record.Snapshot = snapshot
		}
	}
}

// Run implements activities.Runs.
func (r *testRuns) Run(_ context.Context, workflowID, runID string) (*controller.RunRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range slices.Backward(r.runs) {
		if record.WorkflowID == workflowID && (runID == "" || record.RunID == runID || record.OriginalRunID == runID) {
			copied := *record
			return &copied, r.away
		}
	}
	return nil, r.away
}

// EndedRuns implements activities.Runs.
func (r *testRuns) EndedRuns(_ context.Context, _ string, since time.Time) ([]controller.RunRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ended []controller.RunRecord
	for _, record := range r.runs {
		if record.EndedAt.After(since) {
			ended = append(ended, *record)
		}
	}
	return ended, r.away
}

// PreviousState implements activities.Runs.
func (r *testRuns) PreviousState(context.Context, string, string) (*controller.State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.previous, r.away
}

// onRead prepares the answer to a question that the controller, or one of its runs, is
// about to ask.
func (c *testController) onRead(info *activity.Info) {
	switch info.ActivityType.Name {
	case "ReadRun", "RecallFarm":
		c.runs.ask(c.env)
	case "KeepSnapshot":
		run := controller.Admission{WorkflowID: info.WorkflowExecution.ID, RunID: info.WorkflowExecution.RunID}
		c.sendAdmission(run, c.runs.expectAnswer(run.RunID))
	}
}

// answer is what a controller answers to an admission.
type answer struct {
	admitted controller.Admitted
	err      error
}

// sendAdmission asks the controller to admit a run.
func (c *testController) sendAdmission(run controller.Admission, answered func(answer)) {
	c.sendUpdate(workflows.AdmitUpdate, run, func(result any, err error) {
		got := answer{err: err}
		if application, ok := errors.AsType[*temporal.ApplicationError](err); ok && application.Type() == workflows.RefusedError {
			got.err = temporal.NewNonRetryableApplicationError(application.Message(), activities.NotAdmitted, nil)
		}
		got.admitted, _ = result.(controller.Admitted)
		answered(got)
	})
}

// expectAnswer has the next admission of a run wait for the controller's answer.
func (r *testRuns) expectAnswer(runID string) func(answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := make(chan answer, 1)
	if r.answers == nil {
		r.answers = map[string]chan answer{}
	}
	r.answers[runID] = answers
	return func(a answer) { answers <- a }
}

// takeAnswers returns where the controller answers to a run; nil where none is asked.
func (r *testRuns) takeAnswers(runID string) chan answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	answers := r.answers[runID]
	delete(r.answers, runID)
	return answers
}
