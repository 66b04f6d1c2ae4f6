package operators

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

func rotationRows() []row {
	cancel := pressing((*testFarm).cancel, workflows.RotateID)
	terminate := pressing((*testFarm).terminate, workflows.RotateID)
	input := func(w *testFarm) workflows.RotateInput { return workflows.RotateInput{Farm: w.name, Reason: "by hand"} }
	startOwn := func(t *testing.T, w *testFarm) {
		requireFails(t, w.start(t, workflows.RotateID(w.name), workflows.RotateTrust, input(w)))
	}
	startForeign := func(t *testing.T, w *testFarm) {
		requireFails(t, w.start(t, "my own rotation", workflows.RotateTrust, input(w)))
	}
	rollBack := func(t *testing.T, w *testFarm) {
		if _, err := w.farm.Rollback(t.Context(), operator); err != nil {
			t.Fatal(err)
		}
		w.assertInvariants(t, known{}, want{phase: controller.Suspended, suspended: "rolled back", needsOperator: true, rolledBack: true})
	}
	return []row{
		{rotateTrust, buttonCancel, "", beforeSnapshot, cancel, want{phase: controller.Suspended, suspended: "rolled back", needsOperator: true, rolledBack: true}, nil},
		{rotateTrust, buttonCancel, "", waitsForApproval, cancel, stillUndone, nil},
		{rotateTrust, buttonCancel, "", inCutover, cancel, stillUndone, nil},

		{rotateTrust, buttonTerminate, "", beforeSnapshot, terminate, nothingChanged, nil},
		{rotateTrust, buttonTerminate, "", waitsForApproval, terminate, isTerminated, nil},
		{rotateTrust, buttonTerminate, "", inCutover, terminate, isTerminated, nil},
		{rotateTrust, buttonTerminate, "and what it has done is rolled back", inCutover, terminate, isTerminated, rollBack},

		{rotateTrust, buttonReset, "to the first task", waitsForApproval, resetting(workflows.RotateID, firstTask), stillWaits, nil},
		{rotateTrust, buttonReset, "to the first task", inCutover, resetting(workflows.RotateID, firstTask), stillRotates, nil},
		{rotateTrust, buttonReset, "to a task in the middle", inCutover, resetting(workflows.RotateID, middleTask), stillRotates, nil},
		{rotateTrust, buttonReset, "to the last task", inCutover, resetting(workflows.RotateID, lastTask), stillRotates, nil},
		{rotateTrust, buttonReset, "to the first task", inRetention, resetting(workflows.RotateID, firstTask), stillKept, nil},
		{rotateTrust, buttonReset, "to a task in the middle", afterRollback, resetting(workflows.RotateID, middleTask), stillUndone, nil},
		{rotateTrust, buttonReset, "to the last task", afterRollback, resetting(workflows.RotateID, lastTask), stillUndone, nil},

		{rotateTrust, buttonPause, "", inCutover, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, workflows.RotateID(w.name))
			w.signal(t, workflows.RunSignal, controller.RunHint{}) // instead of waiting five minutes
		}, want{phase: controller.Rotating, needsOperator: true, page: "paused"}, nil},

		{rotateTrust, buttonStart, "under its own ID", afterRollback, startOwn, stillUndone, nil},
		{rotateTrust, buttonStart, "under its own ID", inRetention, startOwn, stillKept, nil},
		{rotateTrust, buttonStart, "under its own ID, replacing it", waitsForApproval, startOwn, isTerminated, nil},
		{rotateTrust, buttonStart, "under another ID", waitsForApproval, startForeign, stillWaits, nil},
		{rotateTrust, buttonStart, "under another ID", afterRollback, startForeign, stillUndone, nil},

		{rotateTrust, buttonSignal, "any, with any content", waitsForApproval, func(t *testing.T, w *testFarm) {
			for _, content := range anything(w.name) {
				if err := w.temporal.SignalWorkflow(t.Context(), workflows.RotateID(w.name), "", "unknown", content); err != nil {
					t.Fatal(err)
				}
			}
		}, stillWaits, nil},
		{rotateTrust, buttonUpdate, "any, with any content", waitsForApproval, func(t *testing.T, w *testFarm) {
			for _, content := range append(anything(w.name), farm.Decision{Choice: farm.Approve, Digest: "000000000000", By: "eve", Reason: "a forgery"}) {
				w.requireRefused(t, workflows.RotateID(w.name), workflows.DecideUpdate, content)
			}
		}, stillWaits, nil},
	}
}

func retirementRows() []row {
	kept := want{phase: controller.Idle}
	start := func(id func(string) string, newest bool) func(*testing.T, *testFarm) {
		return func(t *testing.T, w *testFarm) {
			s, err := w.farm.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			old := s.Inspected.Current
			if !newest {
				old = s.Retention.Snapshot.Previous
			}
			requireFails(t, w.start(t, id(w.name), workflows.RetireCertificate, workflows.RetireInput{Farm: w.name, Reason: "by hand", Old: old}))
		}
	}
	foreign := func(string) string { return "my own retirement" }
	return []row{
		{retireCertificate, buttonCancel, "", waitsToDelete, pressing((*testFarm).cancel, workflows.RetireID), kept, nil},
		{retireCertificate, buttonTerminate, "", waitsToDelete, pressing((*testFarm).terminate, workflows.RetireID), kept, nil},
		{retireCertificate, buttonReset, "to the first task", waitsToDelete, resetting(workflows.RetireID, firstTask), stillRetires, nil},
		{retireCertificate, buttonReset, "to the last task", deletes, resetting(workflows.RetireID, lastTask), want{phase: controller.Idle}, nil},
		{retireCertificate, buttonReset, "to the first task", isRetired, resetting(workflows.RetireID, firstTask), want{phase: controller.Idle}, nil},
		{retireCertificate, buttonPause, "", deletes, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, workflows.RetireID(w.name))
			w.signal(t, workflows.RunSignal, controller.RunHint{})
		}, want{phase: controller.Retiring, needsOperator: true, page: "paused"}, nil},
		{retireCertificate, buttonStart, "under its own ID, of the certificate in use", inRetention, start(workflows.RetireID, true), stillKept, nil},
		{retireCertificate, buttonStart, "under its own ID", inRetention, start(workflows.RetireID, false), stillKept, nil},
		{retireCertificate, buttonStart, "under another ID", inRetention, start(foreign, false), stillKept, nil},
	}
}

func inspectionRows() []row {
	startAnd := func(press func(*testFarm, *testing.T, string)) func(*testing.T, *testFarm) {
		return func(t *testing.T, w *testFarm) {
			id := "inspect/" + w.name
			held := w.gate.hold(observes)
			w.start(t, id, workflows.InspectTrust, workflows.InspectInput{Farm: w.name})
			await(t, "an inspection", func() error { return isClosed(held) })
			press(w, t, id)
		}
	}
	none := func(*testFarm, *testing.T, string) {}
	return []row{
		{inspectTrust, buttonCancel, "", afterRollback, startAnd((*testFarm).cancel), stillUndone, nil},
		{inspectTrust, buttonTerminate, "", afterRollback, startAnd((*testFarm).terminate), stillUndone, nil},
		{inspectTrust, buttonReset, "", inRetention, startAnd(func(w *testFarm, t *testing.T, id string) { w.reset(t, id, firstTask) }), stillKept, nil},
		{inspectTrust, buttonPause, "", inRetention, startAnd((*testFarm).pauseActivity), stillKept, nil},
		{inspectTrust, buttonStart, "under any ID", waitsForApproval, startAnd(none), stillWaits, nil},
	}
}
