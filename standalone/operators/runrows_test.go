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
	startIdle := func(t *testing.T, w *testFarm) {
		requireChangesNothing(t, w.start(t, workflows.RotateID(w.name), workflows.RotateTrust, input(w)))
	}
	startForeign := func(t *testing.T, w *testFarm) {
		requireFails(t, w.start(t, "my own rotation", workflows.RotateTrust, input(w)))
	}
	rollBack := func(t *testing.T, w *testFarm) {
		if _, err := w.farm.Rollback(t.Context(), operator); err != nil {
			t.Fatal(err)
		}
		w.assertBack(t, "rolled back")
	}
	decideRollback := func(t *testing.T, w *testFarm) {
		w.decideWhenAsked(t, workflows.RotateID(w.name), farm.RollBack)
		w.assertBack(t, "rolled back")
	}
	undoAtEnd := func(t *testing.T, w *testFarm) {
		w.awaitState(t, "a verified rotation", func(s controller.State) bool {
			return s.Last.Outcome == farm.Verified && (s.Active == nil || s.RunsRetirement())
		})
		if _, err := w.farm.Undo(t.Context(), operator, true); err != nil {
			t.Fatal(err)
		}
		w.approve(t, workflows.RotateID(w.name))
		w.assertBack(t, "undone")
	}
	const again = "it begins again as a new run, which the controller takes for the same rotation, with the snapshot from before its first change"
	const blocks = again + "; where it finds the farm changed since it was planned, it blocks before the cutover: roll it back"
	// It may go back to a wait that it has told the controller of before.
	const blocksOrWaits = blocks + "; within five minutes the farm's page says what it waits for"
	resetToMiddle := func(t *testing.T, w *testFarm) {
		w.reset(t, workflows.RotateID(w.name), middleTask)
		w.signal(t, workflows.RunSignal, controller.RunHint{}) // instead of waiting five minutes
	}
	const refused = "it fails before it changes anything: the controller did not start it"
	rolledBack := stillUndone.saying("it rolls back what it has changed, and the farm is suspended")
	return []row{
		{rotateTrust, buttonCancel, "", beforeSnapshot, cancel, want{
			phase: controller.Suspended, needsOperator: true, suspended: "cancelled", rolledBack: true, says: "nothing was changed; the farm is suspended",
		}, nil},
		{rotateTrust, buttonCancel, "", waitsForApproval, cancel, rolledBack, nil},
		{rotateTrust, buttonCancel, "", inCutover, cancel, rolledBack, nil},

		{rotateTrust, buttonTerminate, "", beforeSnapshot, terminate, want{
			phase: controller.Suspended, needsOperator: true, suspended: "terminated", rolledBack: true, says: "nothing was changed; the farm is suspended",
		}, nil},
		{rotateTrust, buttonTerminate, "", waitsForApproval, terminate, isTerminated, nil},
		{rotateTrust, buttonTerminate, "", inCutover, terminate, isTerminated, nil},
		{rotateTrust, buttonTerminate, "and `farmtrust rollback`", inCutover, terminate, isTerminated.saying("the farm is as it was before the rotation"), rollBack},

		{rotateTrust, buttonTerminate, "and `farmtrust rollback`", inRestarts, terminate, isTerminated.saying("the farm is as it was before the rotation"), rollBack},

		{rotateTrust, buttonReset, "to the first task", waitsForApproval, resetting(workflows.RotateID, firstTask), stillWaits.saying(again), nil},
		{rotateTrust, buttonReset, "to the first task", inCutover, resetting(workflows.RotateID, firstTask), want{phase: controller.Rotating, needsOperator: true, says: blocks}, nil},
		{rotateTrust, buttonReset, "to a task in the middle", inCutover, resetToMiddle, want{phase: controller.Rotating, needsOperator: true, says: blocksOrWaits}, nil},
		{rotateTrust, buttonReset, "to the last task", inCutover, resetting(workflows.RotateID, lastTask), stillRotates.saying(again), nil},
		{rotateTrust, buttonReset, "to the first task", inRestarts, resetting(workflows.RotateID, firstTask), want{phase: controller.Rotating, needsOperator: true, says: blocks}, decideRollback},
		{rotateTrust, buttonReset, "to a task in the middle", inRestarts, resetToMiddle, want{phase: controller.Rotating, needsOperator: true, says: blocksOrWaits}, decideRollback},
		{rotateTrust, buttonReset, "to the last task", inRestarts, resetting(workflows.RotateID, lastTask), stillRotates.saying(again), undoAtEnd},
		{rotateTrust, buttonReset, "to the first task", inRetention, resetting(workflows.RotateID, firstTask), stillKept.saying(refused), nil},
		{rotateTrust, buttonReset, "to a task in the middle", afterRollback, resetting(workflows.RotateID, middleTask), stillUndone.saying(refused), nil},
		{rotateTrust, buttonReset, "to the last task", afterRollback, resetting(workflows.RotateID, lastTask), stillUndone.saying(refused), nil},

		{rotateTrust, buttonPause, "", inCutover, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, workflows.RotateID(w.name))
			w.signal(t, workflows.RunSignal, controller.RunHint{}) // instead of waiting five minutes
		}, want{phase: controller.Rotating, needsOperator: true, page: "paused", says: "the step stops; within five minutes the farm's page says what is paused, and that an operator is needed. After Unpause the step is tried again"}, nil},

		{rotateTrust, buttonStart, "under its own ID", afterRollback, startOwn, stillUndone.saying(refused), nil},
		{rotateTrust, buttonStart, "under its own ID", inRetention, startIdle, stillKept.saying("it ends: there is nothing to change, or it fails before it changes anything, because the controller did not start it"), nil},
		{rotateTrust, buttonStart, "under its own ID, in place of the one that runs,", waitsForApproval, startOwn, isTerminated.saying(refused + "; the one that ran counts as terminated"), nil},
		{rotateTrust, buttonStart, "under another ID", waitsForApproval, startForeign, stillWaits.saying("it fails at once"), nil},
		{rotateTrust, buttonStart, "under another ID", afterRollback, startForeign, stillUndone.saying("it fails at once"), nil},

		{rotateTrust, buttonSignal, "any, with any content", waitsForApproval, func(t *testing.T, w *testFarm) {
			for _, content := range anything(w.name) {
				for _, name := range []string{workflows.ConfigurationSignal, "unknown"} {
					if err := w.temporal.SignalWorkflow(t.Context(), workflows.RotateID(w.name), "", name, content); err != nil {
						t.Fatal(err)
					}
				}
			}
		}, stillWaits.saying("dropped, or a reason to read the farm's configuration again: nothing is believed"), nil},
		{rotateTrust, buttonUpdate, "any, with any content", waitsForApproval, func(t *testing.T, w *testFarm) {
			for _, content := range append(anything(w.name), farm.Decision{Choice: farm.Approve, Digest: "000000000000", By: "eve", Reason: "a forgery"}) {
				w.requireRefused(t, workflows.RotateID(w.name), workflows.DecideUpdate, content)
			}
		}, stillWaits.saying("refused, with the reason; a decision that makes sense now is taken, with the name that it claims"), nil},
	}
}

