package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/workflows"
)

// inspecting is how long an inspection may take. It only looks, so that it may
// be cut off.
const inspecting = 10 * time.Minute

// startRotation starts a farm's rotation, or finds the one that runs: a farm
// has one at a time, and whoever asks for a second gets the first.
func (a *app) startRotation(ctx context.Context, c client.Client, farmName, reason string) (run client.WorkflowRun, attached bool, err error) {
	options := startOptions(workflows.RotateID(farmName), farmName)
	options.StaticSummary = fmt.Sprintf("rotate %.50s: %.300s", farmName, reason)
	run, attached, err = a.start(ctx, c, options, workflows.RotateTrust, workflows.RotateInput{Farm: farmName, Reason: reason})
	if attached {
		fmt.Fprintf(a.err, "a rotation of %s is running already: attached to it, and started none for: %s\n", farmName, reason)
	}
	return run, attached, err
}

// startInspection starts a look at a farm, or finds the one that runs.
func (a *app) startInspection(ctx context.Context, c client.Client, farmName string) (client.WorkflowRun, error) {
	options := startOptions(workflows.InspectID(farmName), farmName)
	options.StaticSummary = fmt.Sprintf("inspect %.50s", farmName)
	options.WorkflowRunTimeout = inspecting
	run, _, err := a.start(ctx, c, options, workflows.InspectTrust, workflows.InspectInput{Farm: farmName})
	return run, err
}

func startOptions(id, farmName string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    temporal.NewSearchAttributes(workflows.FarmAttribute.ValueSet(farmName)),
	}
}

func (a *app) start(ctx context.Context, c client.Client, options client.StartWorkflowOptions, workflow, input any) (client.WorkflowRun, bool, error) {
	run, err := c.ExecuteWorkflow(ctx, options, workflow, input)
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &already):
		return c.GetWorkflow(ctx, options.ID, already.RunId), true, nil
	case err != nil:
		return nil, false, fmt.Errorf("start %s: %w", options.ID, a.explain(ctx, c, err))
	}
	return run, false, nil
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

// hint says what a rotation waits for when no worker is there to carry it on.
func (a *app) hint(ctx context.Context, c client.Client) error {
	there, err := hasWorker(ctx, c)
	if err == nil && !there {
		_, err = fmt.Fprintln(a.err, noWorker+"; the rotation waits for it")
	}
	return err
}

const noWorker = "no worker polls task queue " + workflows.TaskQueue + ": start one: worker -config FILE"
