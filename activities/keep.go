package activities

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Rotations knows which workflows run.
type Rotations interface {
	// Running says whether the workflow with that ID runs.
	Running(ctx context.Context, workflowID string) (bool, error)
}

// Decide judges a keeper's situation. It runs in an activity for the same
// reason as [Activities.Compare].
func (a *Activities) Decide(_ context.Context, s farm.DecisionInput) (farm.Next, error) {
	return farm.Decide(s), nil
}

// IsRunning says whether a workflow runs. A keeper that continued as new
// cannot wait for its child itself any more, and asks.
func (a *Activities) IsRunning(ctx context.Context, workflowID string) (bool, error) {
	return a.Rotations.Running(ctx, workflowID)
}
