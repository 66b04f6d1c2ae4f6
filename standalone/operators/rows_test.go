package operators

import (
	"slices"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// The workflows and the buttons, as docs/buttons.md names them.
const (
	manageFarm        = "ManageFarm"
	rotateTrust       = "RotateTrust"
	retireCertificate = "RetireCertificate"
	inspectTrust      = "InspectTrust"

	buttonCancel    = "Cancel"
	buttonTerminate = "Terminate"
	buttonReset     = "Reset"
	buttonPause     = "Pause an activity"
	buttonStart     = "Start"
	buttonSignal    = "Signal"
	buttonUpdate    = "Update"
)

// What is found at a moment at which nothing has happened.
var (
	stillWaits     = want{phase: controller.Rotating, needsOperator: true, page: "approv"}
	stillRotates   = want{phase: controller.Rotating}
	stillKept      = want{phase: controller.Idle, page: "retire"}
	stillUndone    = want{phase: controller.Suspended, suspended: "rolled back", needsOperator: true, rolledBack: true}
	stillRetires   = want{phase: controller.Retiring, page: "retire"}
	isCancelled    = want{phase: controller.Suspended, suspended: "cancelled", needsOperator: true}
	isTerminated   = want{phase: controller.Suspended, suspended: "terminated", needsOperator: true}
	nothingChanged = want{phase: controller.Suspended, needsOperator: true, suspended: "terminated", rolledBack: true}
)

func listRows() []row {
	return slices.Concat(controllerRows(), controllerMessageRows(), rotationRows(), retirementRows(), inspectionRows())
}

// pressing returns a press of a button on one of the farm's workflows.
func pressing(press func(*testFarm, *testing.T, string), id func(string) string) func(*testing.T, *testFarm) {
	return func(t *testing.T, w *testFarm) { press(w, t, id(w.name)) }
}

// resetting returns a reset of one of the farm's workflows.
func resetting(id func(string) string, to resetTo) func(*testing.T, *testFarm) {
	return func(t *testing.T, w *testFarm) { w.reset(t, id(w.name), to) }
}

func controllerRows() []row {
	cancel := pressing((*testFarm).cancel, workflows.ControllerID)
	terminate := pressing((*testFarm).terminate, workflows.ControllerID)
	cancelled := want{phase: controller.Rotating, suspended: "cancelled", needsOperator: true}
	return []row{
		{manageFarm, buttonCancel, "", inRetention, cancel, isCancelled, nil},
		{manageFarm, buttonCancel, "", waitsForApproval, cancel, cancelled, nil},
		{manageFarm, buttonCancel, "", afterRollback, cancel, stillUndone, nil},

		{manageFarm, buttonTerminate, "", waitsForApproval, terminate, stillWaits, nil},
		{manageFarm, buttonTerminate, "", inCutover, terminate, stillRotates, nil},
		{manageFarm, buttonTerminate, "", inRetention, terminate, stillKept, nil},
		{manageFarm, buttonTerminate, "", afterRollback, terminate, stillUndone, nil},
		{manageFarm, buttonTerminate, "", waitsToDelete, terminate, stillRetires, nil},
		{manageFarm, buttonTerminate, "and the rotation is rolled back meanwhile", waitsForApproval, func(t *testing.T, w *testFarm) {
			terminate(t, w)
			w.decide(t, workflows.RotateID(w.name), farm.Decision{Choice: farm.RollBack})
			_, _ = w.farm.Run(t.Context(), workflows.RotateID(w.name), "").Report(t.Context())
		}, stillUndone, nil},
		{manageFarm, buttonTerminate, "and the rotation is terminated too", inCutover, func(t *testing.T, w *testFarm) {
			terminate(t, w)
			w.terminate(t, workflows.RotateID(w.name))
		}, isTerminated, nil},

		{manageFarm, buttonReset, "to the first task", afterRollback, resetting(workflows.ControllerID, firstTask), stillUndone, nil},
		{manageFarm, buttonReset, "to a task in the middle", inRetention, resetting(workflows.ControllerID, middleTask), stillKept, nil},
		{manageFarm, buttonReset, "to the first task", waitsForApproval, resetting(workflows.ControllerID, firstTask), stillWaits, nil},
		{manageFarm, buttonReset, "to the last task", inCutover, resetting(workflows.ControllerID, lastTask), stillRotates, nil},
		{manageFarm, buttonReset, "to the first task", waitsToDelete, resetting(workflows.ControllerID, firstTask), stillRetires, nil},

		{manageFarm, buttonPause, "", inspects, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, workflows.ControllerID(w.name))
			w.gate.open()
			w.unpause(t, workflows.ControllerID(w.name))
		}, stillKept, nil},

		{manageFarm, buttonStart, "under another ID", waitsForApproval, func(t *testing.T, w *testFarm) {
			requireFails(t, w.start(t, "my own controller", workflows.ManageFarm, controller.State{Farm: w.name}))
		}, stillWaits, nil},
		{manageFarm, buttonStart, "under its own ID, replacing it, with a forged state", afterRollback, func(t *testing.T, w *testFarm) {
			w.start(t, workflows.ControllerID(w.name), workflows.ManageFarm, controller.State{Farm: w.name, Last: controller.LastRun{Outcome: farm.Verified}})
		}, stillUndone, nil},
		{manageFarm, buttonStart, "under its own ID, replacing it, with a forged state", waitsForApproval, func(t *testing.T, w *testFarm) {
			w.start(t, workflows.ControllerID(w.name), workflows.ManageFarm, controller.State{Farm: w.name, Suspended: "a forgery"})
		}, stillWaits, nil},
		{manageFarm, buttonStart, "under its own ID, after it was terminated", inRetention, func(t *testing.T, w *testFarm) {
			terminate(t, w)
			w.start(t, workflows.ControllerID(w.name), workflows.ManageFarm, controller.State{Farm: w.name})
		}, stillKept, nil},
	}
}

