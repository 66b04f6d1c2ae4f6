package reliability

import (
	"context"
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// prepareFor brings the farm into a state in which an operation can start. Before a
// retirement it makes sure that the old certificate was installed by a rotation,
// because less is removed of one that was not.
func (s *testFarm) prepareFor(ctx context.Context, t *testing.T, op operation) {
	t.Helper()
	s.awaitIdle(ctx, t)
	if !s.isReadyFor(op) && s.snapshot != nil {
		s.runCleanly(ctx, t, opRollback)
	}
	if !s.isReadyFor(op) {
		s.runCleanly(ctx, t, opRotate)
	}
	if op == opRetire && !slices.Contains(s.installed, s.snapshot.Previous.Thumbprint) {
		s.runCleanly(ctx, t, opRetire)
		s.runCleanly(ctx, t, opRotate)
	}
}

// rehearse runs an operation without faults and returns the calls of the run that
// reached the servers, and those before it: of the inspection that precedes a retirement.
func (s *testFarm) rehearse(t *testing.T, op operation) (calls, before []callRecord) {
	t.Helper()
	ctx := withDeadline(t)
	s.prepareFor(ctx, t, op)
	mark := s.callLog.len()
	run := s.runCleanly(ctx, t, op)
	for _, one := range s.callLog.since(mark) {
		switch {
		case one.at.Before(run.GetStartTime().AsTime()):
			before = append(before, one)
		case one.at.Before(run.GetCloseTime().AsTime()):
			calls = append(calls, one)
		}
	}
	return calls, before
}

// runCleanly runs an operation without faults, until the controller is idle again.
func (s *testFarm) runCleanly(ctx context.Context, t *testing.T, op operation) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	run := s.startRun(ctx, t, op)
	ended := s.awaitEnd(ctx, t, run, failWhenBlocked(t))
	if want := map[operation]farm.Outcome{opRotate: farm.Verified, opRollback: farm.RolledBack, opRetire: farm.Verified}[op]; ended.Outcome != want {
		t.Fatalf("without a fault the %s ended %s: %s", op, ended.Outcome, ended.Statement)
	}
	s.recordEnd(t, op, ended)
	s.awaitIdle(ctx, t)
	return s.describe(ctx, t, run)
}

// describe returns what Temporal says of a run.
func (s *testFarm) describe(ctx context.Context, t *testing.T, run client.WorkflowRun) *workflowpb.WorkflowExecutionInfo {
	t.Helper()
	d, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if err != nil {
		t.Fatal(err)
	}
	return d.GetWorkflowExecutionInfo()
}

// pollInterval is the time between two queries of a run.
const pollInterval = 300 * time.Millisecond

// awaitEnd waits for the end of a run and returns its result. Whenever the run
// needs an operator, decide makes the decision.
func (s *testFarm) awaitEnd(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Blocked) farm.Choice) farm.RotationResult {
	t.Helper()
	for {
		if ctx.Err() != nil {
			t.Fatalf("%s did not end: %v; pending faults: %+v", run.GetID(), context.Cause(ctx), s.sim.Pending())
		}
		time.Sleep(pollInterval)
		if s.onPoll != nil {
			s.onPoll()
		}
		// A Temporal server that was killed does not respond for a while.
		brief, cancel := context.WithTimeout(ctx, 5*time.Second)
		d, err := s.client.DescribeWorkflowExecution(brief, run.GetID(), run.GetRunID())
		cancel()
		if err != nil {
			continue
		}
		info := d.GetWorkflowExecutionInfo()
		if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return s.readEnd(ctx, t, run)
		}
		if string(info.GetSearchAttributes().GetIndexedFields()[workflows.NeedsOperatorAttribute.GetName()].GetData()) == "true" {
			s.actAsOperator(ctx, t, run, decide)
		}
	}
}

// actAsOperator decides about the first blocked step, or gives the approval, which
// only retirements ask for here.
func (s *testFarm) actAsOperator(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Blocked) farm.Choice) {
	t.Helper()
	brief, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	response, err := s.client.QueryWorkflow(brief, run.GetID(), run.GetRunID(), workflows.StatusQuery)
	if err != nil {
		return // the caller polls again
	}
	var status farm.Status
	if err := response.Get(&status); err != nil {
		t.Fatal(err)
	}
	d := farm.Decision{By: "a test", Reason: "a test"}
	switch {
	case status.Wait == nil, status.Wait.For == farm.ForController:
		return // already decided
	case status.Wait.For == farm.ForApproval:
		d.Choice, d.Digest = farm.Approve, status.Wait.Digest
	case len(status.Wait.Blocked) > 0:
		blocked := status.Wait.Blocked[0]
		if d.Choice = decide(blocked); d.Choice == farm.Retry {
			d.Server = blocked.Server
		}
	}
	update, err := s.client.UpdateWorkflow(brief, client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: workflows.DecideUpdate, Args: []any{d},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = update.Get(brief, nil)
	}
	if err != nil {
		t.Fatalf("%s about %+v: %v", d.Choice, *status.Wait, err)
	}
}

// readEnd returns the result of a run that has ended. A failed run carries it in
// the details of its error.
func (s *testFarm) readEnd(ctx context.Context, t *testing.T, run client.WorkflowRun) farm.RotationResult {
	t.Helper()
	var result farm.RotationResult
	err := run.Get(ctx, &result)
	result, ok := workflows.RotationResultOf(result, err)
	if !ok {
		t.Fatal(err)
	}
	return result
}

// failWhenBlocked returns a decision function for runs that must not need an
// operator: it fails the test.
func failWhenBlocked(t *testing.T) func(farm.Blocked) farm.Choice {
	return func(b farm.Blocked) farm.Choice {
		t.Errorf("blocked: %s on %s: %s", b.Step, b.Server, b.Text)
		return farm.Abort
	}
}
