package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// newController returns the controller of the farm that the input names. The
// input of a workflow is chosen by who starts it, so it counts only where a controller wrote it,
// when it continued as new: its worker's seal says so. Any other begins by recalling.
func newController(ctx workflow.Context, input controller.State) (*farmController, error) {
	c := &farmController{root: ctx, legacy: isLegacy(ctx), State: input}
	if c.Shared = !changeOwnSnapshots.has(ctx); !c.Shared {
		c.Separate()
	}
	if c.legacy {
		return c, nil
	}
	c.releases, c.notifies = changeReleases.has(ctx), changeNotices.has(ctx)
	info := workflow.GetInfo(ctx)
	if !farm.IsName(input.Farm) || info.WorkflowExecution.ID != ControllerID(input.Farm) {
		return nil, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("%s is not the controller of a farm %.60q, which runs as %.60q only", info.WorkflowExecution.ID, input.Farm, ControllerID(input.Farm)), RefusedError, nil)
	}
	c.runID = info.OriginalRunID
	// What the run before had been told of an active run, and had not read yet.
	c.hinted = c.Active != nil
	// A cron schedule and a retry policy continue runs too, with the first one's input.
	isContinued := info.ContinuedExecutionRunID != "" && info.CronSchedule == "" && info.Attempt <= 1
	if c.verifies = changeVerifies.has(ctx); c.verifies && isContinued {
		isContinued = isSealed(ctx, input)
	}
	if c.Seal = ""; !isContinued {
		c.State = controller.State{Farm: input.Farm, Policy: input.Policy, Shared: c.Shared}
		c.BeginRecall()
		c.hinted = false
	}
	return c, nil
}

// noticeReset notices that this run was reset. It then has a past of which only a part
// is its own, and what it knows was true at another time: it has to recall. Nothing
// may be started without a look at this first.
func (c *farmController) noticeReset(ctx workflow.Context) {
	if c.legacy {
		return
	}
	var runID string
	current := workflow.MutableSideEffect(ctx, "run ID",
		func(ctx workflow.Context) any { return workflow.GetInfo(ctx).WorkflowExecution.RunID },
		func(a, b any) bool { return a == b })
	if err := current.Get(&runID); err != nil {
		workflow.GetLogger(ctx).Error("run ID is not known", "error", err) // it is a string
		return
	}
	if c.runID != "" && c.runID != runID {
		workflow.GetLogger(ctx).Warn("the controller was reset", "farm", c.Farm)
		c.BeginRecall()
	}
	c.runID = runID
}

// recallPause is the time between two attempts at recalling. Each takes some minutes
// itself.
const recallPause = 5 * time.Minute

// recall finds out what ran before this controller, and what became of it. Until that
// is known nothing is started: a controller that has forgotten that a farm is suspended
// would rotate in again what an operator has rolled back.
func (c *farmController) recall(ctx workflow.Context) error {
	c.found = nil
	c.showPage(ctx)
	in := activities.RecallInput{Farm: c.Farm, RunID: c.runID, Policy: c.Policy, RotateID: RotateID(c.Farm), RetireID: RetireID(c.Farm)}
	var recalled controller.State
	err := executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(readOptions(ctx, "recall what ran before"), a.RecallFarm, in)
	}, &recalled)
	if err != nil {
		c.FailRecall("what ran before cannot be read: " + Explain(err))
		c.showPage(ctx)
		return workflow.Sleep(ctx, recallPause)
	}
	before := c.Active
	c.Adopt(workflow.Now(ctx), recalled)
	c.upgrade()
	if !c.Active.IsSameRun(before) {
		c.child = nil
	}
	return nil
}

// awaitRecall waits until the controller knows what ran before it. The handlers of
// updates begin with it: after a reset they may be the first to run.
func (c *farmController) awaitRecall(ctx workflow.Context) error {
	c.noticeReset(ctx)
	return workflow.Await(ctx, func() bool { return !c.Recalling })
}
