package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/temporaltest"
	"github.com/farmtrust/farmtrust/workflows"
)

// continuingFrontend is a Temporal server whose controller is continuing as new: its
// first answers are as told, the one after them is as usual.
type continuingFrontend struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu sync.Mutex
	// rejected are the statuses for which queries are rejected first, and failures how
	// anything fails first.
	rejected []enumspb.WorkflowExecutionStatus
	failures []error
	// queryFailures are how queries alone fail first.
	queryFailures []error
	// refusals is how many updates are refused first.
	refusals int
	// state is what the controller answers.
	state controller.State
	// updateIDs are those of the updates that arrived.
	updateIDs []string
}

func (f *continuingFrontend) dial(t *testing.T) client.Client {
	t.Helper()
	return client.New(temporaltest.Dial(t, f, func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return next(ctx, r)
	}))
}

// nextFailure takes the next failure.
func (f *continuingFrontend) nextFailure() error {
	if len(f.failures) == 0 {
		return nil
	}
	err := f.failures[0]
	f.failures = f.failures[1:]
	return err
}

func (f *continuingFrontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

func (f *continuingFrontend) QueryWorkflow(_ context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	if err := f.nextFailure(); err != nil {
		return nil, err
	}
	if len(f.queryFailures) > 0 {
		err := f.queryFailures[0]
		f.queryFailures = f.queryFailures[1:]
		return nil, err
	}
	if len(f.rejected) > 0 {
		status := f.rejected[0]
		f.rejected = f.rejected[1:]
		return &workflowservice.QueryWorkflowResponse{QueryRejected: &querypb.QueryRejected{Status: status}}, nil
	}
	result, err := converter.GetDefaultDataConverter().ToPayloads(f.state)
	return &workflowservice.QueryWorkflowResponse{QueryResult: result}, err
}

func (f *continuingFrontend) ExecuteMultiOperation(_ context.Context, r *workflowservice.ExecuteMultiOperationRequest) (*workflowservice.ExecuteMultiOperationResponse, error) {
	update, err := f.answerUpdate(r.Operations[1].GetUpdateWorkflow())
	if err != nil {
		return nil, serviceerror.NewMultiOperationExecution("failed", []error{serviceerror.NewMultiOperationAborted("aborted"), err})
	}
	return &workflowservice.ExecuteMultiOperationResponse{Responses: []*workflowservice.ExecuteMultiOperationResponse_Response{
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_StartWorkflow{StartWorkflow: &workflowservice.StartWorkflowExecutionResponse{RunId: "controller"}}},
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_UpdateWorkflow{UpdateWorkflow: update}},
	}}, nil
}

func (f *continuingFrontend) UpdateWorkflowExecution(_ context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	return f.answerUpdate(r)
}

func (f *continuingFrontend) answerUpdate(r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	f.updateIDs = append(f.updateIDs, r.Request.Meta.UpdateId)
	if err := f.nextFailure(); err != nil {
		return nil, err
	}
	result, err := converter.GetDefaultDataConverter().ToPayloads(workflows.StartedRun{WorkflowID: "rotate/contoso", RunID: "1"})
	outcome := &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: result}}
	if f.refusals > 0 {
		f.refusals--
		refused := sdktemporal.NewApplicationError("rotate/contoso has been running since 06:00", "")
		outcome.Value = &updatepb.Outcome_Failure{Failure: sdktemporal.GetDefaultFailureConverter().ErrorToFailure(refused)}
	}
	return &workflowservice.UpdateWorkflowExecutionResponse{
		UpdateRef: &updatepb.UpdateRef{WorkflowExecution: r.WorkflowExecution, UpdateId: r.Request.Meta.UpdateId},
		Stage:     enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
		Outcome:   outcome,
	}, err
}

var (
	errTaskFailed      = serviceerror.NewWorkflowNotReady("Unable to perform workflow execution update due to unexpected workflow task failure.")
	errCompleted       = serviceerror.NewNotFound("workflow execution already completed")
	errNonDeterminism  = serviceerror.NewQueryFailed("[TMPRL1100] nondeterministic workflow")
	continuedAsNew     = enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
	errWorkflowMissing = serviceerror.NewNotFound("workflow not found for ID: farm/contoso")
)

