package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/temporaltest"
	"github.com/farmtrust/farmtrust/workflows"
)

// fakeTemporal is as much of a Temporal server as this program talks to, with a
// worker and controllers behind it that do what a test says. It refuses what it
// does not know.
//
// What controllers and rotations really do, the tests of module standalone show
// on an embedded server.
type fakeTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer

	// onStart ends a workflow that this program starts, an inspection; nil
	// leaves it running.
	onStart func(id string) ending
	// onRequest is what a controller answers to a request, and onEvent what came
	// of an event; a nil onEvent leaves events pending.
	onRequest func(farmName string, r controller.Request) (workflows.StartedRun, error)
	onEvent   func(farmName string) controller.EventResult
	// onState is called before each state query is answered, with the count of
	// such queries. It may edit or delete controllers.
	onState func(n int)
	// onStatus answers the status query of a run.
	onStatus func(id string) (farm.Status, error)
	// pending are the activities of every run that are not done.
	pending []*workflowpb.PendingActivityInfo
	// refuseDecision is what the validator of a run says; nil accepts decisions.
	refuseDecision error
	// site is where the worker and its controllers are.
	site string
	// known are the farms whose controllers were terminated: a worker has them in its
	// configuration, and has not started others yet.
	known []string
	// pollers are the identities of the workers, if they matter.
	pollers []string
	// noWorker leaves the task queue without pollers, noFarmAttribute the
	// namespace without a search attribute.
	noWorker, noFarmAttribute bool

	mu   sync.Mutex
	runs []*fakeRun
	// controllers are the states of the controllers that run, by farm.
	controllers  map[string]*controller.State
	stateQueries int
	// requests, events and decisions are what was received.
	requests, events, eventIDs, decisions []string
}

// ending is how a workflow ends.
type ending struct {
	result any
	err    error
}

// fakeRun is one run of a workflow.
type fakeRun struct {
	request *workflowservice.StartWorkflowExecutionRequest
	runID   string
	info    *workflowpb.WorkflowExecutionInfo
	// closed is closed with the run; last is its last event.
	closed chan struct{}
	last   *historypb.HistoryEvent
}

var errNoFarmAttribute = serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute Farm")

// startTemporal starts f and points the TEMPORAL_* variables at it.
func startTemporal(t *testing.T, f *fakeTemporal) *fakeTemporal {
	t.Helper()
	f.controllers = map[string]*controller.State{}
	if f.known == nil {
		f.known = []string{"contoso", "fabrikam", "northwind"}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	temporaltest.Serve(t, l, f)
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	return f
}

func (f *fakeTemporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// CountWorkflowExecutions counts nothing; it accepts queries by the search attributes
// that exist.
func (f *fakeTemporal) CountWorkflowExecutions(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	if f.noFarmAttribute && strings.Contains(r.Query, workflows.FarmAttribute.GetName()+" ") {
		return nil, errNoFarmAttribute
	}
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

func (f *fakeTemporal) DescribeTaskQueue(_ context.Context, r *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	if f.noWorker || r.TaskQueue.Name != workflows.TaskQueue(f.site) {
		return &workflowservice.DescribeTaskQueueResponse{}, nil
	}
	if len(f.pollers) > 0 {
		response := &workflowservice.DescribeTaskQueueResponse{}
		for _, identity := range f.pollers {
			response.Pollers = append(response.Pollers, &taskqueuepb.PollerInfo{Identity: identity})
		}
		return response, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{Identity: "worker"}}}, nil
}

func (f *fakeTemporal) StartWorkflowExecution(_ context.Context, r *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noFarmAttribute {
		return nil, errNoFarmAttribute
	}
	if e := f.findRun(r.WorkflowId, ""); e != nil && e.last == nil {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", e.runID)
	}
	e := f.addRun(r)
	if f.onStart != nil && !f.noWorker {
		e.close(f.onStart(r.WorkflowId))
	}
	return &workflowservice.StartWorkflowExecutionResponse{RunId: e.runID}, nil
}

// addRun adds a run of a workflow. The caller holds the lock.
func (f *fakeTemporal) addRun(r *workflowservice.StartWorkflowExecutionRequest) *fakeRun {
	e := &fakeRun{request: r, runID: fmt.Sprintf("run-%d", len(f.runs)+1), closed: make(chan struct{})}
	e.info = &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: r.WorkflowId, RunId: e.runID}, Type: r.WorkflowType,
		StartTime: timestamppb.New(time.Date(2026, 1, 5, 6, 0, len(f.runs), 0, time.UTC)),
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: r.SearchAttributes,
		TaskQueue: r.TaskQueue.GetName(),
	}
	f.runs = append(f.runs, e)
	return e
}

// addRotation adds a rotation that runs.
func (f *fakeTemporal) addRotation(farmName string) *fakeRun {
	return f.addRunOf("RotateTrust", workflows.RotateID(farmName))
}

// addRunOf adds a run of a workflow type.
func (f *fakeTemporal) addRunOf(typeName, id string) *fakeRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addRun(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: typeName}})
}

// endRun ends a run.
func (f *fakeTemporal) endRun(e *fakeRun, end ending) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.close(end)
}

