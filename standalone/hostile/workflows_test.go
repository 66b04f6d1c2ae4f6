package hostile

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
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
					w.requireUnchanged(t)
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
	w.requireUnchanged(t)
}

// steeredFor is how long a workflow that was started by hand is given to do harm.
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

// steer approves and retries what a run waits for, until it ends or ctx does.
func (w *world) steer(ctx context.Context, run temporal.WorkflowRun) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.Get(ctx, nil) //nolint:errcheck // how it ends does not matter: the farm does
	}()
	for {
		select {
		case <-ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
		var s farm.Status
		answer, err := w.temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), workflows.StatusQuery)
		if err != nil || answer.Get(&s) != nil || s.Wait == nil {
			continue
		}
		for _, d := range []farm.Decision{{Choice: farm.Approve, Digest: s.Wait.Digest}, {Choice: farm.Retry}} {
			d.By, d.Reason = "CISO", "attack"
			_, _ = w.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{ //nolint:errcheck // it may be refused
				WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: workflows.DecideUpdate, Args: []any{d}, WaitForStage: temporal.WorkflowUpdateStageCompleted,
			})
		}
	}
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
			w.requireUnchanged(t)
		})
	}
	w.restoreController(t)
}

// testMessages sends each signal, update and query that a workflow says it has, with
// hostile content.
func testMessages(t *testing.T, w *world) {
	for id, contents := range w.messages() {
		t.Run(id, func(t *testing.T) {
			definition := w.describe(t, id)
			for _, f := range w.forgers(w.farm) {
				f.run = controller.Admission{WorkflowID: workflows.RotateID(w.farm.name), RunID: "forged"}
				for _, s := range definition.SignalDefinitions {
					for _, in := range f.contents(t, s.Name, contents) {
						if err := w.temporal.SignalWorkflow(t.Context(), id, "", s.Name, encode(t, in)); err != nil {
							t.Fatal(err)
						}
					}
				}
				for _, u := range definition.UpdateDefinitions {
					for _, in := range f.contents(t, u.Name, contents) {
						w.update(t, id, u.Name, in)
					}
				}
				for _, q := range definition.QueryDefinitions {
					_, _ = w.temporal.QueryWorkflow(t.Context(), id, "", q.Name, "attack") //nolint:errcheck // a query that refuses is fine
				}
				w.requireUnchanged(t)
			}
		})
	}
	w.restoreController(t)
}

// messages are the contents of the messages that a workflow takes, by its ID and their
// names. One that is not here fails the test.
func (w *world) messages() map[string]map[string]reflect.Type {
	return map[string]map[string]reflect.Type{
		workflows.ControllerID(w.farm.name): {
			workflows.EventSignal: reflect.TypeFor[controller.Event](), workflows.RunSignal: reflect.TypeFor[controller.RunHint](),
			workflows.WithdrawSignal: reflect.TypeFor[controller.Withdrawal](), workflows.ConfigurationSignal: reflect.TypeFor[controller.Configuration](),
			workflows.RequestUpdate: reflect.TypeFor[controller.Request](), workflows.AdmitUpdate: reflect.TypeFor[controller.Admission](),
		},
	}
}

func (f forger) contents(t *testing.T, name string, contents map[string]reflect.Type) []any {
	t.Helper()
	content, ok := contents[name]
	if !ok {
		t.Errorf("%s is not attacked: add its content", name)
		return nil
	}
	inputs, err := f.inputs(content)
	if err != nil {
		t.Fatal(err)
	}
	return inputs
}

// describe asks a workflow what messages it takes.
func (w *world) describe(t *testing.T, id string) *sdkpb.WorkflowDefinition {
	t.Helper()
	definition := w.describeRun(t, id, "")
	if len(definition.SignalDefinitions) == 0 || len(definition.UpdateDefinitions) == 0 {
		t.Fatalf("%s says that it takes %v", id, definition)
	}
	return definition
}

func (w *world) describeRun(t *testing.T, id, runID string) *sdkpb.WorkflowDefinition {
	t.Helper()
	var metadata sdkpb.WorkflowMetadata
	await(t, id+" describes itself", func() error {
		answer, err := w.temporal.QueryWorkflow(t.Context(), id, runID, "__temporal_workflow_metadata")
		if err != nil {
			return err
		}
		return answer.Get(&metadata)
	})
	return metadata.Definition
}

// update sends an update, and ends what it may have started.
func (w *world) update(t *testing.T, id, name string, in any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), steeredFor)
	defer cancel()
	handle, err := w.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: []any{encode(t, in)}, WaitForStage: temporal.WorkflowUpdateStageAccepted,
	})
	if err == nil {
		var started workflows.StartedRun
		if handle.Get(ctx, &started) == nil && strings.HasPrefix(started.WorkflowID, "rotate/") {
			_ = w.temporal.TerminateWorkflow(t.Context(), started.WorkflowID, started.RunID, "the attack is over") //nolint:errcheck // it may have ended
		}
	}
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
