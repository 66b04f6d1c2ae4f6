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
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// frontend is as much of a Temporal server as the starter talks to, with a
// worker behind it that does what the test says. It refuses what it does not
// know.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	// work answers an inspection or a rotation: the result, or the error that
	// the workflow fails with. A nil function leaves it running.
	work func(kind, id string) (any, error)
	// status answers the status query of a rotation.
	status func(id string) (farm.Status, error)
	// wish is a keeper's validator, decide a rotation's; nil refuses nothing.
	wish   func(farmName string, w controller.Request) error
	decide func(id string, d farm.Decision) error
	// judge is what a keeper does about an event; nil rotates.
	judge func(farmName string, e controller.Event) farm.Next
	// keepers are what keepers know, by farm; one that is told of an event or
	// asked for something is there from then on.
	keepers map[string]*controller.State
	// noWorker leaves the task queue without pollers, noFarmAttribute the
	// namespace without search attributes.
	noWorker, noFarmAttribute bool

	mu   sync.Mutex
	runs []*execution
}

// execution is one run of a workflow.
type execution struct {
	request *workflowservice.StartWorkflowExecutionRequest
	runID   string
	info    *workflowpb.WorkflowExecutionInfo
	// closed is closed with the run; last is its last event.
	closed chan struct{}
	last   *historypb.HistoryEvent
}

// serve starts f and points the TEMPORAL_* variables at it.
func serve(t *testing.T, f *frontend) *frontend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		answer, err := next(ctx, r)
		if err != nil {
			return nil, serviceerror.ToStatus(err).Err()
		}
		return answer, nil
	}))
	workflowservice.RegisterWorkflowServiceServer(s, f)
	operatorservice.RegisterOperatorServiceServer(s, f)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		// It may be stopped before it has begun to serve.
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	return f
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (f *frontend) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	all := map[string]enumspb.IndexedValueType{}
	for _, k := range workflows.SearchAttributes() {
		if !f.noFarmAttribute || k.GetName() != workflows.FarmAttribute.GetName() {
			all[k.GetName()] = k.GetValueType()
		}
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: all}, nil
}

func (f *frontend) DescribeTaskQueue(_ context.Context, r *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	if f.noWorker || r.TaskQueue.Name != workflows.TaskQueue {
		return &workflowservice.DescribeTaskQueueResponse{}, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{{Identity: "worker"}}}, nil
}

func (f *frontend) StartWorkflowExecution(_ context.Context, r *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noFarmAttribute {
		return nil, serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute Farm")
	}
	if e := f.find(r.WorkflowId, ""); e != nil && e.last == nil {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "", e.runID)
	}
	e := f.add(r)
	if f.work != nil && !f.noWorker {
		result, err := f.work(r.WorkflowType.Name, r.WorkflowId)
		e.close(result, err)
	}
	return &workflowservice.StartWorkflowExecutionResponse{RunId: e.runID}, nil
}

// add puts a running execution into the world.
func (f *frontend) add(r *workflowservice.StartWorkflowExecutionRequest) *execution {
	e := &execution{request: r, runID: fmt.Sprintf("run-%d", len(f.runs)+1), closed: make(chan struct{})}
	e.info = &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: r.WorkflowId, RunId: e.runID}, Type: r.WorkflowType,
		StartTime: timestamppb.New(time.Date(2026, 1, 5, 6, 0, len(f.runs), 0, time.UTC)),
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, SearchAttributes: r.SearchAttributes,
	}
	f.runs = append(f.runs, e)
	return e
}

// running puts a rotation into the world that somebody else started.
func (f *frontend) running(farmName string) *execution {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.add(&workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: workflows.RotateID(farmName), WorkflowType: &commonpb.WorkflowType{Name: "RotateTrust"},
	})
}

// end closes a running execution.
func (f *frontend) end(e *execution, result any, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.close(result, err)
}

// errTerminated stands for a workflow that somebody terminated.
var errTerminated = errors.New("terminated")

func (e *execution) close(result any, err error) {
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

// find returns the run, or the last one of the workflow.
func (f *frontend) find(id, runID string) *execution {
	for _, e := range slices.Backward(f.runs) {
		if e.request.WorkflowId == id && (runID == "" || e.runID == runID) {
			return e
		}
	}
	return nil
}

func (f *frontend) lookUp(w *commonpb.WorkflowExecution) (*execution, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.find(w.WorkflowId, w.RunId); e != nil {
		return e, nil
	}
	return nil, serviceerror.NewNotFound("no such workflow")
}

func (f *frontend) GetWorkflowExecutionHistory(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
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

func (f *frontend) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	e, err := f.lookUp(r.Execution)
	if err != nil {
		return nil, err
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: e.info}, nil
}

func (f *frontend) QueryWorkflow(_ context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	var answer any
	if name, ok := strings.CutPrefix(r.Execution.WorkflowId, workflows.ControllerID("")); ok && r.Query.QueryType == workflows.StateQuery {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.keepers[name] == nil {
			return nil, serviceerror.NewNotFound("no such workflow")
		}
		if f.noWorker {
			return nil, serviceerror.NewFailedPrecondition("no poller seen for task queue recently")
		}
		answer = f.keepers[name]
	} else {
		if _, err := f.lookUp(r.Execution); err != nil {
			return nil, err
		}
		if f.status == nil || r.Query.QueryType != workflows.StatusQuery {
			return nil, &serviceerror.QueryFailed{Message: "unknown queryType " + r.Query.QueryType}
		}
		s, err := f.status(r.Execution.WorkflowId)
		if err != nil {
			return nil, err
		}
		answer = s
	}
	result, err := converter.GetDefaultDataConverter().ToPayloads(answer)
	return &workflowservice.QueryWorkflowResponse{QueryResult: result}, err
}
