package host

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/workflows"
)

// frontend is as much of a Temporal server as the host tells keepers through.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	// invisible fails every question to the visibility store.
	invisible bool

	mu sync.Mutex
	// running and ended are workflow IDs.
	running, ended []string
	// keepers are what keepers were started with, and paused what they were
	// last told.
	keepers map[string]controller.State
	paused  map[string]string
}

func (f *frontend) dial(t *testing.T) client.Client {
	t.Helper()
	f.keepers, f.paused = map[string]controller.State{}, map[string]string{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		answer, err := next(ctx, r)
		if err != nil {
			return nil, serviceerror.ToStatus(err).Err()
		}
		return answer, nil
	}))
	workflowservice.RegisterWorkflowServiceServer(s, f)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func (f *frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// ListWorkflowExecutions has one execution on each page.
func (f *frontend) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	switch {
	case f.invisible:
		return nil, serviceerror.NewInvalidArgument("the store is away")
	case r.Query != "WorkflowType = 'KeepTrust' AND ExecutionStatus = 'Running'":
		return nil, serviceerror.NewInvalidArgument("unknown query " + r.Query)
	}
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	at := len(r.NextPageToken)
	if at < len(f.running) {
		answer.Executions = []*workflowpb.WorkflowExecutionInfo{{Execution: &commonpb.WorkflowExecution{WorkflowId: f.running[at]}}}
	}
	if at+1 < len(f.running) {
		answer.NextPageToken = make([]byte, at+1)
	}
	return answer, nil
}

func (f *frontend) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	var known controller.State
	if err := converter.GetDefaultDataConverter().FromPayloads(r.Input, &known); err != nil {
		return nil, err
	}
	if r.WorkflowType.Name != "KeepTrust" || r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument("not the start of a keeper")
	}
	f.keepers[r.WorkflowId] = known
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{}, f.hear(r.WorkflowId, r.SignalName, r.SignalInput)
}

func (f *frontend) SignalWorkflowExecution(_ context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	id := r.WorkflowExecution.WorkflowId
	if strings.HasSuffix(id, "/gone") {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, f.hear(id, r.SignalName, r.Input)
}

func (f *frontend) hear(id, signal string, input *commonpb.Payloads) error {
	var told controller.Configuration
	if signal != workflows.ConfigurationSignal {
		return serviceerror.NewInvalidArgument("unknown signal " + signal)
	}
	err := converter.GetDefaultDataConverter().FromPayloads(input, &told)
	f.paused[id] = told.Unmanaged
	return err
}

func (f *frontend) DescribeWorkflowExecution(_ context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	for status, ids := range map[enumspb.WorkflowExecutionStatus][]string{
		enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING: f.running, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED: f.ended,
	} {
		if slices.Contains(ids, r.Execution.WorkflowId) {
			return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status}}, nil
		}
	}
	return nil, serviceerror.NewNotFound("no such workflow")
}

func configured(names ...string) *config.Config {
	c := &config.Config{Path: "farmtrust.yaml"}
	for _, name := range names {
		f := config.Farm{}
		f.Name, f.Rotation.InspectionInterval, f.Rotation.KeepOldFor = name, 6*time.Hour, 14*24*time.Hour
		c.Farms = append(c.Farms, f)
	}
	return c
}

func TestEachConfiguredFarmHasAKeeperAndTheOthersArePaused(t *testing.T) {
	f := &frontend{running: []string{"farm/contoso", "farm/gone", "farm/northwind"}}
	if err := tellKeepers(t.Context(), f.dial(t), configured("contoso", "fabrikam")); err != nil {
		t.Fatal(err)
	}
	want := map[string]controller.State{
		"farm/contoso":  {Farm: "contoso", InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour},
		"farm/fabrikam": {Farm: "fabrikam", InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour},
	}
	if diff := cmp.Diff(want, f.keepers); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"farm/contoso", "farm/fabrikam"} {
		if why, told := f.paused[id]; why != "" || !told {
			t.Errorf("%s is paused because %q (told: %t), want working", id, why, told)
		}
	}
	for _, part := range []string{"no longer configured on worker ", "(farmtrust.yaml)", "put the farm back", "or terminate farm/northwind"} {
		if !strings.Contains(f.paused["farm/northwind"], part) {
			t.Errorf("farm/northwind is paused because %q, which does not say %q", f.paused["farm/northwind"], part)
		}
	}
}

func TestWithoutAnAnswerAboutKeepersNoneIsTold(t *testing.T) {
	f := &frontend{invisible: true}
	err := tellKeepers(t.Context(), f.dial(t), configured("contoso"))
	if err == nil || !strings.Contains(err.Error(), "list the keepers that run") || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("got %v", err)
	}
	if len(f.keepers) != 0 {
		t.Errorf("told %v", f.keepers)
	}
}

func TestAWorkflowRunsOrHasEndedOrNeverWas(t *testing.T) {
	f := &frontend{running: []string{"rotate/contoso"}, ended: []string{"rotate/fabrikam"}}
	r := rotations{f.dial(t)}
	for id, want := range map[string]bool{"rotate/contoso": true, "rotate/fabrikam": false, "rotate/northwind": false} {
		if got, err := r.Running(t.Context(), id); err != nil || got != want {
			t.Errorf("%s: runs %t, %v; want %t", id, got, err, want)
		}
	}
}
