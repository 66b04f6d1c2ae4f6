package activities

import (
	"cmp"
	"context"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// Runs is what Temporal knows of the controller and the runs of a farm. All methods
// ask Temporal, and are safe to repeat.
type Runs interface {
	// Run returns a rotation or a retirement: the run with this run ID, or what resets
	// have made of it while it went on. An empty run ID takes the one that runs or ran
	// last. It is nil where Temporal knows none.
	Run(ctx context.Context, workflowID, runID string) (*controller.RunRecord, error)
	// EndedRuns returns the last rotations and retirements of a farm that have ended
	// after a moment, in no order.
	EndedRuns(ctx context.Context, farmName string, since time.Time) ([]controller.RunRecord, error)
	// PreviousState returns the state at the end of the last run of a farm's
	// controller that has ended, other than the given one; nil where Temporal knows
	// none, or cannot replay it any more.
	PreviousState(ctx context.Context, farmName, runID string) (*controller.State, error)
	// OriginalRun returns the run ID that a run was started with: what Temporal makes of it
	// by a reset has another.
	OriginalRun(ctx context.Context, workflowID, runID string) (string, error)
	// Admit asks the controller of a farm whether a run may change servers. It fails
	// with [NotAdmitted] where that says no; any other error means that it did not
	// answer.
	Admit(ctx context.Context, farmName string, a controller.Admission) (controller.Admitted, error)
}

// RecallInput asks for what a controller that knows nothing can know.
type RecallInput struct {
	Farm string `json:"farm"`
	// RunID is of the controller that asks.
	RunID string `json:"runId"`
	// Policy is for a farm that no controller has known before.
	Policy controller.Policy `json:"policy"`
	// RotateID and RetireID are the workflow IDs of the farm's runs.
	RotateID string `json:"rotateId"`
	RetireID string `json:"retireId"`
}

// RecallFarm returns the state of a farm as of now: what the controller before this
// one knew at its end, and what the runs say that it did not hear of. It is an
// activity, and not part of a workflow, so that snapshots that no longer count are not
// carried along, and improving it never breaks a replay.
func (a *Activities) RecallFarm(ctx context.Context, in RecallInput) (controller.State, error) {
	previous, err := a.Runs.PreviousState(ctx, in.Farm, in.RunID)
	if err != nil {
		return controller.State{}, err
	}
	// The policy of the input is that of who started the controller, which may be anybody.
	policy := in.Policy
	if f, ok := a.Farms.Farm(in.Farm); ok {
		policy = controller.PolicyOf(f.Rotation)
	}
	state := controller.State{Farm: in.Farm, Format: controller.Format, Policy: policy}
	if previous != nil {
		state = *previous
		state.Policy = cmp.Or(state.Policy, policy)
	}
	records, err := a.collectRuns(ctx, in, state)
	if err != nil {
		return controller.State{}, err
	}
	state.Recall(a.Now(), records)
	return state, nil
}

// collectRuns returns what a controller with this state may not know.
func (a *Activities) collectRuns(ctx context.Context, in RecallInput, state controller.State) ([]controller.RunRecord, error) {
	records, err := a.Runs.EndedRuns(ctx, in.Farm, state.Last.At)
	if err != nil {
		return nil, err
	}
	type name struct{ workflowID, runID string }
	names := []name{{in.RotateID, ""}, {in.RetireID, ""}}
	if active := state.Active; active != nil {
		names = append(names, name{active.WorkflowID, active.OriginalID()})
	}
	for _, n := range names {
		record, err := a.Runs.Run(ctx, n.workflowID, n.runID)
		if err != nil {
			return nil, err
		}
		if record != nil {
			records = append(records, *record)
		}
	}
	return records, nil
}

// FarmConfiguration is what a controller needs of the configuration of its farm.
type FarmConfiguration struct {
	controller.Configured
	Policy controller.Policy `json:"policy"`
}

// ReadConfiguration returns what this worker has in its configuration of a farm. It
// fails with [UnknownFarm].
func (a *Activities) ReadConfiguration(ctx context.Context, name string) (FarmConfiguration, error) {
	f, err := a.LoadFarm(ctx, name)
	if err != nil {
		return FarmConfiguration{}, err
	}
	read := FarmConfiguration{Policy: controller.PolicyOf(f.Rotation)}
	if read.Worker = a.Worker; a.ConfigurationHash != nil {
		read.Hash = a.ConfigurationHash(name)
	}
	return read, nil
}

// ReadRunInput names a run; see [Runs].
type ReadRunInput struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Ending asks to wait some seconds for the end of a run that has said that it is
	// about to end.
	Ending bool `json:"ending,omitempty"`
	// SnapshotKnown asks to leave out the snapshot of a run that goes on: it is large,
	// and stays as it is once it is taken.
	SnapshotKnown bool `json:"snapshotKnown,omitempty"`
}

// endingTimeout is how long the end of a run is waited for that is about to end.
const endingTimeout = 10 * time.Second

// ReadRun returns what Temporal says of a run; nil where it knows none.
func (a *Activities) ReadRun(ctx context.Context, in ReadRunInput) (*controller.RunRecord, error) {
	deadline := a.Now().Add(endingTimeout)
	for {
		record, err := a.Runs.Run(ctx, in.WorkflowID, in.RunID)
		switch {
		case err != nil || record == nil || !record.Running():
			return record, err
		case !in.Ending || a.Now().After(deadline):
			if in.SnapshotKnown {
				record.Snapshot = nil
			}
			return record, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(a.Poll):
		}
	}
}
