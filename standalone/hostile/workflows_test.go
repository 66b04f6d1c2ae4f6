package hostile

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// workflowInputs are the inputs of the workflows, by the name of their type, and the ID
// that farmtrust itself runs one under. One that is registered and not here fails the test.
var workflowInputs = map[string]struct {
	input reflect.Type
	id    func(farmName string) string
}{
	"ManageFarm":        {reflect.TypeFor[controller.State](), workflows.ControllerID},
	"RotateTrust":       {reflect.TypeFor[workflows.RotateInput](), workflows.RotateID},
	"RetireCertificate": {reflect.TypeFor[workflows.RetireInput](), workflows.RetireID},
	"InspectTrust":      {reflect.TypeFor[workflows.InspectInput](), workflows.InspectID},
}

// testWorkflows starts every workflow by hand, under an ID of the attacker's and under
// farmtrust's own, and has what it asks an operator for decided: nothing changes the farm.
func testWorkflows(t *testing.T, w *world) {
	for _, name := range workflows.Types() {
		kind, ok := workflowInputs[name]
		if !ok {
			t.Errorf("workflow %s is not attacked: add its input", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			forgers := w.forgers(w.farm)
			for i, f := range forgers {
				f.run = controller.Admission{WorkflowID: workflows.RotateID(w.farm.name), RunID: "forged"}
				inputs, err := f.inputs(kind.input)
				if err != nil {
					t.Fatal(err)
				}
				w.startAll(t, name, inputs)
				// One after the other, since an ID is there once: each of the forgers
				// takes its share.
				for j := i; j < len(inputs); j += len(forgers) {
					w.startAndSteer(t, name, kind.id(w.farm.name), inputs[j])
					w.farm.requireUnchanged(t)
				}
			}
		})
	}
	w.restoreController(t)
}

// startAll starts a workflow with each of some inputs, at the same time, under IDs of the
// attacker's.
func (w *world) startAll(t *testing.T, kind string, inputs []any) {
	t.Helper()
	var group sync.WaitGroup
	for i, in := range inputs {
		encoded := encode(t, in)
		group.Go(func() { w.startAndSteer(t, kind, fmt.Sprintf("attack/%d", i), encoded) })
	}
	group.Wait()
	w.farm.requireUnchanged(t)
}

// steeredFor is how long a workflow that was started by hand is given to do harm: until it
// has nothing more to do, and at most that.
const steeredFor = 5 * time.Second

// startAndSteer starts a workflow and decides whatever it waits for, until it ends or its
// time is over.
func (w *world) startAndSteer(t *testing.T, kind, id string, in any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), steeredFor)
	defer cancel()
	run, err := w.temporal.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue(""), WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}, kind, encode(t, in))
	if err != nil {
		t.Error(err)
		return
	}
	w.steer(ctx, run)
	_ = w.temporal.TerminateWorkflow(t.Context(), id, run.GetRunID(), "the attack is over") //nolint:errcheck // it may have ended
}

// steer approves and retries what a run waits for, a few times, until it ends, has been at
// rest for a moment, or ctx ends.
func (w *world) steer(ctx context.Context, run temporal.WorkflowRun) {
	for decided, rested := 0, 0; rested < 3; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
		ended, resting := w.look(ctx, run)
		switch {
		case ended:
			return
		case !resting:
			rested = 0
		case decided < 3 && w.decide(ctx, run):
			decided, rested = decided+1, 0
		default:
			rested++
		}
	}
}

// look reports whether a run has ended, and whether it waits for nothing but a timer or a
// message.
func (w *world) look(ctx context.Context, run temporal.WorkflowRun) (ended, resting bool) {
	d, err := w.temporal.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if err != nil {
		return false, false
	}
	ended = d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	return ended, len(d.PendingActivities) == 0 && len(d.PendingChildren) == 0 && d.PendingWorkflowTask == nil
}

// decide approves and retries what a run waits for, and reports whether it waits for
// that.
func (w *world) decide(ctx context.Context, run temporal.WorkflowRun) bool {
	var s farm.Status
	answer, err := w.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StatusQuery)
	if err != nil || answer.Get(&s) != nil || s.Wait == nil {
		return false
	}
	for _, d := range []farm.Decision{{Choice: farm.Approve, Digest: s.Wait.Digest}, {Choice: farm.Retry}} {
		d.By, d.Reason = "CISO", "attack"
		_, _ = w.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{ //nolint:errcheck // it may be refused
			WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: workflows.DecideUpdate, Args: []any{d}, WaitForStage: temporal.WorkflowUpdateStageCompleted,
		})
	}
	return true
}

// restoreController ends what has the ID of the farm's controller, and waits for the
// one that a worker starts, which recalls.
func (w *world) restoreController(t *testing.T) controller.State {
	t.Helper()
	_ = w.temporal.TerminateWorkflow(t.Context(), workflows.ControllerID(w.farm.name), "", "the attack is over") //nolint:errcheck // it may have ended
	if _, err := w.farm.client.Configure(t.Context(), w.worker(), "", ""); err != nil {
		t.Fatal(err)
	}
	return w.farm.awaitIdle(t)
}

// testContinued has a workflow of the attacker's continue as the farm's controller, with
// a forged state that names a snapshot to restore and a run of the attacker's to admit.
// The controller recalls instead, and what an operator honestly asks for afterwards
// restores nothing of the attacker's.
func testContinued(t *testing.T, w *world) {
	for _, f := range w.forgers(w.farm) {
		t.Run(f.name, func(t *testing.T) {
			id := workflows.ControllerID(w.farm.name)
			f.run = controller.Admission{WorkflowID: workflows.RotateID(w.farm.name), RunID: "forged"}
			inputs, err := f.inputs(reflect.TypeFor[controller.State]())
			if err != nil {
				t.Fatal(err)
			}
			state := inputs[0].(controller.State)
			state.Unmanaged, state.Recalling, state.Active, state.Unfinished, state.Format = "", false, nil, nil, controller.Format
			_, err = w.temporal.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{
				ID: id, TaskQueue: attackQueue, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
			}, Become, "ManageFarm", workflows.TaskQueue(""), encode(t, state))
			if err != nil {
				t.Fatal(err)
			}
			got := w.farm.awaitIdle(t)
			if !got.Retention.Snapshot.IsOf(&w.newest) || got.Suspended != "" {
				t.Errorf("the controller believes what it was continued with: it keeps the state before %s of %s", got.Retention.Snapshot.Target.Thumbprint, got.Retention.Snapshot.TakenAt)
			}
			w.farm.requireUnchanged(t)
		})
	}
	w.restoreController(t)
}

// terminateAll ends what the attacks have left.
func (w *world) terminateAll(t *testing.T) {
	t.Helper()
	open, err := w.temporal.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: embedded.Namespace, Query: "ExecutionStatus = 'Running'"})
	if err != nil {
		t.Error(err)
		return
	}
	for _, e := range open.Executions {
		_ = w.temporal.TerminateWorkflow(context.Background(), e.Execution.WorkflowId, e.Execution.RunId, "the test ends") //nolint:errcheck // it may have ended
	}
}
