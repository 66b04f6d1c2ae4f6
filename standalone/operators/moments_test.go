package operators

import (
	"errors"
	"testing"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// moment is when an operator presses a button.
type moment struct {
	name   string
	policy policy
	// hasSnapshot reports whether the rotation has taken its snapshot.
	hasSnapshot bool
	// reach brings the farm to the moment. Where it leaves a script held, that is let
	// go once the button was pressed.
	reach func(*testing.T, *testFarm)
}

// Each rotation waits for an approval, and the old certificate is retired at once,
// which waits for one too.
var (
	withApproval  = policy{rotation: []string{"approval: required", "keepOldFor: 0s"}, leadTime: "30d"}
	withRetention = policy{rotation: []string{"approval: none", "keepOldFor: 2d"}, leadTime: "30d"}
	// withRetentionAndApproval asks before the cutover, and keeps the old certificate.
	withRetentionAndApproval = policy{rotation: []string{"approval: required", "keepOldFor: 2d"}, leadTime: "30d"}
	notDue                   = policy{rotation: []string{"approval: required", "keepOldFor: 0s"}, leadTime: "1d"}
)

// The scripts that moments hold.
var (
	observes = powershell.ScriptOf(powershell.GetOfficeServer{})
	cutsOver = powershell.ScriptOf(powershell.SetS2SCertificateName{})
	restarts = powershell.ScriptOf(powershell.RestartSharePointServer{})
	removes  = powershell.ScriptOf(powershell.RemoveS2SCertificate{})
)

var operator = client.Author{By: "ada", Reason: "a test"}

var (
	beforeSnapshot = moment{"before the snapshot", notDue, false, func(t *testing.T, w *testFarm) {
		w.awaitState(t, "an inspection", func(s controller.State) bool { return !s.Inspected.At.IsZero() })
		held := w.gate.hold(observes)
		if _, err := w.farm.Rotate(t.Context(), operator); err != nil {
			t.Fatal(err)
		}
		await(t, "the rotation observes", func() error { return isClosed(held) })
	}}
	waitsForApproval = moment{"while it waits for approval", withApproval, true, func(t *testing.T, w *testFarm) {
		w.awaitWait(t, workflows.RotateID(w.name), farm.ForApproval)
	}}
	inCutover = moment{"in the middle of the cutover", withApproval, true, func(t *testing.T, w *testFarm) {
		held := w.gate.hold(cutsOver)
		w.approve(t, workflows.RotateID(w.name))
		await(t, "the cutover has begun", func() error { return isClosed(held) })
	}}
	inRestarts = moment{"at the restarts, with the issuers switched", withApproval, true, func(t *testing.T, w *testFarm) {
		held := w.gate.hold(restarts)
		w.approve(t, workflows.RotateID(w.name))
		await(t, "the restarts have begun", func() error { return isClosed(held) })
	}}
	inRetention = moment{"while the old certificate is kept", withRetention, true, func(t *testing.T, w *testFarm) {
		w.awaitState(t, "a verified rotation", func(s controller.State) bool {
			return s.Last.Outcome == farm.Verified && s.Active == nil && s.Inspected.Current.Thumbprint != w.old && !s.Inspected.Due
		})
	}}
	afterRollback = moment{"after it was rolled back", withApproval, false, func(t *testing.T, w *testFarm) {
		w.decide(t, workflows.RotateID(w.name), farm.Decision{Choice: farm.RollBack})
		w.awaitState(t, "a suspension", func(s controller.State) bool {
			return s.Suspended != "" && s.Active == nil && s.Last.Outcome == farm.RolledBack && !s.Inspected.Due
		})
	}}
	waitsToDelete = moment{"while the old certificate is retired", withApproval, true, func(t *testing.T, w *testFarm) {
		w.approve(t, workflows.RotateID(w.name))
		w.awaitWait(t, workflows.RetireID(w.name), farm.ForApproval)
	}}
	deletes = moment{"while the old certificate is deleted", withApproval, true, func(t *testing.T, w *testFarm) {
		waitsToDelete.reach(t, w)
		held := w.gate.hold(removes)
		w.approve(t, workflows.RetireID(w.name))
		await(t, "the deletion has begun", func() error { return isClosed(held) })
	}}
	isRetired = moment{"after the old certificate was retired", withApproval, false, func(t *testing.T, w *testFarm) {
		waitsToDelete.reach(t, w)
		w.approve(t, workflows.RetireID(w.name))
		w.awaitState(t, "a retired certificate", func(s controller.State) bool { return isSettled(s, w.old) })
	}}
	inspects = moment{"while the farm is inspected", withRetention, true, func(t *testing.T, w *testFarm) {
		inRetention.reach(t, w)
		held := w.gate.hold(observes)
		w.signal(t, workflows.EventSignal, controller.Event{ID: "inspect", Summary: "a test"})
		await(t, "an inspection", func() error { return isClosed(held) })
	}}
)

// isSettled reports whether a renewal is complete: nothing of it is left to do.
func isSettled(s controller.State, old farm.Thumbprint) bool {
	return s.Active == nil && len(s.Unfinished) == 0 && s.Retention.Snapshot == nil && len(s.Retention.Older) == 0 && s.Suspended == "" &&
		s.Inspected.Current.Thumbprint != "" && s.Inspected.Current.Thumbprint != old && !s.Inspected.Due && !s.Recalling
}

func isClosed(c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	default:
		return errors.New("not yet")
	}
}
