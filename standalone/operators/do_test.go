package operators

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// patience is how long something may take that takes a second or two: the machine may
// be busy.
const patience = 150 * time.Second

// await waits until a check finds nothing wrong, and fails the test with what it found
// last.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited for %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (w *testFarm) awaitState(t *testing.T, what string, holds func(controller.State) bool) {
	t.Helper()
	await(t, what, func() error {
		s, err := w.farm.State(t.Context())
		if err == nil && !holds(s) {
			return fmt.Errorf("%+v", s)
		}
		return err
	})
}

// awaitWait waits until a run waits for an operator, and returns for what.
func (w *testFarm) awaitWait(t *testing.T, id string, why farm.WaitFor) (wait farm.Wait) {
	t.Helper()
	await(t, fmt.Sprintf("%s waits for %s", id, why), func() error {
		s, err := w.farm.Run(t.Context(), id, "").Status(t.Context())
		switch {
		case err != nil:
			return err
		case s.Wait == nil || s.Wait.For != why:
			return fmt.Errorf("%s: %+v", s.Phase, s.Wait)
		}
		wait = *s.Wait
		return nil
	})
	return wait
}

func (w *testFarm) approve(t *testing.T, id string) {
	t.Helper()
	wait := w.awaitWait(t, id, farm.ForApproval)
	w.decide(t, id, farm.Decision{Choice: farm.Approve, Digest: wait.Digest})
}

func (w *testFarm) decide(t *testing.T, id string, d farm.Decision) {
	t.Helper()
	d.By, d.Reason = operator.By, operator.Reason
	if d.Choice != farm.Approve {
		w.awaitWait(t, id, farm.ForApproval)
	}
	if err := w.farm.Run(t.Context(), id, "").Decide(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// decideWhenAsked decides as soon as a run waits for an operator, whatever for.
func (w *testFarm) decideWhenAsked(t *testing.T, id string, choice farm.Choice) {
	t.Helper()
	run := w.farm.Run(t.Context(), id, "")
	await(t, id+" waits for an operator", func() error {
		s, err := run.Status(t.Context())
		if err == nil && !s.Wait.NeedsOperator() {
			err = fmt.Errorf("%s: %+v", s.Phase, s.Wait)
		}
		return err
	})
	if err := run.Decide(t.Context(), farm.Decision{Choice: choice, By: operator.By, Reason: operator.Reason}); err != nil {
		t.Fatal(err)
	}
}

// lookAfterController does what a worker does every minute: it starts the farm's
// controller if none runs.
func (w *testFarm) lookAfterController(t *testing.T) {
	t.Helper()
	f := w.config.Farms[0]
	if _, err := w.farm.Under(f.Rotation).Configure(t.Context(), client.Worker{Host: "test"}, w.config.HashFarm(f), ""); err != nil {
		t.Fatal(err)
	}
}

func (w *testFarm) signal(t *testing.T, name string, value any) {
	t.Helper()
	if err := w.temporal.SignalWorkflow(t.Context(), workflows.ControllerID(w.name), "", name, value); err != nil {
		t.Fatal(err)
	}
}

func (w *testFarm) cancel(t *testing.T, id string) {
	t.Helper()
	if err := w.temporal.CancelWorkflow(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
}

func (w *testFarm) terminate(t *testing.T, id string) {
	t.Helper()
	if err := w.temporal.TerminateWorkflow(t.Context(), id, "", "a test"); err != nil {
		t.Fatal(err)
	}
}

// terminateAll terminates what runs for the farm, and waits until nothing does.
func (w *testFarm) terminateAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	query := fmt.Sprintf("Farm = '%s' AND ExecutionStatus = 'Running'", w.name)
	for {
		list, err := w.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Error(err)
			return
		}
		if len(list.Executions) == 0 {
			return
		}
		for _, e := range list.Executions {
			err := w.temporal.TerminateWorkflow(ctx, e.Execution.WorkflowId, e.Execution.RunId, "the test has ended")
			if notFound := (*serviceerror.NotFound)(nil); err != nil && !errors.As(err, &notFound) {
				t.Error(err)
				return
			}
		}
	}
}

// resetTo is the workflow task that a run is reset to.
type resetTo int

const (
	firstTask resetTo = iota
	middleTask
	lastTask
)

// reset resets the run that runs or ran last, and returns the new run ID.
func (w *testFarm) reset(t *testing.T, id string, to resetTo) string {
	t.Helper()
	var tasks []int64
	history := w.temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		if err != nil {
			t.Fatal(err)
		}
		if event.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			tasks = append(tasks, event.EventId)
		}
	}
	at := map[resetTo]int64{firstTask: tasks[0], middleTask: tasks[len(tasks)/2], lastTask: tasks[len(tasks)-1]}[to]
	response, err := w.temporal.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: embedded.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Reason: "a test", WorkflowTaskFinishEventId: at, RequestId: fmt.Sprint(time.Now().UnixNano()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return response.RunId
}

