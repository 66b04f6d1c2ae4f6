package operators

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// known is what a controller knew before a button was pressed.
type known struct {
	snapshot    *farm.Snapshot
	canRollBack bool
	suspended   string
}

// want is what an operator finds after a button was pressed.
type want struct {
	// phase is the controller's; empty where the run goes on and may have ended by now.
	phase controller.Phase
	// suspended is a part of the reason; empty where the farm is not suspended.
	suspended     string
	needsOperator bool
	// page is a part of the farm's page.
	page string
	// rolledBack reports whether the farm is as it was before the rotation, whose
	// snapshot is then no longer needed.
	rolledBack bool
	// deletes reports whether the old certificate is being deleted: from then on there is
	// no rollback.
	deletes bool
	// says is the same in the words of docs/buttons.md.
	says string
}

// saying returns what is found, in these words.
func (w want) saying(says string) want {
	w.says = says
	return w
}

// snapshotOf returns the snapshot that a controller would restore.
func snapshotOf(s controller.State) *farm.Snapshot {
	if s.Active != nil && s.Active.Snapshot != nil {
		return s.Active.Snapshot
	}
	if last := s.LastUnfinished(); last != nil {
		return last
	}
	return s.Retention.Snapshot
}

// know returns what the farm's controller knows, which must include the snapshot where
// one was taken.
func (w *testFarm) know(t *testing.T, hasSnapshot bool) known {
	t.Helper()
	var s controller.State
	w.awaitState(t, "a controller that knows the snapshot", func(now controller.State) bool {
		s = now
		return (snapshotOf(s) != nil) == hasSnapshot
	})
	snapshot := snapshotOf(s)
	return known{snapshot: snapshot, canRollBack: snapshot != nil && w.rollbackBlocked(t, s) == nil, suspended: s.Suspended}
}

// rollbackBlocked returns why the rotation that runs or ran last cannot be rolled
// back, or undone once it was verified.
func (w *testFarm) rollbackBlocked(t *testing.T, s controller.State) error {
	t.Helper()
	blocked := s.UndoBlocked()
	if s.LastUnfinished() != nil {
		blocked = s.RollbackBlocked()
	}
	if s.Active != nil && !s.Active.Retirement {
		status, err := w.farm.Run(t.Context(), s.Active.WorkflowID, s.Active.RunID).Status(t.Context())
		if err != nil {
			return err
		}
		blocked = ""
		if status.Wait != nil {
			blocked = status.Wait.RollbackBlocked
		}
	}
	if blocked != "" {
		return errors.New(blocked)
	}
	return nil
}

// assertInvariants fails the test unless what must be true after every button becomes
// true: the snapshot is known, a rollback is possible if it was, a suspension stays,
// and the farm's page says so and whether an operator is needed.
func (w *testFarm) assertInvariants(t *testing.T, before known, want want) {
	t.Helper()
	await(t, "what must be true after every button", func() error {
		s, err := w.farm.State(t.Context())
		if err != nil {
			return err
		}
		// No inspection disturbs a run that works: one that is due then comes later.
		if s.Recalling || s.Inspected.Due && s.MayInspect() {
			return fmt.Errorf("the controller is not ready: %+v", s)
		}
		return errors.Join(
			w.checkSnapshot(t, before, want, s), checkSuspension(before, want, s), w.checkPage(t, want, s),
		)
	})
}

// assertBack fails the test unless the farm becomes what it was before its first
// rotation, and suspended because that was so ended.
func (w *testFarm) assertBack(t *testing.T, ended string) {
	t.Helper()
	w.assertInvariants(t, known{}, want{phase: controller.Suspended, suspended: ended, needsOperator: true, rolledBack: true})
}

func (w *testFarm) checkSnapshot(t *testing.T, before known, want want, s controller.State) error {
	t.Helper()
	now := snapshotOf(s)
	switch {
	case want.rolledBack:
		if diff := w.before.Diff(w.sim.Trust()); diff != "" {
			return errors.New("the farm is not as before the rotation:\n" + diff)
		}
		return nil
	case before.snapshot == nil, want.deletes:
		return nil
	case now == nil:
		return errors.New("the snapshot is lost")
	case now.Previous.Thumbprint != before.snapshot.Previous.Thumbprint || now.Target.Thumbprint != before.snapshot.Target.Thumbprint:
		return fmt.Errorf("the snapshot goes from %s to %s, want from %s to %s", now.Previous.Thumbprint.Short(), now.Target.Thumbprint.Short(),
			before.snapshot.Previous.Thumbprint.Short(), before.snapshot.Target.Thumbprint.Short())
	case !now.TakenAt.Equal(before.snapshot.TakenAt):
		return fmt.Errorf("the snapshot was taken at %s, want the one of %s", now.TakenAt, before.snapshot.TakenAt)
	case before.canRollBack:
		if err := w.rollbackBlocked(t, s); err != nil {
			return fmt.Errorf("it cannot be rolled back any more: %w", err)
		}
	}
	return nil
}

func checkSuspension(before known, want want, s controller.State) error {
	switch {
	case before.suspended != "" && s.Suspended == "":
		return fmt.Errorf("the suspension is gone: %s", before.suspended)
	case want.suspended == "" && s.Suspended != "":
		return fmt.Errorf("suspended: %s", s.Suspended)
	case !strings.Contains(s.Suspended, want.suspended):
		return fmt.Errorf("suspended because %q, want %q", s.Suspended, want.suspended)
	case want.phase != "" && s.Phase() != want.phase:
		return fmt.Errorf("the phase is %s, want %s", s.Phase(), want.phase)
	}
	return nil
}

