package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/workflows"
)

// attackQueue is the attacker's own task queue.
const attackQueue = "attacker"

// call is an activity to be scheduled with an input, and answer what came of it.
type call struct {
	Activity string
	Input    json.RawMessage
	What     string
}

type answer struct {
	call
	Refused string
	Type    string
	Result  json.RawMessage
}

// attemptedFor is how long an activity is given to do harm. What is refused is so at once;
// what waits for a state that the attacker has made up would wait for minutes.
const attemptedFor = 6 * time.Second

// Attack schedules activities of farmtrust on its queue.
func Attack(ctx workflow.Context, queue string, calls []call) ([]answer, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: attemptedFor, ScheduleToCloseTimeout: time.Minute, RetryPolicy: &sdk.RetryPolicy{MaximumAttempts: 1},
	})
	futures := make([]workflow.Future, len(calls))
	for i, c := range calls {
		futures[i] = workflow.ExecuteActivity(ctx, c.Activity, arguments(c)...)
	}
	answers := make([]answer, len(calls))
	for i, f := range futures {
		answers[i].call = call{Activity: calls[i].Activity, What: calls[i].What}
		var result json.RawMessage
		if err := f.Get(ctx, &result); err != nil {
			answers[i].Refused = err.Error()
			if application, ok := errors.AsType[*sdk.ApplicationError](err); ok {
				answers[i].Type = application.Type()
			}
		}
		answers[i].Result = result
	}
	return answers, nil
}

func arguments(c call) []any {
	if len(c.Input) == 0 {
		return nil
	}
	return []any{c.Input}
}

// Become continues as a workflow of farmtrust, so that this has a past and the input that
// the attacker chooses.
func Become(ctx workflow.Context, kind, queue string, input json.RawMessage) error {
	return workflow.NewContinueAsNewErrorWithOptions(workflow.WithWorkflowTaskQueue(ctx, queue), workflow.ContinueAsNewErrorOptions{}, kind, input)
}

// startAttacker runs a worker of the attacker's own.
func (w *world) startAttacker(t *testing.T) {
	t.Helper()
	attacker := worker.New(w.temporal, attackQueue, worker.Options{})
	attacker.RegisterWorkflow(Attack)
	attacker.RegisterWorkflow(Become)
	if err := attacker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(attacker.Stop)
}

// attack has activities scheduled by a workflow of the attacker's with an ID.
func (w *world) attack(t *testing.T, id string, calls []call) []answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run, err := w.temporal.ExecuteWorkflow(ctx, temporal.StartWorkflowOptions{
		ID: id, TaskQueue: attackQueue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, Attack, workflows.TaskQueue(""), calls)
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := run.Get(ctx, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}
