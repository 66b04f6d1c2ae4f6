package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// keepersAtOnce bounds how many keepers are told at the same time.
const keepersAtOnce = 16

// tellKeepers starts a keeper for each configured farm that has none, and
// tells every keeper whether its farm is configured. All workers of a task
// queue are meant to have the same configuration: the last one to start has
// the say.
func tellKeepers(ctx context.Context, c client.Client, cfg *config.Config) error {
	running, err := runningKeepers(ctx, c)
	if err != nil {
		return err
	}
	worker, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find out this worker's name: %w", err)
	}
	told, ctx := errgroup.WithContext(ctx)
	told.SetLimit(keepersAtOnce)
	for _, f := range cfg.Farms {
		delete(running, workflows.ControllerID(f.Name))
		told.Go(func() error { return wake(ctx, c, f.Farm) })
	}
	for id := range running {
		told.Go(func() error {
			return pauseKeeper(ctx, c, id, fmt.Sprintf("no longer configured on worker %s (%s): put the farm back into its configuration and restart it, or terminate %s", worker, cfg.Path, id))
		})
	}
	return told.Wait()
}

// wake starts the keeper of a farm, or ends its pause.
func wake(ctx context.Context, c client.Client, f farm.Farm) error {
	id := workflows.ControllerID(f.Name)
	keeping := controller.State{Farm: f.Name, InspectionInterval: f.Rotation.InspectionInterval, KeepOldFor: f.Rotation.KeepOldFor}
	_, err := c.SignalWithStartWorkflow(ctx, id, workflows.ConfigurationSignal, controller.Configuration{}, workflows.ControllerOptions(f.Name), workflows.ManageFarm, keeping)
	if err != nil {
		return fmt.Errorf("start keeper %s: %w", id, err)
	}
	return nil
}

// pauseKeeper tells a keeper why it may do nothing. One that ended meanwhile
// needs no telling.
func pauseKeeper(ctx context.Context, c client.Client, id, why string) error {
	err := c.SignalWorkflow(ctx, id, "", workflows.ConfigurationSignal, controller.Configuration{Unmanaged: why})
	var gone *serviceerror.NotFound
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("pause keeper %s: %w", id, err)
	}
	return nil
}

// runningKeepers lists the workflow IDs of the keepers that run.
func runningKeepers(ctx context.Context, c client.Client) (map[string]bool, error) {
	all := map[string]bool{}
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = 'KeepTrust' AND ExecutionStatus = 'Running'"}
	for {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the keepers that run, to pause those of farms that are no longer configured "+
				"(Temporal's visibility store must answer before a worker starts): %w", err)
		}
		for _, e := range page.Executions {
			all[e.Execution.WorkflowId] = true
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return all, nil
		}
	}
}

// rotations asks Temporal which workflows run.
type rotations struct{ client client.Client }

// Running implements [activities.Rotations].
func (r rotations) Running(ctx context.Context, workflowID string) (bool, error) {
	described, err := r.client.DescribeWorkflowExecution(ctx, workflowID, "")
	var none *serviceerror.NotFound
	switch {
	case errors.As(err, &none):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("see whether %s runs: %w", workflowID, err)
	}
	return described.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
