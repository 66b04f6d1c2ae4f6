package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// passUndoGates waits for what an undo waits for, as a cutover does: the approval of
// exactly what it does, and the window, unless its operator said not to. It returns the
// plan as of then.
func (r *rotation) passUndoGates(ctx workflow.Context, plan farm.RollbackPlan) (farm.RollbackPlan, error) {
	for {
		r.progress.setFound(plan.Reversals, plan.Remaining)
		began, digest := workflow.Now(ctx), farm.Digest(r.target.Thumbprint, plan.Reversals, nil)
		if r.farm.Rotation.Approval && digest != r.decisions.approval.approved {
			if err := r.awaitUndoApproval(ctx, digest); err != nil {
				return plan, err
			}
		}
		if !r.input.Now {
			if err := r.awaitWindow(ctx); err != nil {
				return plan, err
			}
		}
		if workflow.Now(ctx).Equal(began) {
			return plan, nil
		}
		now, err := r.planRollback(ctx, true)
		if err != nil {
			return now, err
		}
		if digest == farm.Digest(r.target.Thumbprint, now.Reversals, nil) && !r.windowMissed(ctx) {
			return now, nil
		}
		plan = now
	}
}

func (r *rotation) awaitUndoApproval(ctx workflow.Context, digest string) error {
	err := r.waitForApproval(ctx, digest, func() string {
		return fmt.Sprintf("approve %s to undo the rotation, or abort; nothing is changed yet", digest)
	})
	if r.decisions.notApproved {
		return &refusal{errors.New(r.decisions.resolution.why)}
	}
	return err
}
