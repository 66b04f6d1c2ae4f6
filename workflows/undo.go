package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// theUndo names an undo where it is to be approved.
const theUndo = "the undo"

// passUndoGates waits for what an undo waits for, as a cutover does: the approval of
// exactly what it does, and the window, unless its operator said not to. It returns the
// plan as of then.
func (r *rotation) passUndoGates(ctx workflow.Context, plan farm.RollbackPlan) (farm.RollbackPlan, error) {
	r.decisions.gated = true
	defer func() { r.decisions.gated = false }()
	for {
		r.decisions.gatesReopened = false
		r.progress.setFound(ctx, plan.Reversals, plan.Remaining)
		began := workflow.Now(ctx)
		if err := r.awaitUndoApproval(ctx, plan); err != nil {
			return plan, err
		}
		if !r.input.Now {
			if err := r.awaitWindow(ctx); err != nil {
				return plan, err
			}
		}
		if r.decisions.gatesReopened {
			continue // they are other ones now
		}
		if workflow.Now(ctx).Equal(began) {
			return plan, nil
		}
		// Of before: a server may be left out while the farm is observed.
		before := r.newApproval(theUndo, plan.Reversals).Digest()
		now, err := r.planRollback(ctx, true)
		if err != nil {
			return now, err
		}
		if r.newApproval(theUndo, now.Reversals).Digest() == before && !r.windowMissed(ctx) {
			return now, nil
		}
		plan = now
	}
}

func (r *rotation) awaitUndoApproval(ctx workflow.Context, plan farm.RollbackPlan) error {
	err := r.awaitApprovalOf(ctx, theUndo, plan.Reversals)
	if r.decisions.notApproved {
		return &refusal{errors.New(r.decisions.resolution.why)}
	}
	return err
}
