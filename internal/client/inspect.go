package client

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// inspectionTimeout is for an inspection that not even ends itself, because no worker
// answers: it takes an hour at most, and says then why.
const inspectionTimeout = 2 * time.Hour

// Inspect has a worker inspect the farm, or waits for the inspection that an
// operator asked for before. It waits as long as no worker answers.
func (f Farm) Inspect(ctx context.Context) (farm.Inspection, error) {
	var inspection farm.Inspection
	run, err := f.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.InspectID(f.name), TaskQueue: f.TaskQueue(), WorkflowRunTimeout: inspectionTimeout,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.FarmAttribute.ValueSet(f.name)),
		StaticSummary:            fmt.Sprintf("inspect %.50s", f.name),
	}, workflows.InspectTrust, workflows.InspectInput{Farm: f.name})
	if err != nil {
		return inspection, fmt.Errorf("start %s: %w", workflows.InspectID(f.name), err)
	}
	return inspection, run.Get(ctx, &inspection)
}
