package workers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// TestWorker_ReplaysWhatUpdatesDid has a controller's history replayed for every task
// and every query, by workers of which one is killed, while runs ask for admission,
// events arrive and operators look.
func TestWorker_ReplaysWhatUpdatesDid(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	farm := s.farmAt("", farmsim.FarmName)
	configured := loadConfig(t, startFarm(t, nil))
	cable := newCable()
	startWorker(t, s, configured, forgetful, cable.through)
	requireVerified(t, farm)

	const askers, questions, killedAfter = 3, 10, 5
	ctx, looked := context.WithCancel(t.Context())
	var asking, looking sync.WaitGroup
	for asker := range askers {
		asking.Go(func() {
			for i := range questions {
				if asker == 0 && i == killedAfter {
					cable.cut()
					startWorker(t, s, configured, forgetful)
				}
				askInVain(t, s, fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", asker, i))
				if _, err := farm.SendEvent(t.Context(), controller.Event{ID: fmt.Sprintf("%d-%d", asker, i), Summary: "near expiry"}); err != nil {
					t.Error(err)
				}
			}
		})
		looking.Go(func() {
			for ctx.Err() == nil {
				// While no worker runs, nobody answers.
				if _, err := farm.State(ctx); err != nil && strings.Contains(err.Error(), "TMPRL1100") {
					t.Error(err)
				}
			}
		})
	}
	asking.Wait()
	looked()
	looking.Wait()
	s.requireReplayable(t)
}

// askInVain asks for the admission of a run that there is none of, which the controller
// looks for and then refuses.
func askInVain(t *testing.T, s testTemporal, runID string) {
	t.Helper()
	_, err := client.New(s).Records().Admit(t.Context(), farmsim.FarmName, controller.Admission{WorkflowID: workflows.RotateID(farmsim.FarmName), RunID: runID})
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); !ok || refused.Type() != activities.NotAdmitted {
		t.Errorf("got %v, want the admission refused", err)
	}
}

// TestWorker_AnswersAQueryThatWasOvertaken hands a worker a query as Temporal does when
// the workflow goes on between the moment that Temporal reads how far it has come, and
// the one that it reads the history.
func TestWorker_AnswersAQueryThatWasOvertaken(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	farm := s.farmAt("", farmsim.FarmName)
	overtaken := &overtaking{times: 2}
	startWorker(t, s, loadConfig(t, startFarm(t, nil)), forgetful, overtaken.through)
	requireVerified(t, farm)
	askInVain(t, s, "00000000-0000-4000-8000-000000000000")
	overtaken.begin()
	if _, err := s.QueryWorkflow(t.Context(), farm.ControllerID(), "", workflows.StateQuery); err == nil || !strings.Contains(err.Error(), "lookup failed for scheduledEventID to activityID") {
		t.Errorf("got %v: if the SDK replays it now, the client need not ask again", err)
	}
	if _, err := farm.State(t.Context()); err != nil {
		t.Error(err)
	}
	if left := overtaken.left(); left != 0 {
		t.Errorf("%d queries were not overtaken", left)
	}
	s.requireReplayable(t)
}

// forgetful has a worker replay the whole history for each task and query: Temporal
// is not told that the worker keeps the workflow.
func forgetful(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if completed, ok := request.(*workflowservice.RespondWorkflowTaskCompletedRequest); ok {
		completed.StickyAttributes = nil
	}
	return invoke(ctx, method, request, reply, connection, options...)
}

// cable is what a worker's calls go through until it is cut, as a killed one's do.
type cable struct {
	intact context.Context
	cut    context.CancelFunc
}

func newCable() cable {
	intact, cut := context.WithCancel(context.Background())
	return cable{intact, cut}
}

func (c cable) through(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.intact, cancel)()
	if err := invoke(ctx, method, request, reply, connection, options...); err != nil || c.intact.Err() == nil {
		return err
	}
	return status.Error(codes.Canceled, "the cable is cut")
}

// overtaking has queries overtaken, so many times once it has begun.
type overtaking struct {
	mu    sync.Mutex
	begun bool
	times int
}

func (o *overtaking) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begun = true
}

func (o *overtaking) left() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.times
}

func (o *overtaking) through(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, connection, options...)
	task, ok := reply.(*workflowservice.PollWorkflowTaskQueueResponse)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil || !ok || task.Query == nil || !o.begun || o.times == 0 {
		return err
	}
	o.times--
	task.PreviousStartedEventId = startedBeforeLastUpdate(task.History)
	return nil
}

// startedBeforeLastUpdate is how far a workflow had come, as Temporal counts it, before
// the task that accepted the last update.
func startedBeforeLastUpdate(h *historypb.History) int64 {
	var before, current, last int64
	for _, e := range h.Events {
		switch e.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			before, current = current, e.EventId
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			last = before
		}
	}
	return last
}

// requireReplayable fails the test unless every history of the namespace replays, and no
// workflow task has failed over that.
func (s testTemporal) requireReplayable(t *testing.T) {
	t.Helper()
	list, err := s.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
	if err != nil || len(list.Executions) == 0 {
		t.Fatalf("got %d workflows, %v", len(list.GetExecutions()), err)
	}
	for _, run := range list.Executions {
		if err := replay(s.history(t, run)); err != nil {
			t.Errorf("%s: %v", run.Execution.WorkflowId, err)
		}
	}
}

// history reads a run's history, in which no task may have failed over a replay.
func (s testTemporal) history(t *testing.T, run *workflowpb.WorkflowExecutionInfo) *historypb.History {
	t.Helper()
	h := &historypb.History{}
	for all := s.GetWorkflowHistory(t.Context(), run.Execution.WorkflowId, run.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
		e, err := all.Next()
		if err != nil {
			t.Fatal(err)
		}
		if failed := e.GetWorkflowTaskFailedEventAttributes(); failed.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR {
			t.Errorf("%s: %s", run.Execution.WorkflowId, failed.Failure.GetMessage())
		}
		h.Events = append(h.Events, e)
	}
	return h
}

func replay(h *historypb.History) error {
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer)
	started := h.Events[0].GetWorkflowExecutionStartedEventAttributes()
	run := workflow.Execution{ID: started.WorkflowId, RunID: started.OriginalExecutionRunId}
	return replayer.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{OriginalExecution: run})
}
