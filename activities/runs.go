package activities

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Runs is what Temporal knows of the controller and the runs of a farm. All methods
// ask Temporal, and are safe to repeat.
type Runs interface {
	// Run returns a rotation or a retirement, by workflow ID: the one that runs or ran
	// last, or, where that is not the run with this original run ID or what a reset
	// has made of it, the run with that ID. An empty run ID takes the last one. It is
	// nil where Temporal knows none.
	Run(ctx context.Context, workflowID, originalRunID string) (*controller.RunRecord, error)
	// PreviousState returns the state at the end of the last run of a farm's
	// controller that has ended, other than the given one; nil where Temporal knows
	// none, or cannot replay it any more.
	PreviousState(ctx context.Context, farmName, runID string) (*controller.State, error)
	// Admit asks the controller of a farm whether a run may change servers.
	Admit(ctx context.Context, farmName string, a controller.Admission) (controller.Admitted, error)
}

// RecallInput asks for what a controller that knows nothing can know.
type RecallInput struct {
	Farm string `json:"farm"`
	// RunID is of the controller that asks.
	RunID string `json:"runId"`
}

// Recalled is what Temporal knows of a farm.
type Recalled struct {
	// Previous is what the controller before this one knew; nil where there was none.
	Previous *controller.State `json:"previous,omitempty"`
	// Runs are the rotation and the retirement that run or ran last, the one that
	// ended first in front.
	Runs []controller.RunRecord `json:"runs,omitempty"`
}

// ReadRunInput names a run; see [Runs].
type ReadRunInput struct {
	WorkflowID    string `json:"workflowId"`
	OriginalRunID string `json:"originalRunId"`
	// Ending asks to wait some seconds for the end of a run that has said that it is
	// about to end.
	Ending bool `json:"ending,omitempty"`
}

// KeepSnapshotInput hands a snapshot over before the first change.
type KeepSnapshotInput struct {
	Farm string `json:"farm"`
	// Target is the certificate that the rotation works towards, for the log.
	Target farm.Thumbprint `json:"target"`
}