// startRotation adds a rotation as a controller would; it ends at once, unless
// end is nil. The caller holds the lock.
func (f *fakeTemporal) startRotation(farmName string, end *ending) workflows.StartedRun {
	e := f.addRun(&workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: workflows.RotateID(farmName), WorkflowType: &commonpb.WorkflowType{Name: "RotateTrust"},
	})
	if end != nil {
		e.close(*end)
	}
	return workflows.StartedRun{WorkflowID: workflows.RotateID(farmName), RunID: e.runID}
}

// acceptRequests has controllers start a rotation for each request, which ends
// so; nil leaves it running.
func (f *fakeTemporal) acceptRequests(end *ending) {
	f.onRequest = func(farmName string, r controller.Request) (workflows.StartedRun, error) {
		if r.Kind == controller.RequestResume {
			return workflows.StartedRun{}, nil
		}
		return f.startRotation(farmName, end), nil
	}
}

// refuseRequests has controllers refuse each request.
func (f *fakeTemporal) refuseRequests(reason string) {
	f.onRequest = func(farmName string, r controller.Request) (workflows.StartedRun, error) {
		if state := f.controllers[farmName]; state != nil && state.Mailbox.Request == nil {
			state.Mailbox.Request = &controller.Request{Kind: controller.RequestResume, By: "another operator"} // so that it stands
		}
		return workflows.StartedRun{}, fmt.Errorf("%s: %s", r.Kind, reason)
	}
}

// errTerminated stands for a workflow that was terminated.
var errTerminated = errors.New("terminated")

func (e *fakeRun) close(end ending) {
	result, err := end.result, end.err
	e.last = &historypb.HistoryEvent{EventId: 9}
	var cancelled *temporal.CanceledError
	switch {
	case err == nil:
		e.info.Status, e.last.EventType = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
		payloads, err := converter.GetDefaultDataConverter().ToPayloads(result)
		if err != nil {
			panic(err)
		}
		e.last.Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads},
		}
	case errors.Is(err, errTerminated):
		e.info.Status, e.last.EventType = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
		e.last.Attributes = &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
			WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{},
		}
	case errors.As(err, &cancelled):
		e.info.Status, e.last.EventType = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
		details := temporal.GetDefaultFailureConverter().ErrorToFailure(err).GetCanceledFailureInfo().GetDetails()
		e.last.Attributes = &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
			WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{Details: details},
		}
	default:
		e.info.Status, e.last.EventType = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
		e.last.Attributes = &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{
				Failure: temporal.GetDefaultFailureConverter().ErrorToFailure(err),
			},
		}
	}
	e.info.CloseTime = timestamppb.New(e.info.StartTime.AsTime().Add(8412 * time.Millisecond))
	close(e.closed)
}

// findRun returns the run, or the last one of the workflow.
func (f *fakeTemporal) findRun(id, runID string) *fakeRun {
	for _, e := range slices.Backward(f.runs) {
		if e.request.WorkflowId == id && (runID == "" || e.runID == runID) {
			return e
		}
	}
	return nil
}

func (f *fakeTemporal) lookUp(w *commonpb.WorkflowExecution) (*fakeRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.findRun(w.WorkflowId, w.RunId); e != nil {
		return e, nil
	}
	return nil, serviceerror.NewNotFound("no such workflow")
}

func (f *fakeTemporal) GetWorkflowExecutionHistory(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	e, err := f.lookUp(r.Execution)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.closed:
		return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{e.last}}}, nil
	}
}

func (f *fakeTemporal) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	e, err := f.lookUp(r.Execution)
	if name, ok := strings.CutPrefix(r.Execution.WorkflowId, workflows.ControllerID("")); ok && err != nil && slices.Contains(f.known, name) {
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
			Execution: r.Execution, Status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, TaskQueue: workflows.TaskQueue(f.site),
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: e.info, PendingActivities: f.pending}, nil
}

func (f *fakeTemporal) QueryWorkflow(_ context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	answer, err := f.answerQuery(r)
	if err != nil {
		return nil, err
	}
	result, err := converter.GetDefaultDataConverter().ToPayloads(answer)
	return &workflowservice.QueryWorkflowResponse{QueryResult: result}, err
}

func (f *fakeTemporal) answerQuery(r *workflowservice.QueryWorkflowRequest) (any, error) {
	if name, ok := strings.CutPrefix(r.Execution.WorkflowId, workflows.ControllerID("")); ok && r.Query.QueryType == workflows.StateQuery {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.stateQueries++; f.onState != nil {
			f.onState(f.stateQueries)
		}
		switch state := f.controllers[name]; {
		case state == nil:
			return nil, serviceerror.NewNotFound("no such workflow")
		case f.noWorker:
			return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently")
		default:
			return *state, nil
		}
	}
	if _, err := f.lookUp(r.Execution); err != nil {
		return nil, err
	}
	if f.onStatus == nil || r.Query.QueryType != workflows.StatusQuery {
		return nil, &serviceerror.QueryFailed{Message: "unknown queryType " + r.Query.QueryType}
	}
	return f.onStatus(r.Execution.WorkflowId)
}
