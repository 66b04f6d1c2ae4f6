package workflows

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// ControllerOptions start the keeper of a farm, if it does not run.
func ControllerOptions(farmName string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: ControllerID(farmName), TaskQueue: TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(FarmAttribute.ValueSet(farmName)),
		// Temporal Cloud allows a summary 400 bytes.
		StaticSummary: fmt.Sprintf("keep the trust of %.300s", farmName),
	}
}
