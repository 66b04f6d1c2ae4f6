package namespace

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// proofName is the type and the task queue of the workflow that proves that search
// attributes can be set, and begins its workflow ID.
const proofName = "farmtrust-namespace"

// proofTimeout bounds the proof. The services of a server cache search attributes
// for up to a minute each, and until then the proof's one workflow task fails and
// is tried again.
const proofTimeout = 3 * time.Minute

// proveUsable returns when a workflow has set the search attributes. That a query
// accepts them says only that the frontend knows them; the history service, which
// sets them, has a cache of its own. What it ran is deleted again.
func proveUsable(ctx context.Context, c client.Client, namespace string, keys []temporal.SearchAttributeKey) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	w := worker.New(c, proofName, worker.Options{LocalActivityWorkerOnly: true})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
		return workflow.UpsertTypedSearchAttributes(ctx, sampleValues(keys)...)
	}, workflow.RegisterOptions{Name: proofName})
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker that tries the search attributes: %w", err)
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: proofName, TaskQueue: proofName, WorkflowRunTimeout: proofTimeout,
		// Two that prepare the same namespace share the proof.
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, proofName)
	if err != nil {
		return fmt.Errorf("start the workflow that tries the search attributes: %w", err)
	}
	if err := run.Get(ctx, nil); err != nil {
		return fmt.Errorf("search attributes were added and cannot be set yet: %w", err)
	}
	_, err = c.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
	})
	return wrapError("delete the trial of search attributes in", namespace, err)
}

// sampleValues returns a value for each key.
func sampleValues(keys []temporal.SearchAttributeKey) []temporal.SearchAttributeUpdate {
	var all []temporal.SearchAttributeUpdate
	for _, key := range keys {
		switch k := key.(type) {
		case temporal.SearchAttributeKeyKeyword:
			all = append(all, k.ValueSet(proofName))
		case temporal.SearchAttributeKeyBool:
			all = append(all, k.ValueSet(false))
		case temporal.SearchAttributeKeyTime:
			all = append(all, k.ValueSet(time.Unix(0, 0)))
		}
	}
	return all
}