// anything is content that no message has, or that none should be believed for.
func anything(farmName string) []any {
	return []any{
		"not what is expected", 17, map[string]any{}, nil, []string{"a", "b"},
		map[string]any{"runId": "00000000-0000-0000-0000-000000000000", "workflowId": workflows.RotateID(farmName), "ending": true},
		map[string]any{"kind": "rotate", "id": "", "farm": "another"},
	}
}

func controllerMessageRows() []row {
	signalAnything := func(t *testing.T, w *testFarm) {
		for _, name := range []string{workflows.EventSignal, workflows.ConfigurationSignal, workflows.RunSignal, "unknown"} {
			for _, content := range anything(w.name) {
				w.signal(t, name, content)
			}
		}
	}
	updateAnything := func(t *testing.T, w *testFarm) {
		for _, name := range []string{workflows.RequestUpdate, workflows.AdmitUpdate, "unknown"} {
			for _, content := range anything(w.name) {
				w.requireRefused(t, workflows.ControllerID(w.name), name, content)
			}
		}
	}
	admitForeign := func(t *testing.T, w *testFarm) {
		run := w.start(t, "another/"+w.name, workflows.InspectTrust, workflows.InspectInput{Farm: w.name})
		w.requireRefused(t, workflows.ControllerID(w.name), workflows.AdmitUpdate, controller.Admission{WorkflowID: run.GetID(), RunID: run.GetRunID()})
	}
	return []row{
		{manageFarm, buttonSignal, "any, with any content", afterRollback, signalAnything, stillUndone, nil},
		{manageFarm, buttonSignal, "any, with any content", waitsForApproval, signalAnything, stillWaits, nil},
		{manageFarm, buttonSignal, "any, with any content", inRetention, signalAnything, stillKept, nil},
		{manageFarm, buttonUpdate, "any, with any content", afterRollback, updateAnything, stillUndone, nil},
		{manageFarm, buttonUpdate, "any, with any content", waitsForApproval, updateAnything, stillWaits, nil},
		{manageFarm, buttonUpdate, "that admits a run of another kind", waitsForApproval, admitForeign, stillWaits, nil},
	}
}
