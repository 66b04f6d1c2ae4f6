package workflows

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// KeeperOptions start the keeper of a farm, if it does not run.
func KeeperOptions(farmName string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: KeepID(farmName), TaskQueue: TaskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(FarmAttribute.ValueSet(farmName)),
		// Temporal Cloud allows a summary 400 bytes.
		StaticSummary: fmt.Sprintf("keep the trust of %.300s", farmName),
	}
}
