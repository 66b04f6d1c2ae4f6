package reliability

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// begin starts a rotation, the undo of the last one, or the retirement of the
// certificate that it replaced.
func (s *testFarm) begin(ctx context.Context, t *testing.T, w operation) client.WorkflowRun {
	t.Helper()
	const reason = "a test"
	id, workflow := workflows.RotateID(farmsim.FarmName), any(workflows.RotateTrust)
	var in any = workflows.RotateInput{Farm: farmsim.FarmName, Reason: reason}
	switch w {
	case opRotate:
		s.before = s.sim.State()
	case opRollback:
		in = workflows.RotateInput{Farm: farmsim.FarmName, Reason: reason, Intent: farm.Rollback, Snapshot: s.snapshot}
	case opRetire:
		id, workflow = workflows.RetireID(farmsim.FarmName), workflows.RetireCertificate
		in = workflows.RetireInput{Farm: farmsim.FarmName, Reason: reason, Old: s.snapshot.Previous}
	}
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue, WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflow, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// ready says whether the farm is where a way begins.
func (s *testFarm) isReadyFor(w operation) bool { return (w == opRotate) == (s.snapshot == nil) }

// prepare brings the farm to where a way begins. What is retired is a
// certificate that a rotation brought: one that was there before has less to
// take away.
func (s *testFarm) prepareFor(ctx context.Context, t *testing.T, w operation) {
	t.Helper()
	switch {
	case s.isReadyFor(w):
	case w == opRotate:
		s.runCleanly(ctx, t, opRollback)
	default:
		s.runCleanly(ctx, t, opRotate)
	}
	if w == opRetire && !slices.Contains(s.brought, s.snapshot.Previous.Thumbprint) {
		s.runCleanly(ctx, t, opRetire)
		s.runCleanly(ctx, t, opRotate)
	}
}

// pass goes a way with nothing going wrong, and returns what reached the
// servers.
func (s *testFarm) rehearse(t *testing.T, w operation) []callRecord {
	t.Helper()
	ctx := withDeadline(t)
	s.prepareFor(ctx, t, w)
	mark := s.callLog.len()
	s.runCleanly(ctx, t, w)
	return s.callLog.since(mark)
}

func (s *testFarm) runCleanly(ctx context.Context, t *testing.T, w operation) {
	t.Helper()
	ended := s.awaitEnd(ctx, t, s.begin(ctx, t, w), neverAsked(t))
	if want := map[operation]farm.Outcome{opRotate: farm.Verified, opRollback: farm.RolledBack, opRetire: farm.Verified}[w]; ended.Outcome != want {
		t.Fatalf("nothing went wrong, and the %s ended %s: %s", w, ended.Outcome, ended.Statement)
	}
	s.recordEnd(t, w, ended)
}

// concluded notes what a way has come to. What was retired is followed by the
// certificate of the year after.
func (s *testFarm) recordEnd(t *testing.T, w operation, ended farm.RotationResult) {
	t.Helper()
	switch {
	case w == opRotate && ended.Outcome == farm.Verified:
		s.snapshot = ended.Snapshot
		s.brought = append(s.brought, ended.Snapshot.Target.Thumbprint)
	case w == opRollback:
		s.snapshot = nil
	case w == opRetire && ended.Outcome == farm.Verified:
		s.snapshot = nil
		s.issueNext(t)
	}
}

// look is the pause between two looks at a run.
const pollInterval = 300 * time.Millisecond

// await waits for the end of a run. Whenever a person is needed, decide is
// asked what to do.
func (s *testFarm) awaitEnd(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Blocked) farm.Choice) farm.RotationResult {
	t.Helper()
	for {
		if ctx.Err() != nil {
			t.Fatalf("%s did not end: %v; still to come: %+v", run.GetID(), context.Cause(ctx), s.sim.Pending())
		}
		time.Sleep(pollInterval)
		if s.meanwhile != nil {
			s.meanwhile()
		}
		// A Temporal that was killed does not answer for a while.
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

// help is the person who decides about the first thing that is parked, and who
// approves: a retirement asks for that, and nothing else does here.
func (s *testFarm) actAsOperator(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Blocked) farm.Choice) {
	t.Helper()
	brief, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := s.client.QueryWorkflow(brief, run.GetID(), run.GetRunID(), workflows.StatusQuery)
	if err != nil {
		return // asked again soon
	}
	var status farm.Status
	if err := answer.Get(&status); err != nil {
		t.Fatal(err)
	}
	d := farm.Decision{By: "a test", Reason: "a test"}
	switch {
	case status.Wait == nil:
		return // decided already
	case status.Wait.For == farm.ForApproval:
		d.Choice, d.Digest = farm.Approve, status.Wait.Digest
	case len(status.Wait.Blocked) > 0:
		parked := status.Wait.Blocked[0]
		if d.Choice = decide(parked); d.Choice == farm.Retry {
			d.Server = parked.Server
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

// ending reads how a run ended, from its result or from its failure.
func (s *testFarm) readEnd(ctx context.Context, t *testing.T, run client.WorkflowRun) (r farm.RotationResult) {
	t.Helper()
	err := run.Get(ctx, &r)
	var application *temporal.ApplicationError
	switch {
	case err == nil:
	case errors.As(err, &application) && application.HasDetails():
		if err := application.Details(&r.Report, &r.Snapshot); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatal(err)
	}
	return r
}

// neverAsked fails a test in which nobody should be needed.
func neverAsked(t *testing.T) func(farm.Blocked) farm.Choice {
	return func(p farm.Blocked) farm.Choice {
		t.Errorf("parked: %s on %s: %s", p.Step, p.Server, p.Text)
		return farm.Abort
	}
}
