package reliability

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	farmclient "github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// The farm's own controller starts every run, and none by itself: inspections are a
// week apart, and a rotation leaves the farm suspended. The old certificate is not kept,
// so that its retirement starts as soon as the farm is resumed.

// author is who asks for runs.
var author = farmclient.Author{By: "a test", Reason: "a test"}

func (s *testFarm) farm() farmclient.Farm { return farmclient.New(s.client).Farm(farmsim.FarmName) }

// startSuspended starts the controller, and cancels it before a worker can run it: it
// begins with a suspended farm.
func (s *testFarm) startSuspended(t *testing.T) {
	t.Helper()
	queue := farmclient.New(s.client).TaskQueue()
	if _, err := s.client.ExecuteWorkflow(t.Context(), workflows.ControllerOptions(farmsim.FarmName, queue),
		workflows.ManageFarm, controller.State{Farm: farmsim.FarmName}); err != nil {
		t.Fatal(err)
	}
	s.suspend(t.Context(), t)
}

// suspend cancels the controller, which suspends the farm. While a rotation is at work
// the farm then stays suspended also after its end.
func (s *testFarm) suspend(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := s.client.CancelWorkflow(ctx, workflows.ControllerID(farmsim.FarmName), ""); err != nil {
		t.Fatal(err)
	}
}

// startRun has the controller start a rotation, the rollback of the last one, or the
// retirement of the certificate that it replaced.
func (s *testFarm) startRun(ctx context.Context, t *testing.T, op operation) client.WorkflowRun {
	t.Helper()
	var run *farmclient.Run
	var err error
	switch op {
	case opRotate:
		s.before = s.sim.State()
		run, err = s.farm().Rotate(ctx, author)
	case opRollback:
		run, err = s.farm().Undo(ctx, author, true)
	case opRetire:
		return s.startRetirement(ctx, t)
	}
	if err != nil {
		t.Fatal(err)
	}
	if op == opRotate {
		s.suspend(ctx, t)
	}
	return s.client.GetWorkflow(ctx, run.ID(), run.RunID())
}

// startRetirement resumes the farm, which the controller then inspects before it
// retires what is not kept any longer.
func (s *testFarm) startRetirement(ctx context.Context, t *testing.T) client.WorkflowRun {
	t.Helper()
	if err := s.farm().Resume(ctx, author); err != nil {
		t.Fatal(err)
	}
	var active *controller.ActiveRun
	s.awaitState(ctx, t, "the retirement starts", func(state controller.State) bool {
		active = state.Active
		return active != nil
	})
	if !active.Retirement {
		t.Fatalf("the controller started %s: %s", active.WorkflowID, active.Reason)
	}
	return s.client.GetWorkflow(ctx, active.WorkflowID, active.RunID)
}

// awaitState waits until the controller's state is as wanted.
func (s *testFarm) awaitState(ctx context.Context, t *testing.T, what string, isWanted func(controller.State) bool) {
	t.Helper()
	for {
		brief, cancel := context.WithTimeout(ctx, 5*time.Second)
		state, err := s.farm().State(brief)
		cancel()
		if err == nil && isWanted(state) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: %v; the controller's state, %v: %+v", what, context.Cause(ctx), err, state)
		}
		time.Sleep(pollInterval / 3)
	}
}

// awaitIdle waits until the controller has taken in the end of the last run and the
// configuration of the running worker, and has inspected the farm after that: an
// inspection would consume the faults that are meant for a run.
func (s *testFarm) awaitIdle(ctx context.Context, t *testing.T) {
	t.Helper()
	process := fmt.Sprintf(", process %d ", s.worker.command.Process.Pid)
	s.awaitState(ctx, t, "the controller is idle", func(state controller.State) bool {
		return state.Active == nil && !state.Recalling && !state.Inspected.Due && strings.Contains(state.Configured.Worker, process) &&
			s.hasNothingPending(ctx)
	})
}

// hasNothingPending reports whether the controller waits for time to pass and for
// nothing else.
func (s *testFarm) hasNothingPending(ctx context.Context) bool {
	d, err := s.client.DescribeWorkflowExecution(ctx, workflows.ControllerID(farmsim.FarmName), "")
	return err == nil && len(d.GetPendingActivities()) == 0 && d.GetPendingWorkflowTask() == nil
}

// isReadyFor reports whether the farm is in a state in which an operation can
// start.
func (s *testFarm) isReadyFor(op operation) bool {
	return (op == opRotate) == (s.snapshot == nil) && (op != opRetire || s.retirable)
}

// recordEnd updates the fixture with the end of an operation. After a retirement it
// issues the next certificate.
func (s *testFarm) recordEnd(t *testing.T, op operation, ended farm.RotationResult) {
	t.Helper()
	switch {
	case op == opRotate && ended.Outcome == farm.Verified:
		s.snapshot, s.retirable = ended.Snapshot, true
		s.installed = append(s.installed, ended.Snapshot.Target.Thumbprint)
	case op == opRollback:
		s.snapshot = nil
	case op == opRetire && ended.Outcome == farm.Verified:
		s.snapshot = nil
		s.issueNext(t)
	case op == opRetire:
		s.retirable = false
	}
}