// pauseActivity pauses what a run is doing on a server, and waits until it has
// stopped.
func (w *testFarm) pauseActivity(t *testing.T, id string) {
	t.Helper()
	var paused string
	await(t, "an activity that runs", func() error {
		for _, a := range w.pendingActivities(t, id) {
			if a.State == enumspb.PENDING_ACTIVITY_STATE_STARTED {
				paused = a.ActivityId
				return nil
			}
		}
		return errors.New("none")
	})
	_, err := w.temporal.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: embedded.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id}, Identity: "ada@ui",
		Activity: &workflowservice.PauseActivityRequest_Id{Id: paused}, Reason: "a test",
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the pause", func() error {
		for _, a := range w.pendingActivities(t, id) {
			if a.ActivityId == paused && a.State != enumspb.PENDING_ACTIVITY_STATE_PAUSED {
				return errors.New(a.State.String())
			}
		}
		return nil
	})
}

// unpause lets all paused activities of a run go on, and returns how many there were.
func (w *testFarm) unpause(t *testing.T, id string) (unpaused int) {
	t.Helper()
	for _, a := range w.pendingActivities(t, id) {
		if !a.Paused {
			continue
		}
		unpaused++
		_, err := w.temporal.WorkflowService().UnpauseActivity(t.Context(), &workflowservice.UnpauseActivityRequest{
			Namespace: embedded.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: id},
			Activity: &workflowservice.UnpauseActivityRequest_Id{Id: a.ActivityId},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return unpaused
}

func (w *testFarm) pendingActivities(t *testing.T, id string) []*workflowpb.PendingActivityInfo {
	t.Helper()
	described, err := w.temporal.DescribeWorkflowExecution(t.Context(), id, "")
	if notFound := (*serviceerror.NotFound)(nil); errors.As(err, &notFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return described.PendingActivities
}

// start starts a workflow by hand, replacing what runs under its ID.
func (w *testFarm) start(t *testing.T, id string, workflow any, in ...any) temporal.WorkflowRun {
	t.Helper()
	run, err := w.temporal.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{
		ID: id, TaskQueue: w.farm.TaskQueue(), WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, workflow, in...)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// requireFails waits until a run ends, which must fail.
func requireFails(t *testing.T, run temporal.WorkflowRun) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := run.Get(ctx, nil); err == nil || ctx.Err() != nil {
		t.Fatalf("%s ended with %v, want an error", run.GetID(), err)
	}
}

// requireChangesNothing waits until a run ends, which must fail or find nothing to do.
func requireChangesNothing(t *testing.T, run temporal.WorkflowRun) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var result farm.RotationResult
	if err := run.Get(ctx, &result); ctx.Err() != nil || err == nil && result.Outcome != farm.NoChange {
		t.Fatalf("%s ended %s with %v, want it unchanged or refused", run.GetID(), result.Outcome, err)
	}
}

// update sends an update that must be refused.
func (w *testFarm) requireRefused(t *testing.T, id, name string, args ...any) {
	t.Helper()
	handle, err := w.temporal.UpdateWorkflow(t.Context(), temporal.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: args, WaitForStage: temporal.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(t.Context(), nil)
	}
	if err == nil {
		t.Errorf("%s of %s takes %v", name, id, args)
	}
}
