package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/farmtrust/farmtrust/workflows"
)

// Active returns what runs for the farm now, a rotation, a rollback or a
// retirement, no matter who started it; nil when nothing does.
func (f Farm) Active(ctx context.Context) (*Run, error) {
	for _, id := range []string{workflows.RotateID(f.name), workflows.RetireID(f.name)} {
		e, err := f.describeWorkflow(ctx, id)
		if err != nil {
			return nil, err
		}
		if isRunning(e) {
			return f.Run(ctx, id, e.Execution.RunId), nil
		}
	}
	return nil, nil
}

// LastRotation returns the last rotation or rollback of the farm that ended, nil
// where Temporal knows none.
func (f Farm) LastRotation(ctx context.Context) (*Run, error) {
	return f.lastEnded(ctx, workflows.RotateID(f.name))
}

// LastRetirement returns the last retirement of the farm that ended, nil where
// Temporal knows none.
func (f Farm) LastRetirement(ctx context.Context) (*Run, error) {
	return f.lastEnded(ctx, workflows.RetireID(f.name))
}

// lastEnded finds the last run of a workflow that ended. The workflow itself is
// asked first, because the visibility store lags behind it.
func (f Farm) lastEnded(ctx context.Context, id string) (*Run, error) {
	last, err := f.describeWorkflow(ctx, id)
	if err != nil || last == nil {
		return nil, err
	}
	if isRunning(last) {
		last = nil
		if err := f.listWorkflows(ctx, fmt.Sprintf("WorkflowId = %q AND %s", id, isEndedQuery), func(e *workflowpb.WorkflowExecutionInfo) error {
			if last == nil || e.StartTime.AsTime().After(last.StartTime.AsTime()) {
				last = e
			}
			return nil
		}); err != nil || last == nil {
			return nil, err
		}
	}
	return f.Run(ctx, id, last.Execution.RunId), nil
}

// farmNameIn returns the farm's name in a workflow's ID.
func farmNameIn(e *workflowpb.WorkflowExecutionInfo, id func(string) string) string {
	return strings.TrimPrefix(e.Execution.WorkflowId, id(""))
}

// Conditions of visibility queries.
//
// Source: Temporal, "List Filter".
const (
	isRunningQuery = "ExecutionStatus = 'Running'"
	isEndedQuery   = "ExecutionStatus != 'Running'"
)

func queryAll(workflow any) string { return fmt.Sprintf("WorkflowType = '%s'", typeName(workflow)) }

func queryRunning(workflow any) string { return queryAll(workflow) + " AND " + isRunningQuery }

// typeName is the name under which the SDK registers a workflow function: the
// function's own, without its package.
func typeName(workflow any) string {
	name := runtime.FuncForPC(reflect.ValueOf(workflow).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// listWorkflows calls visit for each workflow that matches a query of the visibility
// store, until it fails.
func (c Client) listWorkflows(ctx context.Context, query string, visit func(*workflowpb.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query}
	for {
		page, err := c.temporal.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list workflows (%s): %w", query, err)
		}
		for _, e := range page.Executions {
			if err := visit(e); err != nil {
				return err
			}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

// describeWorkflow returns the running or last run of a workflow; nil where there is
// none.
func (c Client) describeWorkflow(ctx context.Context, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := c.temporal.DescribeWorkflowExecution(ctx, id, "")
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for %s: %w", id, err)
	}
	return described.WorkflowExecutionInfo, nil
}

func isRunning(e *workflowpb.WorkflowExecutionInfo) bool {
	return e != nil && e.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}
