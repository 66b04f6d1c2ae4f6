package client

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// A controller continues as new every few weeks. In that moment Temporal answers
// questions and updates with errors that say nothing about the farm. The client asks
// again, so that nobody is refused for having asked at the wrong second.

// continuingTimeout is how long the moment may last: the next run needs a worker for
// its first task.
const continuingTimeout = 5 * time.Second

// errContinuing stands for the answer of a run that has just continued as new.
var errContinuing = errors.New("the controller is continuing as new; ask again")

// retryContinuing asks until what it gets is more than that the controller is
// continuing as new, and returns the last error.
func retryContinuing(ctx context.Context, isContinuing func(error) bool, ask func() error) error {
	for end := time.Now().Add(continuingTimeout); ; {
		err := ask()
		if err == nil || !isContinuing(err) || time.Now().After(end) {
			return err
		}
		if waitInterval(ctx) != nil {
			return err
		}
	}
}

// isUnprocessed reports whether no workflow has processed an update, because its run
// ended first or a workflow task failed. To send it again asks for nothing twice.
//
// Source: Temporal server 1.32, service/history/workflow/update/errors_failures.go.
func isUnprocessed(err error) bool {
	var notFound *serviceerror.NotFound
	return isTaskFailure(err) || errors.As(err, &notFound)
}

// isTaskFailure reports whether a workflow task failed that would have answered.
func isTaskFailure(err error) bool {
	var notReady *serviceerror.WorkflowNotReady
	return errors.As(err, &notReady)
}

// askState asks the controller for its state.
func (f Farm) askState(ctx context.Context) (state controller.State, err error) {
	err = retryContinuing(ctx, func(err error) bool {
		return errors.Is(err, errContinuing) || isTaskFailure(err)
	}, func() error {
		reply, err := query(ctx, f.temporal, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID: f.ControllerID(), QueryType: workflows.StateQuery,
			// Without this, a terminated workflow still answers queries.
			QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
		})
		switch {
		case err != nil:
			return err
		case reply.QueryRejected == nil:
			return reply.QueryResult.Get(&state)
		case reply.QueryRejected.Status == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			return errContinuing
		}
		return ErrNoController
	})
	return state, err
}
