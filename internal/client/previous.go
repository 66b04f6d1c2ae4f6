package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// mostRuns is how many past runs are read at most. Each takes some questions, and the
// last few tell everything that counts.
const mostRuns = 10

// PreviousState implements [activities.Runs]. A controller that ended before it knew
// anything itself is passed over, but for the events that it received; so is one that
// cannot be replayed any more. One that an operator had forget the farm ends the search:
// what it knew was given up, and no worker may be left at the site where it ran.
func (r Records) PreviousState(ctx context.Context, farmName, runID string) (*controller.State, error) {
	runs, err := r.listLast(ctx, fmt.Sprintf("WorkflowId = %q AND WorkflowType = %q", workflows.ControllerID(farmName), typeName(workflows.ManageFarm)))
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(runs, wasForgotten); i >= 0 {
		runs = runs[:i]
	}
	var events []controller.Event
	for _, run := range runs {
		if run.Execution.RunId == runID {
			continue
		}
		state, err := r.stateOf(ctx, run)
		switch {
		case err != nil:
			return nil, err
		case state == nil:
		case state.Recalling:
			events = append(events, state.Mailbox.Pending...)
		default:
			return receiveAll(state, events), nil
		}
	}
	if len(events) == 0 {
		return nil, nil
	}
	// Not of an earlier version, for which a farm that was rotated counts as released.
	return receiveAll(&controller.State{Farm: farmName, Format: controller.Format}, events), nil
}

// wasForgotten reports whether a controller ended because an operator had it forget its
// farm: it completes for nothing else.
func wasForgotten(run *workflowpb.WorkflowExecutionInfo) bool {
	return run.Status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
}

// receiveAll has a state receive events that came later.
func receiveAll(s *controller.State, events []controller.Event) *controller.State {
	for _, e := range events {
		s.ReceiveEvent(time.Now(), e)
	}
	return s
}

// replayAttempts is how often a controller that has ended is asked for its state before
// it counts as one that cannot be replayed: for some seconds. A worker that starts or
// stops has been seen to fail a replay once, and beside a worker of an earlier version,
// as during an upgrade, every other question may reach that.
const replayAttempts = 20

// stateOf asks a controller that has ended for its state; nil where it cannot be
// replayed.
func (r Records) stateOf(ctx context.Context, run *workflowpb.WorkflowExecutionInfo) (*controller.State, error) {
	var state *controller.State
	var err error
	for range replayAttempts {
		state, err = r.askStateOf(ctx, run.Execution)
		if !isUnanswerable(err) && !errors.Is(err, errUnsealed) {
			break
		}
		if err := waitInterval(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case isUnanswerable(err), errors.Is(err, errUnsealed):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("ask %s (run %s) for its state: %w", run.Execution.WorkflowId, run.Execution.RunId, err)
	}
	return state, nil
}

// errUnsealed means that no worker has sealed what was answered for a controller: who
// polls the task queue can answer for it, and so does a worker of an earlier version.
var errUnsealed = errors.New("the answer is not sealed by a worker")

func (r Records) askStateOf(ctx context.Context, run *commonpb.WorkflowExecution) (*controller.State, error) {
	answer, err := r.client.temporal.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: run.WorkflowId, RunID: run.RunId, QueryType: workflows.StateQuery, QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NONE,
	})
	if err != nil {
		return nil, err
	}
	state := &controller.State{}
	if err := answer.QueryResult.Get(state); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsealed, err)
	}
	if r.seals != nil {
		if err := state.CheckSeal(run.RunId, r.seals); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnsealed, err)
		}
	}
	state.Seal = ""
	return state, nil
}

// EndedRuns implements [activities.Runs].
func (r Records) EndedRuns(ctx context.Context, farmName string, since time.Time) ([]controller.RunRecord, error) {
	query := fmt.Sprintf("(WorkflowId = %q OR WorkflowId = %q) AND %s", workflows.RotateID(farmName), workflows.RetireID(farmName), isEndedQuery)
	if !since.IsZero() {
		query += fmt.Sprintf(" AND CloseTime > %q", since.UTC().Format(time.RFC3339Nano))
	}
	ended, err := r.listLast(ctx, query)
	if err != nil {
		return nil, err
	}
	var records []controller.RunRecord
	for _, run := range ended {
		described, err := r.describeRun(ctx, run.Execution.WorkflowId, run.Execution.RunId)
		if err != nil {
			return nil, err
		}
		if described == nil || wasReset(described) {
			continue
		}
		record, err := r.readRecord(ctx, described)
		if err != nil {
			return nil, err
		}
		records = append(records, *record)
	}
	return records, nil
}

// wasReset reports whether a run was ended by a reset, and goes on as another.
func wasReset(d *workflowservice.DescribeWorkflowExecutionResponse) bool {
	return d.WorkflowExtendedInfo.GetResetRunId() != "" && isTerminated(d)
}

// listLast lists the runs that match a query, those that began last in front.
func (r Records) listLast(ctx context.Context, query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
	var runs []*workflowpb.WorkflowExecutionInfo
	err := r.client.listWorkflows(ctx, query, func(e *workflowpb.WorkflowExecutionInfo) error {
		runs = append(runs, e)
		return nil
	})
	slices.SortFunc(runs, func(a, b *workflowpb.WorkflowExecutionInfo) int {
		return b.StartTime.AsTime().Compare(a.StartTime.AsTime())
	})
	return runs[:min(len(runs), mostRuns)], err
}
