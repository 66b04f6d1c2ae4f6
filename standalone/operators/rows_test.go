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

// What is found at a moment at which nothing happens, or after something usual.
var (
	stillWaits   = want{phase: controller.Rotating, needsOperator: true, page: "approv", says: "nothing: the rotation goes on waiting"}
	stillRotates = want{says: "nothing: the rotation goes on"}
	stillKept    = want{phase: controller.Idle, page: "retire", says: "nothing: the old certificate is kept for as long as before, and a rollback is possible"}
	stillUndone  = want{phase: controller.Suspended, suspended: "rolled back", needsOperator: true, rolledBack: true, says: "nothing: the farm stays suspended"}
	stillRetires = want{phase: controller.Retiring, needsOperator: true, page: "retire", says: "nothing: the retirement goes on waiting"}
	isTerminated = want{
		phase: controller.Suspended, suspended: "terminated", needsOperator: true,
		says: "the farm stays as it is, half changed; it is suspended, and can be rotated or rolled back",
	}
)

// What is found after a controller was ended: the next one knows the same.
const (
	recalls   = "a worker starts another controller within a minute, which finds out what runs and ran: "
	recallsAt = "the controller goes on from there as a new run, which finds out what runs and ran: "
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
	return slices.Concat(controllerEndRows(), controllerResetRows(), controllerStartRows())
}

func controllerEndRows() []row {
	cancel := pressing((*testFarm).cancel, workflows.ControllerID)
	terminate := pressing((*testFarm).terminate, workflows.ControllerID)
	const cancelled = "the controller does not end; it suspends the farm: nothing starts by itself until an operator resumes"
	return []row{
		{manageFarm, buttonCancel, "", inRetention, cancel, want{phase: controller.Suspended, suspended: "cancelled", needsOperator: true, says: cancelled}, nil},
		{manageFarm, buttonCancel, "", waitsForApproval, cancel, want{phase: controller.Rotating, suspended: "cancelled", needsOperator: true, says: cancelled + "; the rotation goes on waiting"}, nil},
		{manageFarm, buttonCancel, "", afterRollback, cancel, stillUndone, nil},

		{manageFarm, buttonTerminate, "", waitsForApproval, terminate, stillWaits.saying(recalls + "the rotation goes on waiting"), nil},
		{manageFarm, buttonTerminate, "", inCutover, terminate, stillRotates.saying(recalls + "the rotation waits for it before its next change, and goes on"), nil},
		{manageFarm, buttonTerminate, "", inRetention, terminate, stillKept.saying(recalls + "the old certificate is kept for as long as before"), nil},
		{manageFarm, buttonTerminate, "", afterRollback, terminate, stillUndone.saying(recalls + "the farm stays suspended"), nil},
		{manageFarm, buttonTerminate, "", waitsToDelete, terminate, stillRetires.saying(recalls + "the retirement goes on waiting"), nil},
		{manageFarm, buttonTerminate, "and the rotation is rolled back meanwhile,", waitsForApproval, func(t *testing.T, w *testFarm) {
			terminate(t, w)
			w.decide(t, workflows.RotateID(w.name), farm.Decision{Choice: farm.RollBack})
			_, _ = w.farm.Run(t.Context(), workflows.RotateID(w.name), "").Report(t.Context())
		}, stillUndone.saying(recalls + "the farm is suspended, as after every rollback"), nil},
		{manageFarm, buttonTerminate, "and the rotation is terminated too,", inCutover, func(t *testing.T, w *testFarm) {
			terminate(t, w)
			w.terminate(t, workflows.RotateID(w.name))
		}, isTerminated.saying(recalls + "the farm is suspended, and can be rotated or rolled back"), nil},
	}
}

