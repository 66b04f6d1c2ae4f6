package rotation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Keeper is the keeper of a farm, as people and programs talk to it.
type Keeper struct {
	client client.Client
	// first is what the keeper knows when it is started here.
	first controller.State
	farm  string
}

// The policy of a keeper that is started by somebody who does not know the
// farm's own, until its first look tells it.
const (
	firstLookEvery = 6 * time.Hour
	firstSoak      = 14 * 24 * time.Hour
)

// KeeperOf returns the keeper of a farm, whether or not it runs.
func KeeperOf(c client.Client, farmName string) Keeper {
	return Keeper{client: c, farm: farmName, first: controller.State{Farm: farmName, InspectionInterval: firstLookEvery, KeepOldFor: firstSoak}}
}

// Under returns the keeper, which has the farm's policy when it is started
// here. What a person wishes goes before the first look: without that, the soak
// of the rotation would be of another length than configured.
func (k Keeper) Under(p farm.RotationPolicy) Keeper {
	k.first.InspectionInterval, k.first.KeepOldFor = p.InspectionInterval, p.KeepOldFor
	return k
}

// ErrNoKeeper says that no keeper runs for the farm: no worker that is
// configured for it has started yet.
var ErrNoKeeper = errors.New("no keeper runs for the farm: start a worker that is configured for it")

// Knows asks the keeper what it knows. It needs a worker to answer.
func (k Keeper) Knows(ctx context.Context) (known controller.State, err error) {
	answer, err := k.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: workflows.ControllerID(k.farm), QueryType: workflows.StateQuery,
		// One that was terminated would answer from its grave.
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound), err == nil && answer.QueryRejected != nil:
		return known, ErrNoKeeper
	case err != nil:
		return known, fmt.Errorf("ask %s what it knows: %w", workflows.ControllerID(k.farm), err)
	}
	return known, answer.QueryResult.Get(&known)
}

// Wish asks the keeper for what a person wishes, starts the keeper if it does
// not run, and returns what it has at work for it; nil after a release, which
// needs no work. It returns once that has begun: a keeper that looks at its
// farm just now finishes that first.
//
// A wish that makes no sense now ends with a [*RefusedError]. But a farm has
// one rotation at a time, and whoever asks for a second gets the first.
func (k Keeper) Wish(ctx context.Context, w controller.Request) (*Run, error) {
	id, err := k.ask(ctx, w)
	var refused *RefusedError
	if errors.As(err, &refused) && w.Kind == controller.RequestRotate && !w.Compromised {
		return k.join(ctx, refused)
	}
	if err != nil || id == "" {
		return nil, err
	}
	begun, err := newest(ctx, k.client, id)
	if err != nil || begun == nil {
		return nil, errors.Join(fmt.Errorf("%s was begun, but is not to be found", id), err)
	}
	run := k.run(ctx, begun)
	// One that somebody started by hand keeps the keeper from starting its own.
	run.Joined = begun.GetParentExecution().GetWorkflowId() != workflows.ControllerID(k.farm)
	if run.Joined && (w.Kind != controller.RequestRotate || w.Compromised) {
		return nil, &RefusedError{Reason: fmt.Sprintf("%s: %s was started without the keeper, and is at work: let it end first", w.Kind, id)}
	}
	return run, nil
}

func (k Keeper) run(ctx context.Context, e *workflowpb.WorkflowExecutionInfo) *Run {
	return At(ctx, k.client, e.Execution.WorkflowId, e.Execution.RunId)
}

// ask returns the ID of the workflow that fulfils the wish.
func (k Keeper) ask(ctx context.Context, w controller.Request) (id string, err error) {
	handle, err := k.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: k.client.NewWithStartWorkflowOperation(workflows.ControllerOptions(k.farm), workflows.ManageFarm, k.first),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: rand.Text(), WorkflowID: workflows.ControllerID(k.farm),
			UpdateName: workflows.RequestUpdate, Args: []any{w}, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = handle.Get(ctx, &id)
	}
	return id, refusal(fmt.Sprintf("ask %s to %s", workflows.ControllerID(k.farm), w.Kind), err)
}

// join attaches to the rotation because of which a wish was refused. When that
// is something else, the refusal stands.
func (k Keeper) join(ctx context.Context, refused *RefusedError) (*Run, error) {
	for {
		known, err := k.Knows(ctx)
		switch {
		case err != nil:
			return nil, err
		case known.ActiveRun != nil && known.ActiveRun.WorkflowID == workflows.RotateID(k.farm):
			run := At(ctx, k.client, known.ActiveRun.WorkflowID, "")
			run.Joined = true
			return run, nil
		case known.Request == nil || known.Request.Kind != controller.RequestRotate:
			return nil, refused
		}
		// Somebody wished the same a moment ago, and it is not begun yet.
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(glance):
		return nil
	}
}

// AtWork returns what runs for the farm now, a rotation, an undo or a
// retirement, whoever started it; nil when nothing does.
func (k Keeper) AtWork(ctx context.Context) (*Run, error) {
	for _, id := range []string{workflows.RotateID(k.farm), workflows.RetireID(k.farm)} {
		e, err := newest(ctx, k.client, id)
		if err != nil {
			return nil, err
		}
		if runs(e) {
			return k.run(ctx, e), nil
		}
	}
	return nil, nil
}
