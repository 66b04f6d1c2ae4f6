package host

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/temporaltest"
	"github.com/farmtrust/farmtrust/workflows"
)

// fakeFrontend implements as much of a Temporal server as a worker's start and its
// supervisor need. Connections to it are in memory, so that a test's clock may be
// synctest's.
type fakeFrontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu sync.Mutex
	// away are the methods that fail, with the error.
	away map[string]error
	// executions are the running controllers by workflow ID.
	executions map[string]*workflowpb.WorkflowExecutionInfo
	// pollers are the identities of the other workers of the task queue.
	pollers []*taskqueuepb.PollerInfo
	// received are the configurations that controllers were sent, and started the
	// states that they were started with, by workflow ID.
	received map[string][]controller.Configuration
	// events are those that controllers heard, by workflow ID.
	events  map[string][]controller.Event
	started map[string]controller.State
	runs    int
}

// dial starts the server and returns a client of it.
func (f *fakeFrontend) dial(t *testing.T) temporal.Client {
	t.Helper()
	f.received, f.started = map[string][]controller.Configuration{}, map[string]controller.State{}
	f.events = map[string][]controller.Event{}
	if f.executions == nil {
		f.executions = map[string]*workflowpb.WorkflowExecutionInfo{}
	}
	return temporaltest.Dial(t, f, f.intercept)
}

// intercept fails what is away, and holds polls back that find nothing.
func (f *fakeFrontend) intercept(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	f.mu.Lock()
	err := f.away[info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]]
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if strings.Contains(info.FullMethod, "/Poll") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return next(ctx, r)
}

// fail makes a method fail from now on; not any more with a nil error.
func (f *fakeFrontend) fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away == nil {
		f.away = map[string]error{}
	}
	f.away[method] = err
}

// runController makes a controller run on a task queue, under a new run ID.
func (f *fakeFrontend) runController(farmName, taskQueue string) (runID string) {
	f.runs++
	runID = strings.Repeat("r", f.runs)
	if f.executions == nil {
		f.executions = map[string]*workflowpb.WorkflowExecutionInfo{}
	}
	id := workflows.ControllerID(farmName)
	f.executions[id] = &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: runID},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, TaskQueue: taskQueue,
	}
	return runID
}

func (f *fakeFrontend) poll(identity string, ago time.Duration) {
	f.pollers = append(f.pollers, &taskqueuepb.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(time.Now().Add(-ago))})
}

func (f *fakeFrontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (f *fakeFrontend) DescribeNamespace(context.Context, *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	return &workflowservice.DescribeNamespaceResponse{NamespaceInfo: &namespacepb.NamespaceInfo{}}, nil
}

func (f *fakeFrontend) ShutdownWorker(context.Context, *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	return &workflowservice.ShutdownWorkerResponse{}, nil
}

func (f *fakeFrontend) DescribeTaskQueue(context.Context, *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{Pollers: f.pollers}, nil
}

func (f *fakeFrontend) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	e, ok := f.executions[r.Execution.WorkflowId]
	if !ok {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: e}, nil
}

// ListWorkflowExecutions returns one execution on each page.
func (f *fakeFrontend) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	query, _, ofQueue := strings.Cut(r.Query, " AND TaskQueue = ")
	queue := strings.Trim(strings.TrimPrefix(r.Query, query+" AND TaskQueue = "), "'")
	ok := query == "WorkflowType = 'ManageFarm' AND ExecutionStatus = 'Running'"
	if !ok {
		return nil, serviceerror.NewInvalidArgument("unknown query " + r.Query)
	}
	var found []*workflowpb.WorkflowExecutionInfo
	for _, id := range sortedKeys(f.executions) {
		if !ofQueue || f.executions[id].TaskQueue == queue {
			found = append(found, f.executions[id])
		}
	}
	response := &workflowservice.ListWorkflowExecutionsResponse{}
	at := len(r.NextPageToken)
	if at < len(found) {
		response.Executions = found[at : at+1]
	}
	if at+1 < len(found) {
		response.NextPageToken = make([]byte, at+1)
	}
	return response, nil
}

func (f *fakeFrontend) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	if r.WorkflowType.Name != "ManageFarm" || r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument("not the start of a controller")
	}
	if _, runs := f.executions[r.WorkflowId]; !runs {
		var state controller.State
		if err := converter.GetDefaultDataConverter().FromPayloads(r.Input, &state); err != nil {
			return nil, err
		}
		f.started[r.WorkflowId] = state
		f.runController(state.Farm, r.TaskQueue.Name)
	}
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{RunId: f.executions[r.WorkflowId].Execution.RunId},
		f.receive(r.WorkflowId, r.SignalName, r.SignalInput)
}

func (f *fakeFrontend) SignalWorkflowExecution(_ context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	id := r.WorkflowExecution.WorkflowId
	if strings.HasSuffix(id, "/gone") {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, f.receive(id, r.SignalName, r.Input)
}

func (f *fakeFrontend) receive(id, signal string, input *commonpb.Payloads) error {
	var configuration controller.Configuration
	switch {
	case signal == workflows.EventSignal:
		var e controller.Event
		err := converter.GetDefaultDataConverter().FromPayloads(input, &e)
		f.events[id] = append(f.events[id], e)
		return err
	case signal != workflows.ConfigurationSignal:
		return serviceerror.NewInvalidArgument("unknown signal " + signal)
	case strings.HasSuffix(id, "/stuck"):
		return serviceerror.NewInternal("the history of the workflow is damaged")
	}
	err := converter.GetDefaultDataConverter().FromPayloads(input, &configuration)
	f.received[id] = append(f.received[id], configuration)
	return err
}
