package client

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// inspectionTimeout is for an inspection that not even ends itself, because no worker
// answers: it takes an hour at most, and says then why.
const inspectionTimeout = 2 * time.Hour

// Inspect has a worker inspect the farm, or waits for the inspection that an
// operator asked for before. It waits as long as no worker answers.
func (f Farm) Inspect(ctx context.Context) (farm.Inspection, error) {
	return f.look(ctx, workflows.InspectID(f.name), workflows.InspectInput{Farm: f.name})
}

// RetryLogon is [Farm.Inspect] by a worker that sends the passwords which the farm's servers
// have refused once more.
func (f Farm) RetryLogon(ctx context.Context) (farm.Inspection, error) {
	return f.look(ctx, workflows.PreviewID(f.name, "retry-logon"), workflows.InspectInput{Farm: f.name, RetryLogon: true})
}

// PreviewWayBack has a worker find what going back to a snapshot would do, and change
// nothing. Kind is the request or the decision for it, What names it in words.
func (f Farm) PreviewWayBack(ctx context.Context, kind, what string, s farm.Snapshot) (farm.Inspection, error) {
	in := activities.PreviewWayBackInput{Farm: f.name, What: what, Snapshot: s}
	return f.look(ctx, workflows.PreviewID(f.name, kind), workflows.InspectInput{Farm: f.name, WayBack: &in})
}

// PreviewRetirement has a worker find what the retirement of a certificate would do, and
// change nothing.
func (f Farm) PreviewRetirement(ctx context.Context, old farm.StoreCertificate) (farm.Inspection, error) {
	in := activities.PreviewRetirementInput{Farm: f.name, Old: old}
	return f.look(ctx, workflows.PreviewID(f.name, "retirement"), workflows.InspectInput{Farm: f.name, Retire: &in})
}

func (f Farm) look(ctx context.Context, id string, in workflows.InspectInput) (farm.Inspection, error) {
	var inspection farm.Inspection
	run, err := f.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: f.TaskQueue(), WorkflowRunTimeout: inspectionTimeout,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.FarmAttribute.ValueSet(f.name)),
		StaticSummary:            fmt.Sprintf("inspect %.50s", f.name),
	}, workflows.InspectTrust, in)
	if err != nil {
		return inspection, fmt.Errorf("start %s: %w", id, err)
	}
	return inspection, run.Get(ctx, &inspection)
}
