package delivery_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/temporaltest"
	"github.com/farmtrust/farmtrust/workflows"
)

// fakeTemporal is as much of a Temporal server as a deliverer talks to: it keeps the
// signals of controllers, starts those that do not run, and lists those that do with their
// memos, one on each page. Its connections are in memory, so that a test's clock may be
// synctest's. It refuses what it does not know.
//
// That a real server does the same, module standalone shows.
type fakeTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu sync.Mutex
	// away are the methods that fail, with the error.
	away map[string]error
	// running are the controllers by workflow ID.
	running map[string]*workflowpb.WorkflowExecutionInfo
	// heard are the summaries of the events that each farm's controller was sent.
	heard map[string][]string
	// calls counts those of each method, refused ones too.
	calls map[string]int
	// lists counts how often the controllers were listed.
	lists int
	// slow holds the signals to a farm back until it is closed.
	slow map[string]chan struct{}
}

// dial starts the server and returns a client of it.
func (f *fakeTemporal) dial(t testing.TB) temporal.Client {
	t.Helper()
	return temporaltest.Dial(t, f, f.intercept)
}

func (f *fakeTemporal) intercept(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]]++
	err := f.away[info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]]
	var slow chan struct{}
	if signal, ok := r.(*workflowservice.SignalWithStartWorkflowExecutionRequest); ok {
		slow = f.slow[farmOf(signal)]
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if slow != nil {
		<-slow
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return next(ctx, r)
}

// fail makes a method fail from now on; not any more with a nil error.
func (f *fakeTemporal) fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away == nil {
		f.away = map[string]error{}
	}
	f.away[method] = err
}

// hold holds the signals to a farm back until the function that it returns is called.
func (f *fakeTemporal) hold(farmName string) (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held := make(chan struct{})
	f.slow = map[string]chan struct{}{farmName: held}
	return func() { close(held) }
}

// farmOf is the farm whose controller is signalled.
func farmOf(r *workflowservice.SignalWithStartWorkflowExecutionRequest) string {
	return strings.TrimPrefix(r.WorkflowId, workflows.ControllerID(""))
}

// run makes the controller of a farm run at a site with a memo.
func (f *fakeTemporal) run(t testing.TB, farmName, site string, i controller.Interest) {
	t.Helper()
	f.runWorkflow(workflows.ControllerID(farmName), workflows.TaskQueue(site), map[string]*commonpb.Payload{
		workflows.CertificatesMemo: payloadOf(t, i.Certificates), workflows.EventsMemo: payloadOf(t, i.Events),
	})
}

func (f *fakeTemporal) runWorkflow(id, queue string, memo map[string]*commonpb.Payload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addRunning(id, queue).Memo = &commonpb.Memo{Fields: memo}
}

func (f *fakeTemporal) addRunning(id, queue string) *workflowpb.WorkflowExecutionInfo {
	if f.running == nil {
		f.running = map[string]*workflowpb.WorkflowExecutionInfo{}
	}
	f.running[id] = &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run of " + id},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, TaskQueue: queue,
	}
	return f.running[id]
}

func payloadOf(t testing.TB, value any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(value)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hearing returns what each farm has heard.
func (f *fakeTemporal) hearing() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.heard)
}

// called is how often a method was called.
func (f *fakeTemporal) called(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *fakeTemporal) listed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists
}

func (f *fakeTemporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// ListWorkflowExecutions returns one execution on each page.
func (f *fakeTemporal) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if r.Query != "WorkflowType = 'ManageFarm' AND ExecutionStatus = 'Running'" {
		return nil, serviceerror.NewInvalidArgument("unknown query " + r.Query)
	}
	at := len(r.NextPageToken)
	if at == 0 {
		f.lists++
	}
	ids := slices.Sorted(maps.Keys(f.running))
	response := &workflowservice.ListWorkflowExecutionsResponse{}
	if at < len(ids) {
		response.Executions = []*workflowpb.WorkflowExecutionInfo{f.running[ids[at]]}
	}
	if at+1 < len(ids) {
		response.NextPageToken = make([]byte, at+1)
	}
	return response, nil
}

func (f *fakeTemporal) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	if r.WorkflowType.Name != "ManageFarm" || r.SignalName != workflows.EventSignal ||
		r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument("not an event for a controller")
	}
	running, ok := f.running[r.WorkflowId]
	if !ok {
		running = f.addRunning(r.WorkflowId, r.TaskQueue.Name)
	}
	if running.TaskQueue != r.TaskQueue.Name {
		return nil, serviceerror.NewInvalidArgument(fmt.Sprintf("%s runs on %s, not on %s", r.WorkflowId, running.TaskQueue, r.TaskQueue.Name))
	}
	var e controller.Event
	if err := converter.GetDefaultDataConverter().FromPayloads(r.SignalInput, &e); err != nil {
		return nil, err
	}
	if f.heard == nil {
		f.heard = map[string][]string{}
	}
	name := farmOf(r)
	f.heard[name] = append(f.heard[name], e.Summary)
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{RunId: running.Execution.RunId}, nil
}
