package host

import (
	"context"
	"net"
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
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// fakeFrontend implements as much of a Temporal server as the host needs to signal
// controllers.
type fakeFrontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	// visibilityFails makes every query of the visibility store fail.
	visibilityFails bool

	mu sync.Mutex
	// running are workflow IDs.
	running []string
	// started has the states that controllers were started with, and unmanaged the
	// reasons that they were last sent, both by workflow ID.
	started   map[string]controller.State
	unmanaged map[string]string
}

// dial starts the server and returns a client of it.
func (f *fakeFrontend) dial(t *testing.T) client.Client {
	t.Helper()
	f.started, f.unmanaged = map[string]controller.State{}, map[string]string{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		response, err := next(ctx, r)
		if err != nil {
			return nil, serviceerror.ToStatus(err).Err()
		}
		return response, nil
	}))
	workflowservice.RegisterWorkflowServiceServer(s, f)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	c, err := temporal.DialContext(t.Context(), temporal.Options{HostPort: l.Addr().String()})
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
	return client.New(c)
}

func (f *fakeFrontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// ListWorkflowExecutions returns one execution on each page.
func (f *fakeFrontend) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	switch {
	case f.visibilityFails:
		return nil, serviceerror.NewInvalidArgument("the store is unavailable")
	case r.Query != "WorkflowType = 'ManageFarm' AND ExecutionStatus = 'Running'":
		return nil, serviceerror.NewInvalidArgument("unknown query " + r.Query)
	}
	response := &workflowservice.ListWorkflowExecutionsResponse{}
	at := len(r.NextPageToken)
	if at < len(f.running) {
		response.Executions = []*workflowpb.WorkflowExecutionInfo{{Execution: &commonpb.WorkflowExecution{WorkflowId: f.running[at]}}}
	}
	if at+1 < len(f.running) {
		response.NextPageToken = make([]byte, at+1)
	}
	return response, nil
}

func (f *fakeFrontend) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	var state controller.State
	if err := converter.GetDefaultDataConverter().FromPayloads(r.Input, &state); err != nil {
		return nil, err
	}
	if r.WorkflowType.Name != "ManageFarm" || r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument("not the start of a controller")
	}
	f.started[r.WorkflowId] = state
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{}, f.receiveConfiguration(r.WorkflowId, r.SignalName, r.SignalInput)
}

func (f *fakeFrontend) SignalWorkflowExecution(_ context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	id := r.WorkflowExecution.WorkflowId
	if strings.HasSuffix(id, "/gone") {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, f.receiveConfiguration(id, r.SignalName, r.Input)
}

func (f *fakeFrontend) receiveConfiguration(id, signal string, input *commonpb.Payloads) error {
	var configuration controller.Configuration
	if signal != workflows.ConfigurationSignal {
		return serviceerror.NewInvalidArgument("unknown signal " + signal)
	}
	err := converter.GetDefaultDataConverter().FromPayloads(input, &configuration)
	f.unmanaged[id] = configuration.Unmanaged
	return err
}

func configWith(farmNames ...string) *config.Config {
	c := &config.Config{Path: "farmtrust.yaml"}
	for _, name := range farmNames {
		f := config.Farm{}
		f.Name, f.Rotation.InspectionInterval, f.Rotation.KeepOldFor = name, 6*time.Hour, 14*24*time.Hour
		c.Farms = append(c.Farms, f)
	}
	return c
}

func TestConfigureControllers(t *testing.T) {
	f := &fakeFrontend{running: []string{"farm/contoso", "farm/gone", "farm/northwind"}}
	if err := configureControllers(t.Context(), f.dial(t), configWith("contoso", "fabrikam")); err != nil {
		t.Fatal(err)
	}
	t.Run("each configured farm has a controller with its policy", func(t *testing.T) {
		policy := controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour}
		want := map[string]controller.State{
			"farm/contoso":  {Farm: "contoso", Policy: policy},
			"farm/fabrikam": {Farm: "fabrikam", Policy: policy},
		}
		if diff := cmp.Diff(want, f.started); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("each configured farm is managed", func(t *testing.T) {
		for _, id := range []string{"farm/contoso", "farm/fabrikam"} {
			if reason, sent := f.unmanaged[id]; reason != "" || !sent {
				t.Errorf("%s is unmanaged because %q (sent: %t), want managed", id, reason, sent)
			}
		}
	})
	t.Run("a farm that is no longer configured is unmanaged, with the reason and the remedy", func(t *testing.T) {
		for _, part := range []string{"no longer configured on worker ", "(farmtrust.yaml)", "add the farm to its configuration again", "or terminate farm/northwind"} {
			if !strings.Contains(f.unmanaged["farm/northwind"], part) {
				t.Errorf("farm/northwind is unmanaged because %q, which does not contain %q", f.unmanaged["farm/northwind"], part)
			}
		}
	})
}

func TestConfigureControllers_WithoutVisibilityNothingIsSignalled(t *testing.T) {
	f := &fakeFrontend{visibilityFails: true}
	err := configureControllers(t.Context(), f.dial(t), configWith("contoso"))
	if err == nil || !strings.Contains(err.Error(), "visibility store must be reachable") || !strings.Contains(err.Error(), "the store is unavailable") {
		t.Errorf("got %v", err)
	}
	if len(f.started) != 0 {
		t.Errorf("started %v", f.started)
	}
}
