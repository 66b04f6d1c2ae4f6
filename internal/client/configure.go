package client

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// ElsewhereError means that the controller of a farm runs at another site than
// the client's.
type ElsewhereError struct {
	Farm string
	// Queue is the controller's task queue.
	Queue string
}

// Error names the other site.
func (e *ElsewhereError) Error() string {
	switch site, ok := workflows.SiteOf(e.Queue); {
	case !ok:
		return fmt.Sprintf("the controller of %s runs on task queue %s, which is no site's", e.Farm, e.Queue)
	case site == "":
		return fmt.Sprintf("the controller of %s runs where workers have no site (task queue %s)", e.Farm, e.Queue)
	default:
		return fmt.Sprintf("the controller of %s runs at site %s (task queue %s)", e.Farm, site, e.Queue)
	}
}

// Configure tells the controller that a worker of the client's site has the farm in
// its configuration, and the hash of what concerns the farm there. It starts the
// controller if none runs, and returns the controller's run ID. A run that was told
// before is left alone. A controller at another site is an [*ElsewhereError], and is
// not told anything.
func (f Farm) Configure(ctx context.Context, w Worker, hash, toldRunID string) (runID string, err error) {
	running, err := f.describeWorkflow(ctx, f.ControllerID())
	if err != nil {
		return "", err
	}
	if isRunning(running) {
		switch runID := running.Execution.RunId; {
		case running.TaskQueue != f.TaskQueue():
			return "", &ElsewhereError{Farm: f.name, Queue: running.TaskQueue}
		case runID == toldRunID:
			return runID, nil
		}
	}
	return f.signalWithStart(ctx, workflows.ConfigurationSignal, f.configuration(w, hash, ""))
}

// MarkUnmanaged tells the controller why no worker has the farm in its
// configuration. A controller that does not run needs no telling.
func (f Farm) MarkUnmanaged(ctx context.Context, w Worker, reason string) error {
	err := f.temporal.SignalWorkflow(ctx, f.ControllerID(), "", workflows.ConfigurationSignal, f.configuration(w, "", reason))
	var notFound *serviceerror.NotFound
	if err != nil && !errors.As(err, &notFound) {
		return fmt.Errorf("signal %s that the farm is unmanaged: %w", f.ControllerID(), err)
	}
	return nil
}

func (f Farm) configuration(w Worker, hash, unmanaged string) controller.Configuration {
	return controller.Configuration{Unmanaged: unmanaged, Configured: controller.Configured{Worker: w.String(), Hash: hash}}
}

// RunningControllers lists the run IDs of the controllers that run at a site, by the
// names of their farms.
func (c Client) RunningControllers(ctx context.Context, site string) (map[string]string, error) {
	all := map[string]string{}
	query := fmt.Sprintf("%s AND TaskQueue = '%s'", queryRunning(workflows.ManageFarm), workflows.TaskQueue(site))
	err := c.listWorkflows(ctx, query, func(e *workflowpb.WorkflowExecutionInfo) error {
		all[farmNameIn(e, workflows.ControllerID)] = e.Execution.RunId
		return nil
	})
	return all, err
}
