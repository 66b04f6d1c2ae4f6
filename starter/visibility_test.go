package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// ListWorkflowExecutions answers one run on each page, the newest first.
func (f *fakeTemporal) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var page []*workflowpb.WorkflowExecutionInfo
	for _, e := range slices.Backward(f.runs) {
		found, err := e.matches(r.Query)
		if err != nil {
			return nil, err
		}
		if found {
			page = append(page, e.info)
		}
	}
	done := len(r.NextPageToken)
	answer := &workflowservice.ListWorkflowExecutionsResponse{}
	if done < len(page) {
		answer.Executions = page[done : done+1]
	}
	if done+1 < len(page) {
		answer.NextPageToken = make([]byte, done+1)
	}
	return answer, nil
}

// matches reports whether a run matches a query. It knows as much of Temporal's
// list filters as this program uses.
func (e *fakeRun) matches(query string) (bool, error) {
	running := e.info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	for term := range strings.SplitSeq(query, " AND ") {
		name, value, ok := strings.Cut(term, " = ")
		switch {
		case term == "ExecutionStatus = 'Running'" && running, term == "ExecutionStatus != 'Running'" && !running:
		case term == "ExecutionStatus != 'ContinuedAsNew'" && e.info.Status != enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		case strings.HasPrefix(term, "ExecutionStatus "):
			return false, nil
		case ok && name == "WorkflowType":
			if value != "'"+e.request.WorkflowType.Name+"'" {
				return false, nil
			}
		case ok && name == "WorkflowId":
			if value != fmt.Sprintf("%q", e.request.WorkflowId) {
				return false, nil
			}
		default:
			return false, serviceerror.NewInvalidArgument("unknown query " + query)
		}
	}
	return true, nil
}
