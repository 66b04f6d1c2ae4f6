package hostile

import (
	"context"
	"reflect"
	"strings"
	"testing"

	sdkpb "go.temporal.io/api/sdk/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// The contents of all messages that workflows take, by their names. A message that a
// workflow says it takes and that is not here fails the test.
var (
	signals = map[string]reflect.Type{
		workflows.EventSignal: reflect.TypeFor[controller.Event](), workflows.RunSignal: reflect.TypeFor[controller.RunHint](),
		workflows.WithdrawSignal: reflect.TypeFor[controller.Withdrawal](), workflows.ConfigurationSignal: reflect.TypeFor[controller.Configuration](),
	}
	updates = map[string]reflect.Type{
		workflows.RequestUpdate: reflect.TypeFor[controller.Request](), workflows.AdmitUpdate: reflect.TypeFor[controller.Admission](),
		workflows.DecideUpdate: reflect.TypeFor[farm.Decision](),
	}
)

// testMessages sends each message to the controller of a farm at rest.
func testMessages(t *testing.T, w *world) {
	for _, f := range w.forgers(w.farm) {
		f.run = controller.Admission{WorkflowID: workflows.RotateID(w.farm.name), RunID: "forged"}
		w.sendAll(t, workflows.ControllerID(w.farm.name), f)
		w.farm.requireUnchanged(t)
	}
	w.restoreController(t)
}

// sendAll sends a running workflow every signal and update that any workflow takes, with a
// forger's content, and asks it what it can be asked. It returns the updates that were not
// refused.
func (w *world) sendAll(t *testing.T, id string, f forger) (taken []string) {
	t.Helper()
	definition := w.describeRun(t, id, "")
	if len(definition.UpdateDefinitions) == 0 {
		t.Fatalf("%s says that it takes %v", id, definition)
	}
	requireKnown(t, id, definition.SignalDefinitions, signals)
	requireKnown(t, id, definition.UpdateDefinitions, updates)
	for name, content := range signals {
		for _, in := range f.contents(t, content) {
			if err := w.temporal.SignalWorkflow(t.Context(), id, "", name, encode(t, in)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, content := range updates {
		for _, in := range f.contents(t, content) {
			if w.update(t, id, name, in) == nil {
				taken = append(taken, name+" "+string(encode(t, in)))
			}
		}
	}
	for _, q := range definition.QueryDefinitions {
		_, _ = w.temporal.QueryWorkflow(t.Context(), id, "", q.Name, "attack") //nolint:errcheck // a query that refuses is fine
	}
	return taken
}

func requireKnown(t *testing.T, id string, definitions []*sdkpb.WorkflowInteractionDefinition, known map[string]reflect.Type) {
	t.Helper()
	for _, d := range definitions {
		if d.Name != "" && !strings.HasPrefix(d.Name, "__") && known[d.Name] == nil {
			t.Errorf("%s: %s is not attacked: add its content", id, d.Name)
		}
	}
}

func (f forger) contents(t *testing.T, content reflect.Type) []any {
	t.Helper()
	inputs, err := f.inputs(content)
	if err != nil {
		t.Fatal(err)
	}
	return inputs
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

// update sends an update, and ends the rotation that it may have started. It returns why the
// update was refused.
func (w *world) update(t *testing.T, id, name string, in any) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), steeredFor)
	defer cancel()
	handle, err := w.temporal.UpdateWorkflow(ctx, temporal.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: []any{encode(t, in)}, WaitForStage: temporal.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return err
	}
	var started workflows.StartedRun
	if err := handle.Get(ctx, &started); err != nil {
		return err
	}
	if strings.HasPrefix(started.WorkflowID, "rotate/") {
		_ = w.temporal.TerminateWorkflow(t.Context(), started.WorkflowID, started.RunID, "the attack is over") //nolint:errcheck // it may have ended
	}
	return nil
}
