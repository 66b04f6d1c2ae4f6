package main

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/workflows"
)

// inspecting is how long an inspection may take. It only looks, so that it may
// be cut off.
const inspecting = 10 * time.Minute

// startInspection starts a look at a farm, or finds the one that runs.
func (a *app) startInspection(ctx context.Context, c client.Client, farmName string) (client.WorkflowRun, error) {
	options := client.StartWorkflowOptions{
		ID: workflows.InspectID(farmName), TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: inspecting,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.FarmAttribute.ValueSet(farmName)),
		StaticSummary:            fmt.Sprintf("inspect %.50s", farmName),
	}
	run, err := c.ExecuteWorkflow(ctx, options, workflows.InspectTrust, workflows.InspectInput{Farm: farmName})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", options.ID, a.explain(ctx, c, err))
	}
	return run, nil
}

// hasWorker says whether a worker has polled farmtrust's task queue in the
// last minutes.
func hasWorker(ctx context.Context, c client.Client) (bool, error) {
	queue, err := c.DescribeTaskQueue(ctx, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, fmt.Errorf("look for a worker: %w", err)
	}
	return len(queue.Pollers) > 0, nil
}

// hint says what waits when no worker is there to carry it on.
func (a *app) hint(ctx context.Context, c client.Client) error {
	there, err := hasWorker(ctx, c)
	if err == nil && !there {
		_, err = fmt.Fprintln(a.err, noWorker+"; what was accepted waits for it")
	}
	return err
}

const noWorker = "no worker polls task queue " + workflows.TaskQueue + ": start one: worker -config FILE"
