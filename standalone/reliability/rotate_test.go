package reliability

import (
	"context"
	"errors"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// begin starts a rotation or an undo.
func (s *site) begin(ctx context.Context, t *testing.T, in workflows.RotateInput) client.WorkflowRun {
	t.Helper()
	in.Farm, in.Reason = farmsim.FarmName, "a test"
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.RotateID(in.Farm), TaskQueue: workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflows.RotateTrust, in)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// look is the pause between two looks at a run.
const look = 300 * time.Millisecond

// await waits for the end of a run. Whenever a person is needed, decide is
// asked what to do.
func (s *site) await(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Parked) farm.Choice) workflows.Rotation {
	t.Helper()
	for {
		if ctx.Err() != nil {
			t.Fatalf("the rotation did not end: %v", context.Cause(ctx))
		}
		time.Sleep(look)
		// A Temporal that was killed does not answer for a while.
		brief, cancel := context.WithTimeout(ctx, 5*time.Second)
		d, err := s.client.DescribeWorkflowExecution(brief, run.GetID(), run.GetRunID())
		cancel()
		if err != nil {
			continue
		}
		info := d.GetWorkflowExecutionInfo()
		if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
			return s.ending(ctx, t, run)
		}
		if string(info.GetSearchAttributes().GetIndexedFields()[workflows.NeedsOperatorAttribute.GetName()].GetData()) == "true" {
			s.help(ctx, t, run, decide)
		}
	}
}

// help is the person who decides about the first thing that is parked.
func (s *site) help(ctx context.Context, t *testing.T, run client.WorkflowRun, decide func(farm.Parked) farm.Choice) {
	t.Helper()
	brief, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := s.client.QueryWorkflow(brief, run.GetID(), run.GetRunID(), workflows.StatusQuery)
	if err != nil {
		return // asked again soon
	}
	var status workflows.Status
	if err := answer.Get(&status); err != nil {
		t.Fatal(err)
	}
	if status.Wait == nil || len(status.Wait.Parked) == 0 {
		return // decided already
	}
	parked := status.Wait.Parked[0]
	d := farm.Decision{Choice: decide(parked), By: "a test", Reason: "a test"}
	if d.Choice == farm.Retry {
		d.Server = parked.Server
	}
	update, err := s.client.UpdateWorkflow(brief, client.UpdateWorkflowOptions{
		WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: workflows.DecideUpdate, Args: []any{d},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = update.Get(brief, nil)
	}
	if err != nil {
		t.Fatalf("%s about %s on %s: %v", d.Choice, parked.Step, parked.Server, err)
	}
}

// ending reads how a run ended, from its result or from its failure.
func (s *site) ending(ctx context.Context, t *testing.T, run client.WorkflowRun) (r workflows.Rotation) {
	t.Helper()
	err := run.Get(ctx, &r)
	var application *temporal.ApplicationError
	switch {
	case err == nil:
	case errors.As(err, &application) && application.HasDetails():
		if err := application.Details(&r.Report, &r.Journal); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatal(err)
	}
	return r
}

// neverAsked fails a test in which nobody should be needed.
func neverAsked(t *testing.T) func(farm.Parked) farm.Choice {
	return func(p farm.Parked) farm.Choice {
		t.Errorf("parked: %s on %s: %s", p.Step, p.Server, p.Text)
		return farm.Abort
	}
}
