package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// keeper returns what a farm's keeper knows, and starts it if it does not run.
// The caller holds the lock.
func (f *frontend) keeper(r *workflowservice.StartWorkflowExecutionRequest) (*controller.State, error) {
	name, ok := strings.CutPrefix(r.WorkflowId, workflows.ControllerID(""))
	if !ok || r.WorkflowType.Name != "KeepTrust" || r.WorkflowIdConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		return nil, serviceerror.NewInvalidArgument(fmt.Sprintf("not the start of a keeper: %v", r))
	}
	if f.noFarmAttribute {
		return nil, serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute Farm")
	}
	if f.keepers == nil {
		f.keepers = map[string]*controller.State{}
	}
	if f.keepers[name] == nil {
		known := &controller.State{}
		if err := converter.GetDefaultDataConverter().FromPayloads(r.Input, known); err != nil {
			return nil, err
		}
		f.add(r)
		f.keepers[name] = known
	}
	return f.keepers[name], nil
}

// rotate has a keeper begin a rotation, unless one that somebody else started
// keeps it from that.
func (f *frontend) rotate(k *controller.State, in workflows.RotateInput) error {
	id := workflows.RotateID(k.Farm)
	if e := f.find(id, ""); e != nil && e.last == nil {
		return nil
	}
	input, err := converter.GetDefaultDataConverter().ToPayloads(in)
	if err != nil {
		return err
	}
	e := f.add(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: "RotateTrust"}, Input: input})
	e.info.ParentExecution = &commonpb.WorkflowExecution{WorkflowId: workflows.ControllerID(k.Farm)}
	if f.work != nil {
		result, err := f.work("RotateTrust", id)
		e.close(result, err)
		k.Next = farm.Next{Reason: "it looked again"}
	} else {
		k.ActiveRun = &controller.ActiveRun{WorkflowID: id, Reason: in.Reason, Since: e.info.StartTime.AsTime()}
	}
	return nil
}

func (f *frontend) SignalWithStartWorkflowExecution(_ context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, err := f.keeper(&workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: r.WorkflowId, WorkflowType: r.WorkflowType, TaskQueue: r.TaskQueue, Input: r.Input,
		WorkflowIdConflictPolicy: r.WorkflowIdConflictPolicy, SearchAttributes: r.SearchAttributes, UserMetadata: r.UserMetadata,
	})
	if err != nil {
		return nil, err
	}
	var e controller.Event
	if err := converter.GetDefaultDataConverter().FromPayloads(r.SignalInput, &e); err != nil {
		return nil, err
	}
	if r.SignalName != workflows.EventSignal {
		return nil, serviceerror.NewInvalidArgument("unknown signal " + r.SignalName)
	}
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{RunId: "keeper"}, f.hear(k, e)
}

// hear judges an event at once, unless a rotation is at work.
func (f *frontend) hear(k *controller.State, e controller.Event) error {
	switch {
	case slices.Contains(k.SeenEventIDs, e.ID):
		return nil
	case k.ActiveRun != nil || k.Unmanaged != "":
		k.SeenEventIDs, k.PendingEvents = append(k.SeenEventIDs, e.ID), append(k.PendingEvents, e)
		return nil
	}
	k.SeenEventIDs = append(k.SeenEventIDs, e.ID)
	k.Next = farm.Next{Action: farm.ActionRotate, Reason: "because"}
	if f.judge != nil {
		k.Next = f.judge(k.Farm, e)
	}
	if k.Next.Action != farm.ActionRotate {
		return nil
	}
	return f.rotate(k, workflows.RotateInput{Farm: k.Farm, Reason: e.Summary + ": " + k.Next.Reason})
}

// idle has a keeper's work end, and its events judged.
func (f *frontend) idle(farmName string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.keepers[farmName]
	k.ActiveRun, k.PendingEvents = nil, nil
	k.Next = farm.Next{Reason: "trusted until 2027"}
}

func (f *frontend) ExecuteMultiOperation(_ context.Context, r *workflowservice.ExecuteMultiOperationRequest) (*workflowservice.ExecuteMultiOperationResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(r.Operations) != 2 || r.Operations[0].GetStartWorkflow() == nil || r.Operations[1].GetUpdateWorkflow() == nil {
		return nil, serviceerror.NewInvalidArgument("not an update with start")
	}
	start, update := r.Operations[0].GetStartWorkflow(), r.Operations[1].GetUpdateWorkflow()
	k, err := f.keeper(start)
	if err != nil {
		return nil, serviceerror.NewMultiOperationExecution("failed", []error{err, serviceerror.NewMultiOperationAborted("aborted")})
	}
	var w controller.Request
	if err := converter.GetDefaultDataConverter().FromPayloads(update.Request.Input.Args, &w); err != nil || update.Request.Input.Name != workflows.RequestUpdate {
		return nil, errors.Join(serviceerror.NewInvalidArgument("not a wish"), err)
	}
	id, err := f.take(k, w)
	answer, err := answerOf(update, id, err)
	return &workflowservice.ExecuteMultiOperationResponse{Responses: []*workflowservice.ExecuteMultiOperationResponse_Response{
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_StartWorkflow{
			StartWorkflow: &workflowservice.StartWorkflowExecutionResponse{RunId: "keeper"},
		}},
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_UpdateWorkflow{UpdateWorkflow: answer}},
	}}, err
}

// take is what a keeper does about a wish.
func (f *frontend) take(k *controller.State, w controller.Request) (string, error) {
	if f.wish != nil {
		if err := f.wish(k.Farm, w); err != nil {
			return "", err
		}
	}
	switch {
	case w.Kind == controller.RequestResume:
		k.Suspended = ""
		return "", nil
	case k.ActiveRun != nil:
		return "", fmt.Errorf("%s: %s is at work", w.Kind, k.ActiveRun.WorkflowID)
	}
	in := workflows.RotateInput{Farm: k.Farm, Reason: w.Reason + " (" + w.By + ")"}
	switch {
	case w.Kind == controller.RequestRollback:
		in.Intent = farm.Rollback
	case w.Compromised:
		in.Intent = farm.ReplaceCompromised
	}
	return workflows.RotateID(k.Farm), f.rotate(k, in)
}

func (f *frontend) UpdateWorkflowExecution(_ context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	e, err := f.lookUp(r.WorkflowExecution)
	if err != nil {
		return nil, err
	}
	if e.last != nil {
		return nil, serviceerror.NewNotFound("workflow execution already completed")
	}
	var d farm.Decision
	if err := converter.GetDefaultDataConverter().FromPayloads(r.Request.Input.Args, &d); err != nil || r.Request.Input.Name != workflows.DecideUpdate {
		return nil, errors.Join(serviceerror.NewInvalidArgument("not a decision"), err)
	}
	if f.decide == nil {
		return answerOf(r, nil, errors.New("nothing waits"))
	}
	return answerOf(r, nil, f.decide(r.WorkflowExecution.WorkflowId, d))
}

// answerOf is the outcome of an update, which a validator may have refused.
func answerOf(r *workflowservice.UpdateWorkflowExecutionRequest, result any, refused error) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
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

// keeping puts a keeper into the world.
func (f *frontend) keeping(k controller.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keepers == nil {
		f.keepers = map[string]*controller.State{}
	}
	if k.InspectionInterval == 0 {
		k.InspectionInterval = 6 * time.Hour
	}
	f.keepers[k.Farm] = &k
	f.add(&workflowservice.StartWorkflowExecutionRequest{WorkflowId: workflows.ControllerID(k.Farm), WorkflowType: &commonpb.WorkflowType{Name: "KeepTrust"}})
}