func retirementRows() []row {
	kept := want{phase: controller.Idle, says: "the old certificate stays, and its retirement begins again after another `keepOldFor`"}
	const refused = "it fails before it changes anything: the controller did not start it"
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
		{retireCertificate, buttonReset, "to the first task", waitsToDelete, resetting(workflows.RetireID, firstTask), stillRetires.saying("it begins again as a new run, which the controller takes for the same retirement"), nil},
		{retireCertificate, buttonReset, "to the last task", deletes, resetting(workflows.RetireID, lastTask), want{deletes: true, says: "it goes on from there as a new run; what is deleted already is found so"}, nil},
		{retireCertificate, buttonReset, "to the first task", isRetired, resetting(workflows.RetireID, firstTask), want{phase: controller.Idle, says: refused}, nil},
		{retireCertificate, buttonPause, "", deletes, func(t *testing.T, w *testFarm) {
			w.pauseActivity(t, workflows.RetireID(w.name))
			w.signal(t, workflows.RunSignal, controller.RunHint{})
		}, want{phase: controller.Retiring, needsOperator: true, page: "paused", says: "the deletion stops; within five minutes the farm's page says what is paused, and that an operator is needed. After Unpause it is tried again"}, nil},
		{retireCertificate, buttonStart, "under its own ID, of the certificate in use", inRetention, start(workflows.RetireID, true), stillKept.saying(refused), nil},
		{retireCertificate, buttonStart, "under its own ID", inRetention, start(workflows.RetireID, false), stillKept.saying(refused), nil},
		{retireCertificate, buttonStart, "under another ID", inRetention, start(foreign, false), stillKept.saying("it fails at once"), nil},
	}
}

func inspectionRows() []row {
	const nothing = "nothing happens to the farm: an inspection changes nothing"
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
		{inspectTrust, buttonCancel, "", afterRollback, startAnd((*testFarm).cancel), stillUndone.saying(nothing), nil},
		{inspectTrust, buttonTerminate, "", afterRollback, startAnd((*testFarm).terminate), stillUndone.saying(nothing), nil},
		{inspectTrust, buttonReset, "", inRetention, startAnd(func(w *testFarm, t *testing.T, id string) { w.reset(t, id, firstTask) }), stillKept.saying(nothing), nil},
		{inspectTrust, buttonPause, "", inRetention, startAnd((*testFarm).pauseActivity), stillKept.saying(nothing), nil},
		{inspectTrust, buttonStart, "under any ID", waitsForApproval, startAnd(none), stillWaits.saying("it inspects the farm"), nil},
	}
}
