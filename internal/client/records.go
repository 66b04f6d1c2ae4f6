package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Records reads what Temporal knows of the runs of a farm. It implements
// [activities.Runs].
type Records struct {
	client Client
	seals  controller.Sealer
}

// Records returns what the namespace knows of runs.
func (c Client) Records() Records { return Records{client: c} }

// SealedBy returns records that believe a controller that has ended only what a worker
// has sealed.
func (r Records) SealedBy(by controller.Sealer) Records { return Records{r.client, by} }

var _ activities.Runs = Records{}

// Run implements [activities.Runs].
func (r Records) Run(ctx context.Context, workflowID, runID string) (*controller.RunRecord, error) {
	described, err := r.describeRun(ctx, workflowID, runID)
	if err != nil || described == nil {
		return nil, err
	}
	// A reset terminates what runs, and goes on under another run ID. One of a run that
	// had ended by itself is another run.
	for described.WorkflowExtendedInfo.GetResetRunId() != "" && isTerminated(described) {
		next, err := r.describeRun(ctx, workflowID, described.WorkflowExtendedInfo.ResetRunId)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		described = next
	}
	return r.readRecord(ctx, described)
}

// describeRun returns what Temporal says of a run, or of the running or last one
// where the run ID is empty; nil where it knows none.
func (r Records) describeRun(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	described, err := r.client.temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	var notFound *serviceerror.NotFound
	var invalid *serviceerror.InvalidArgument // no run has such an ID
	switch {
	case errors.As(err, &notFound), errors.As(err, &invalid):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return described, nil
}

func isTerminated(d *workflowservice.DescribeWorkflowExecutionResponse) bool {
	return d.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
}

// readRecord reads a run that was described. What it waits for, and the state before
// its first change, it says itself: also when it was terminated.
func (r Records) readRecord(ctx context.Context, d *workflowservice.DescribeWorkflowExecutionResponse) (*controller.RunRecord, error) {
	info := d.WorkflowExecutionInfo
	record := &controller.RunRecord{
		WorkflowID: info.Execution.WorkflowId, RunID: info.Execution.RunId, OriginalRunID: originalRunID(info), StartedAt: info.StartTime.AsTime(),
		Retirement: info.Type.GetName() == typeName(workflows.RetireCertificate), Paused: pausedIn(d),
	}
	var err error
	if record.ByController, err = r.isByController(ctx, info); err != nil {
		return nil, err
	}
	if info.CloseTime == nil { // also of a run that is paused as a whole
		if err = r.askRun(ctx, record); isUnanswerable(err) {
			// It has just begun, or no worker can go on with it.
			record.Problem, err = fmt.Sprintf("it does not answer (%v)", err), nil
		}
		return record, err
	}
	record.EndedAt = info.CloseTime.AsTime()
	return record, r.readEnd(ctx, record)
}

// originalRunID returns the run ID that a run was started with, which a reset keeps. A
// rotation never continues as new, so this is the first run of its chain.
func originalRunID(info *workflowpb.WorkflowExecutionInfo) string {
	return cmp.Or(info.FirstRunId, info.Execution.RunId)
}

// isByController reports whether the farm's controller started a run, and it still is
// that one: the reset of a run that had ended by itself is an operator's doing.
func (r Records) isByController(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (bool, error) {
	if ours, err := r.isOfController(ctx, info); err != nil || !ours {
		return false, err
	}
	original := originalRunID(info)
	if original == info.Execution.RunId {
		return true, nil
	}
	first, err := r.describeRun(ctx, info.Execution.WorkflowId, original)
	return first == nil || isTerminated(first), err
}

// isOfController reports whether a run is a rotation or a retirement, and the child of a
// controller, both on the task queue of this site's workers: anybody who starts a workflow can
// give it the ID of one of farmtrust's.
func (r Records) isOfController(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (bool, error) {
	_, farmName, _ := strings.Cut(info.Execution.WorkflowId, "/")
	parent := info.ParentExecution
	isRun := info.Type.GetName() == typeName(workflows.RotateTrust) || info.Type.GetName() == typeName(workflows.RetireCertificate)
	if !isRun || info.TaskQueue != r.client.TaskQueue() || parent.GetWorkflowId() != workflows.ControllerID(farmName) {
		return false, nil
	}
	described, err := r.describeRun(ctx, parent.WorkflowId, parent.RunId)
	if err != nil || described == nil { // Temporal deletes what has ended
		return err == nil, err
	}
	by := described.WorkflowExecutionInfo
	return by.Type.GetName() == typeName(workflows.ManageFarm) && by.TaskQueue == r.client.TaskQueue(), nil
}

// pausedIn lists what an operator has paused in a run, in words.
func pausedIn(d *workflowservice.DescribeWorkflowExecutionResponse) []string {
	var paused []string
	if d.WorkflowExtendedInfo.GetPauseInfo() != nil {
		paused = append(paused, d.WorkflowExecutionInfo.Execution.WorkflowId)
	}
	for _, a := range d.PendingActivities {
		if a.Paused {
			paused = append(paused, fmt.Sprintf("%s (activity %s of %s)", a.ActivityType.GetName(), a.ActivityId, d.WorkflowExecutionInfo.Execution.WorkflowId))
		}
	}
	return paused
}

// askRun asks a run for its status and its snapshot.
func (r Records) askRun(ctx context.Context, record *controller.RunRecord) error {
	var status farm.Status
	if err := r.ask(ctx, record, workflows.StatusQuery, &status); err != nil {
		return err
	}
	record.Reason, record.Phase, record.Wait, record.Result.Report = status.Report.Reason, status.Phase, status.Wait.WithoutDetails(), trimReport(status.Report)
	if record.Retirement {
		return nil
	}
	return r.ask(ctx, record, workflows.SnapshotQuery, &record.Snapshot)
}

func (r Records) ask(ctx context.Context, record *controller.RunRecord, queryType string, answer any) error {
	reply, err := query(ctx, r.client.temporal, &client.QueryWorkflowWithOptionsRequest{WorkflowID: record.WorkflowID, RunID: record.RunID, QueryType: queryType})
	if err != nil {
		return fmt.Errorf("ask %s for its %s: %w", record.WorkflowID, queryType, err)
	}
	return reply.QueryResult.Get(answer)
}

// readEnd reads how a run ended. One that left no report is asked how far it was.
func (r Records) readEnd(ctx context.Context, record *controller.RunRecord) error {
	var result farm.RotationResult
	err := r.client.temporal.GetWorkflow(ctx, record.WorkflowID, record.RunID).GetWithOptions(ctx, &result, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if result, reported := workflows.RotationResultOf(result, err); reported {
		record.Reason, record.Result = result.Reason, result
		record.Result.Report, record.Result.Inspection = compactReport(result.Report), nil
		return nil
	}
	record.Problem = fmt.Sprintf("%s left no report (%s); see its history", record.WorkflowID, workflows.Explain(err))
	if err := r.askRun(ctx, record); err != nil && !isUnanswerable(err) {
		return err
	}
	record.Wait = nil
	return nil
}

// isUnanswerable reports whether a run will not answer a question however often it is
// asked: it was ended before it began, or no worker can replay it.
func isUnanswerable(err error) bool {
	var failed *serviceerror.QueryFailed
	var notReady *serviceerror.WorkflowNotReady
	var precondition *serviceerror.FailedPrecondition
	return errors.As(err, &failed) || errors.As(err, &notReady) || errors.As(err, &precondition)
}

// trimReport leaves out of the report of a run that goes on what a controller has no use
// for: of a farm with a hundred servers it is larger than everything else.
func trimReport(r farm.Report) farm.Report {
	trimmed := r
	trimmed.Servers, trimmed.Differences, trimmed.Decisions, trimmed.Findings = nil, nil, nil, farm.AcceptedFindings(r.Findings)
	return keepDeletion(trimmed, r)
}

// compactReport makes the report of a run that has ended as small as a controller keeps it.
func compactReport(r farm.Report) farm.Report {
	return keepDeletion(r.Compact(controller.MaxReport), r)
}

// keepDeletion has a shortened report say that the deletion of a certificate has begun.
func keepDeletion(shortened, r farm.Report) farm.Report {
	if r.Reached(farm.StepDelete) && !shortened.Reached(farm.StepDelete) {
		shortened.Servers = []farm.ServerReport{{Steps: []farm.StepReport{{Step: farm.StepDelete}}}}
	}
	return shortened
}

// OriginalRun implements [activities.Runs].
func (r Records) OriginalRun(ctx context.Context, workflowID, runID string) (string, error) {
	described, err := r.client.temporal.DescribeWorkflowExecution(ctx, workflowID, runID)
	if err != nil {
		return "", fmt.Errorf("describe %s: %w", workflowID, err)
	}
	return originalRunID(described.WorkflowExecutionInfo), nil
}

// Admit implements [activities.Runs].
func (r Records) Admit(ctx context.Context, farmName string, a controller.Admission) (admitted controller.Admitted, err error) {
	updateID := rand.Text()
	err = retryContinuing(ctx, isUnprocessed, func() error {
		handle, err := r.client.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
			UpdateID: updateID, WorkflowID: workflows.ControllerID(farmName),
			UpdateName: workflows.AdmitUpdate, Args: []any{a}, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		if err == nil {
			err = handle.Get(ctx, &admitted)
		}
		return err
	})
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok && application.Type() == workflows.RefusedError {
		return admitted, temporal.NewNonRetryableApplicationError(application.Message(), activities.NotAdmitted, nil)
	}
	if err != nil {
		return admitted, fmt.Errorf("ask %s to admit %s: %w", workflows.ControllerID(farmName), a.WorkflowID, err)
	}
	return admitted, nil
}