func TestState_WhileContinuingAsNew(t *testing.T) {
	for name, c := range map[string]struct {
		frontend *continuingFrontend
		want     string
	}{
		"the run has just continued": {&continuingFrontend{rejected: []enumspb.WorkflowExecutionStatus{continuedAsNew, continuedAsNew}}, ""},
		"its first task is due":      {&continuingFrontend{failures: []error{errTaskFailed}}, ""},
		"it was overtaken":           {&continuingFrontend{failures: []error{errNonDeterminism, errNonDeterminism}}, ""},
		"no worker can replay it":    {&continuingFrontend{failures: slices.Repeat([]error{errNonDeterminism}, 4)}, "TMPRL1100"},
		"the run was terminated":     {&continuingFrontend{rejected: []enumspb.WorkflowExecutionStatus{enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED}}, client.ErrNoController.Error()},
		"there is no run":            {&continuingFrontend{failures: []error{errWorkflowMissing}}, client.ErrNoController.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.frontend.state.Farm = "contoso"
			state, err := c.frontend.dial(t).Farm("contoso").State(t.Context())
			switch {
			case c.want == "" && (err != nil || state.Farm != "contoso"):
				t.Errorf("got %+v, %v; want the state", state, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRequest_WhileContinuingAsNew(t *testing.T) {
	f := &continuingFrontend{failures: []error{errTaskFailed, errCompleted, errTaskFailed}}
	run, err := f.dial(t).Farm("contoso").Rotate(t.Context(), client.Author{By: "ada", Reason: "change 4711"})
	if err != nil || run.ID() != "rotate/contoso" {
		t.Fatalf("got %v, %v; want the rotation", run, err)
	}
	if len(f.updateIDs) != 4 || len(slices.Compact(f.updateIDs)) != 1 {
		t.Errorf("the request arrived as %v, want it four times under one ID", f.updateIDs)
	}
}

// TestRequest_RefusedForWhatHasEnded is about a controller that has not heard yet that
// its rotation has ended.
func TestRequest_RefusedForWhatHasEnded(t *testing.T) {
	ask := func(f *continuingFrontend) error {
		_, err := f.dial(t).Farm("contoso").ReplaceCompromised(t.Context(), client.Author{By: "ada", Reason: "change 4711"}, nil)
		return err
	}
	t.Run("it is asked again", func(t *testing.T) {
		f := &continuingFrontend{refusals: 2}
		if err := ask(f); err != nil || len(f.updateIDs) != 3 {
			t.Errorf("got %v after %d requests, want the rotation after three", err, len(f.updateIDs))
		}
	})
	t.Run("a state that cannot be read now tells nothing", func(t *testing.T) {
		f := &continuingFrontend{refusals: 1, queryFailures: []error{serviceerror.NewQueryFailed("consistent query buffer is full")}}
		if err := ask(f); err != nil || len(f.updateIDs) != 2 {
			t.Errorf("got %v after %d requests, want the rotation after two", err, len(f.updateIDs))
		}
	})
	t.Run("a refusal that stands is believed at once", func(t *testing.T) {
		f := &continuingFrontend{refusals: 2, state: controller.State{Active: &controller.ActiveRun{WorkflowID: "rotate/contoso"}}}
		err := ask(f)
		if _, refused := errors.AsType[*client.RefusedError](err); !refused || len(f.updateIDs) != 1 {
			t.Errorf("got %v after %d requests, want the first refusal", err, len(f.updateIDs))
		}
	})
}

func TestAdmit_WhileContinuingAsNew(t *testing.T) {
	f := &continuingFrontend{failures: []error{errCompleted, errTaskFailed}}
	if _, err := f.dial(t).Records().Admit(t.Context(), "contoso", controller.Admission{WorkflowID: "rotate/contoso", RunID: "1"}); err != nil {
		t.Fatal(err)
	}
	if len(f.updateIDs) != 3 || len(slices.Compact(f.updateIDs)) != 1 {
		t.Errorf("the question arrived as %v, want it three times under one ID", f.updateIDs)
	}
}

func TestDecide_WhileATaskFails(t *testing.T) {
	t.Run("it is sent again", func(t *testing.T) {
		f := &continuingFrontend{failures: []error{errTaskFailed}}
		if err := f.dial(t).Run(t.Context(), "rotate/contoso", "1").Decide(t.Context(), farm.Decision{Choice: farm.Approve}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a run that has ended is not waited for", func(t *testing.T) {
		f := &continuingFrontend{failures: []error{errCompleted}}
		err := f.dial(t).Run(t.Context(), "rotate/contoso", "1").Decide(t.Context(), farm.Decision{Choice: farm.Approve})
		if notFound := (*serviceerror.NotFound)(nil); !errors.As(err, &notFound) || len(f.updateIDs) != 1 {
			t.Errorf("got %v after %d updates, want the refusal of the first", err, len(f.updateIDs))
		}
	})
}