func controllerResetRows() []row {
	id := workflows.ControllerID
	return []row{
		{manageFarm, buttonReset, "to the first task", afterRollback, resetting(id, firstTask), stillUndone.saying(recallsAt + "the farm stays suspended"), nil},
		{manageFarm, buttonReset, "to a task in the middle", inRetention, resetting(id, middleTask), stillKept.saying(recallsAt + "the old certificate is kept for as long as before"), nil},
		{manageFarm, buttonReset, "to the first task", waitsForApproval, resetting(id, firstTask), stillWaits.saying(recallsAt + "the rotation goes on waiting"), nil},
		{manageFarm, buttonReset, "to the last task", inCutover, resetting(id, lastTask), stillRotates.saying(recallsAt + "the rotation goes on"), nil},
		{manageFarm, buttonReset, "to the first task", waitsToDelete, resetting(id, firstTask), stillRetires.saying(recallsAt + "the retirement goes on waiting"), nil},

		{manageFarm, buttonPause, "", inspects, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, id(w.name))
			w.gate.open()
			w.unpause(t, id(w.name))
		}, stillKept.saying("the inspection stops; after Unpause it begins again. One that stays paused ends after an hour, and the farm's page says so"), nil},
	}
}

func controllerStartRows() []row {
	id := workflows.ControllerID
	const replaced = "what it was given is not believed; it finds out what runs and ran: "
	return []row{
		{manageFarm, buttonStart, "under another ID", waitsForApproval, func(t *testing.T, w *testFarm) {
			requireFails(t, w.start(t, "my own controller "+w.name, workflows.ManageFarm, controller.State{Farm: w.name}))
		}, stillWaits.saying("it fails at once"), nil},
		{manageFarm, buttonStart, "under its own ID, in place of the one that runs,", afterRollback, func(t *testing.T, w *testFarm) {
			w.start(t, id(w.name), workflows.ManageFarm, controller.State{Farm: w.name, Last: controller.LastRun{Outcome: farm.Verified}})
		}, stillUndone.saying(replaced + "the farm stays suspended"), nil},
		{manageFarm, buttonStart, "under its own ID, in place of the one that runs,", waitsForApproval, func(t *testing.T, w *testFarm) {
			w.start(t, id(w.name), workflows.ManageFarm, controller.State{Farm: w.name, Suspended: "a forgery"})
		}, stillWaits.saying(replaced + "the rotation goes on waiting"), nil},
		{manageFarm, buttonStart, "under its own ID, after it was terminated,", inRetention, func(t *testing.T, w *testFarm) {
			w.terminate(t, id(w.name))
			w.start(t, id(w.name), workflows.ManageFarm, controller.State{Farm: w.name})
		}, stillKept.saying(replaced + "the old certificate is kept for as long as before"), nil},
	}
}

// anything is content that no message has, or that none should be believed for.
func anything(farmName string) []any {
	return []any{
		"not what is expected", 17,
		map[string]any{},
		nil,
		[]string{"a", "b"},
		map[string]any{"runId": "00000000-0000-0000-0000-000000000000", "workflowId": workflows.RotateID(farmName), "ending": true},
		map[string]any{"kind": "rotate", "id": "", "farm": "another"},
	}
}

func controllerMessageRows() []row {
	signalAnything := func(t *testing.T, w *testFarm) {
		for _, name := range []string{workflows.EventSignal, workflows.ConfigurationSignal, workflows.RunSignal, workflows.WithdrawSignal, "unknown"} {
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
	const dropped = "what cannot be read is dropped, and what can is only a reason to look: nothing is believed"
	const refused = "refused, with the reason"
	return []row{
		{manageFarm, buttonSignal, "any, with any content", afterRollback, signalAnything, stillUndone.saying(dropped), nil},
		{manageFarm, buttonSignal, "any, with any content", waitsForApproval, signalAnything, stillWaits.saying(dropped), nil},
		{manageFarm, buttonSignal, "any, with any content", inRetention, signalAnything, stillKept.saying(dropped), nil},
		{manageFarm, buttonUpdate, "any, with any content", afterRollback, updateAnything, stillUndone.saying(refused), nil},
		{manageFarm, buttonUpdate, "any, with any content", waitsForApproval, updateAnything, stillWaits.saying(refused), nil},
		{manageFarm, buttonUpdate, "that admits a run of another kind", waitsForApproval, admitForeign, stillWaits.saying(refused), nil},
	}
}