// checkPage compares the farm's page in the Temporal UI, and what searches find.
func (w *testFarm) checkPage(t *testing.T, want want, s controller.State) error {
	t.Helper()
	page, err := w.page(t)
	if err != nil {
		return err
	}
	if !strings.Contains(page, want.page) || !strings.Contains(page, s.Suspended) {
		return fmt.Errorf("the page does not contain %q and %q:\n%s", want.page, s.Suspended, page)
	}
	if want.phase == "" {
		return nil
	}
	found, err := w.count(t, fmt.Sprintf("WorkflowId = '%s' AND ExecutionStatus = 'Running' AND NeedsOperator = %t", workflows.ControllerID(w.name), want.needsOperator))
	if err == nil && found != 1 {
		err = fmt.Errorf("NeedsOperator is not %t; the page:\n%s", want.needsOperator, page)
	}
	return err
}

// page returns the farm's page in the Temporal UI.
func (w *testFarm) page(t *testing.T) (string, error) {
	t.Helper()
	value, err := w.temporal.QueryWorkflow(t.Context(), workflows.ControllerID(w.name), "", "__temporal_workflow_metadata")
	if err != nil {
		return "", err
	}
	var metadata sdkpb.WorkflowMetadata
	err = value.Get(&metadata)
	return metadata.CurrentDetails, err
}

func (w *testFarm) count(t *testing.T, query string) (int64, error) {
	t.Helper()
	response, err := w.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return response.GetCount(), err
}

// assertNothingStarts fails the test if the controller does something by itself after
// another inspection.
func (w *testFarm) assertNothingStarts(t *testing.T) {
	t.Helper()
	changes := w.log.count()
	before, err := w.farm.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.signal(t, workflows.EventSignal, controller.Event{ID: fmt.Sprint("again", time.Now().UnixNano()), Summary: "a test"})
	w.awaitState(t, "another inspection", func(s controller.State) bool {
		return s.Inspected.At.After(before.Inspected.At) && len(s.Mailbox.Pending) == 0
	})
	if done := w.log.count() - changes; done != 0 {
		t.Errorf("%d changing scripts were run for a farm that is suspended", done)
	}
	if s, err := w.farm.State(t.Context()); err != nil || s.Active != nil && before.Active == nil {
		t.Errorf("%v runs, %v", s.Active, err)
	}
}

// finish does what an operator does who wants the renewal, and fails the test unless
// the farm then works with the new certificate, and the old one was retired once or
// will be.
func (w *testFarm) finish(t *testing.T) {
	t.Helper()
	await(t, "a renewal that is complete", func() error { return w.operate(t) })
	if obstacles, err := w.sim.RefreshObstacles(); err != nil || len(obstacles) > 0 {
		t.Errorf("the farm does not work: %v, %v", obstacles, err)
	}
	s, err := w.farm.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantRemovals := 1
	if s.WillRetire() {
		wantRemovals = 0
	}
	for _, m := range w.sim.State().Office.Members {
		if got := w.log.removals(m.Host, w.old); got != wantRemovals {
			t.Errorf("%s: the old certificate was deleted %d times, want %d", m.Host, got, wantRemovals)
		}
	}
}

// operate does the next thing that an operator would do, and returns what is missing.
func (w *testFarm) operate(t *testing.T) error {
	t.Helper()
	s, err := w.farm.State(t.Context())
	if err != nil {
		return err
	}
	if s.Recalling {
		return errors.New("the controller recalls")
	}
	for _, id := range []string{workflows.ControllerID(w.name), workflows.RotateID(w.name), workflows.RetireID(w.name)} {
		if w.unpause(t, id) > 0 {
			return fmt.Errorf("%s was paused", id)
		}
	}
	if foreign := s.Foreign; foreign.WorkflowID != "" && s.Active == nil {
		// It has the workflow ID, and is not let change anything.
		_ = w.temporal.TerminateWorkflow(t.Context(), foreign.WorkflowID, foreign.RunID, "a test")
		_, err := w.farm.Rotate(t.Context(), operator)
		return errors.Join(fmt.Errorf("%s was started by hand", foreign.WorkflowID), err)
	}
	kept := s.Active == nil && s.WillRetire() && time.Until(s.Retention.Until) > time.Hour
	switch {
	case s.Active != nil:
		return w.steer(t, s.Active)
	case s.Suspended != "":
		_ = w.farm.Resume(t.Context(), operator)
		return fmt.Errorf("suspended: %s", s.Suspended)
	case kept && s.Inspected.Current.Thumbprint != w.old, isSettled(s, w.old):
		return nil
	case s.Inspected.Current.Thumbprint == w.old && s.Next.Action == farm.ActionWait && !s.Inspected.Due:
		_, err := w.farm.Rotate(t.Context(), operator)
		return errors.Join(errors.New("not due"), err)
	}
	return fmt.Errorf("next: %+v", s)
}

// steer gives a run the decision that it waits for.
func (w *testFarm) steer(t *testing.T, active *controller.ActiveRun) error {
	t.Helper()
	run := w.farm.Run(t.Context(), active.WorkflowID, "")
	status, err := run.Status(t.Context())
	if err != nil {
		return err
	}
	d := farm.Decision{By: operator.By, Reason: operator.Reason}
	switch wait := status.Wait; {
	case wait == nil:
		return fmt.Errorf("%s is %s: %+v", active.WorkflowID, status.Phase, active)
	case wait.For == farm.ForApproval:
		d.Choice, d.Digest = farm.Approve, wait.Digest
	case len(wait.Blocked) > 0 && strings.Contains(wait.Blocked[0].Text, "changed since the rotation was planned"):
		d.Choice = farm.RollBack // what the run that was reset had changed was not planned by this one
	default:
		d.Choice = farm.Retry
	}
	return errors.Join(fmt.Errorf("%s waited: %s", active.WorkflowID, status.Wait.Text), run.Decide(t.Context(), d))
}
