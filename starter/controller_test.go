package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// The controllers behind the fake server. They decide nothing: a test says what
// they answer, and reads what they were sent.

// startController returns a farm's controller, and starts it if it does not run.
// The caller holds the lock.
func (f *fakeTemporal) startController(r *workflowservice.StartWorkflowExecutionRequest) (*controller.State, error) {
	name, ok := strings.CutPrefix(r.WorkflowId, workflows.ControllerID(""))
	if !ok || r.WorkflowType.Name != "ManageFarm" || r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument(fmt.Sprintf("not the start of a controller: %v", r))
	}
	if f.noFarmAttribute {
		return nil, errNoFarmAttribute
	}
	if f.controllers[name] == nil {
		state := &controller.State{}
		if err := decodePayloads(r.Input, state); err != nil {
			return nil, err
		}
		f.addRun(r)
		f.controllers[name] = state
	}
	return f.controllers[name], nil
}

// addController adds a controller that runs already.
func (f *fakeTemporal) addController(state controller.State) *fakeRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.controllers[state.Farm] = &state
	run := f.addRun(&workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: workflows.ControllerID(state.Farm), WorkflowType: &commonpb.WorkflowType{Name: "ManageFarm"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.TaskQueue(f.site)},
	})
	certificates, err := converter.GetDefaultDataConverter().ToPayload(state.Interest.Certificates)
	if err != nil {
		panic(err) // a test's own mistake
	}
	run.info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.CertificatesMemo: certificates}}
	return run
}

// editController changes what a controller knows.
func (f *fakeTemporal) editController(farmName string, edit func(*controller.State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f.controllers[farmName])
}

func (f *fakeTemporal) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := f.startController(&workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: r.WorkflowId, WorkflowType: r.WorkflowType, TaskQueue: r.TaskQueue, Input: r.Input,
		WorkflowIdConflictPolicy: r.WorkflowIdConflictPolicy, SearchAttributes: r.SearchAttributes, UserMetadata: r.UserMetadata,
	})
	if err != nil {
		return nil, err
	}
	var e controller.Event
	if err := decodePayloads(r.SignalInput, &e); err != nil || r.SignalName != workflows.EventSignal {
		return nil, errors.Join(serviceerror.NewInvalidArgument("not an event: signal "+r.SignalName), err)
	}
	f.events, f.eventIDs = append(f.events, state.Farm+": "+e.Summary), append(f.eventIDs, e.ID)
	if f.onEvent == nil {
		state.Mailbox.Pending = append(state.Mailbox.Pending, e)
	} else {
		result := f.onEvent(state.Farm)
		result.EventID = e.ID
		state.Mailbox.Results = append(state.Mailbox.Results, result)
	}
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{RunId: "controller"}, nil
}

func (f *fakeTemporal) ExecuteMultiOperation(_ context.Context, r *workflowservice.ExecuteMultiOperationRequest) (*workflowservice.ExecuteMultiOperationResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(r.Operations) != 2 || r.Operations[0].GetStartWorkflow() == nil || r.Operations[1].GetUpdateWorkflow() == nil {
		return nil, serviceerror.NewInvalidArgument("not an update with start")
	}
	start, update := r.Operations[0].GetStartWorkflow(), r.Operations[1].GetUpdateWorkflow()
	state, err := f.startController(start)
	if err != nil {
		return nil, serviceerror.NewMultiOperationExecution("failed", []error{err, serviceerror.NewMultiOperationAborted("aborted")})
	}
	var request controller.Request
	if err := decodePayloads(update.Request.Input.Args, &request); err != nil || update.Request.Input.Name != workflows.RequestUpdate {
		return nil, errors.Join(serviceerror.NewInvalidArgument("not a request"), err)
	}
	f.requests = append(f.requests, state.Farm+" "+describeRequest(request))
	started, err := f.onRequest(state.Farm, request)
	response, err := newUpdateResponse(update, started, err)
	return &workflowservice.ExecuteMultiOperationResponse{Responses: []*workflowservice.ExecuteMultiOperationResponse_Response{
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_StartWorkflow{
			StartWorkflow: &workflowservice.StartWorkflowExecutionResponse{RunId: "controller"},
		}},
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_UpdateWorkflow{UpdateWorkflow: response}},
	}}, err
}

// UpdateWorkflowExecution takes decisions to runs.
func (f *fakeTemporal) UpdateWorkflowExecution(_ context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	run, err := f.lookUp(r.WorkflowExecution)
	if err != nil {
		return nil, err
	}
	if run.last != nil {
		return nil, serviceerror.NewNotFound("workflow execution already completed")
	}
	var d farm.Decision
	if err := decodePayloads(r.Request.Input.Args, &d); err != nil || r.Request.Input.Name != workflows.DecideUpdate {
		return nil, errors.Join(serviceerror.NewInvalidArgument("not a decision"), err)
	}
	f.mu.Lock()
	f.decisions = append(f.decisions, r.WorkflowExecution.WorkflowId+" "+recordDecision(d))
	f.mu.Unlock()
	return newUpdateResponse(r, nil, f.refuseDecision)
}

// newUpdateResponse is the response to an update that was accepted, or refused
// by its validator.
func newUpdateResponse(r *workflowservice.UpdateWorkflowExecutionRequest, result any, refused error) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(result)
	outcome := &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payloads}}
	if refused != nil {
		failure := temporal.GetDefaultFailureConverter().ErrorToFailure(temporal.NewApplicationError(refused.Error(), ""))
		outcome.Value = &updatepb.Outcome_Failure{Failure: failure}
	}
	return &workflowservice.UpdateWorkflowExecutionResponse{
		UpdateRef: &updatepb.UpdateRef{WorkflowExecution: r.WorkflowExecution, UpdateId: r.Request.Meta.UpdateId},
		Outcome:   outcome, Stage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
	}, err
}

// recordDecision names what was decided.
func recordDecision(d farm.Decision) string {
	return fmt.Sprintf("{Choice:%s%s Server:%s Digest:%s Accept:%v Force:%t By:%s Reason:%s}",
		d.Choice, describeUntil(d.Until), d.Server, d.Digest, d.Accept, d.Force, d.By, d.Reason)
}

func describeUntil(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " Until:" + farm.FormatTime(until)
}

func decodePayloads(payloads *commonpb.Payloads, into any) error {
	return converter.GetDefaultDataConverter().FromPayloads(payloads, into)
}

// describeRequest shows what a request says, without what it leaves out, and without when
// it expires.
func describeRequest(r controller.Request) string {
	r.Expires = time.Time{}
	text, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
