package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// recallsRuns gates everything that a controller does about what Temporal knows of its
// runs: it recalls them, reads them, notices resets, goes on when it is cancelled, and
// inspects the farm while a run waits.
//
// Since 2026-11-28. A controller that began before goes on as it did, but continues as
// new when it next rests. This may go, with what asks for [farmController.legacy], once
// no worker is upgraded any more from a version before.
const recallsRuns = "the controller recalls its runs"

// isLegacy reports whether a run began before controllers recalled.
func isLegacy(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, recallsRuns, workflow.DefaultVersion, 1) == workflow.DefaultVersion
}

// movesOn reports whether a run of an earlier version rests, and can end so that the next one is of this one.
// Each rest has its own gate: those in the history were before there was one.
func (c *farmController) movesOn(ctx workflow.Context) bool {
	if !c.legacy && !c.Shared || c.Active != nil || !workflow.AllHandlersFinished(ctx) {
		return false
	}
	c.rests++
	return workflow.GetVersion(ctx, fmt.Sprintf("%s: rest %d", recallsRuns, c.rests), workflow.DefaultVersion, 1) == 1
}

// distrustLegacyReset has the next run recall where a legacy one was reset, which does
// not notice that: a run of long ago can be, and what it knew was true then.
func (c *farmController) distrustLegacyReset(ctx workflow.Context) {
	if c.legacy && wasReset(ctx) {
		c.BeginRecall()
	}
}

// skipRead counts the active run as read: a legacy run reads none, and must not wake for
// that.
func (c *farmController) skipRead(ctx workflow.Context) {
	if c.legacy && c.Active != nil {
		c.Active.ReadAt = workflow.Now(ctx)
	}
}

// inspectByChild inspects the farm by a child workflow.
func (c *farmController) inspectByChild(ctx workflow.Context) (found farm.Inspection, err error) {
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: InspectionID(c.Farm), StaticSummary: summarize("inspect " + c.Farm), WorkflowRunTimeout: 2 * inspectionEnd,
	})
	err = workflow.ExecuteChildWorkflow(child, InspectTrust, InspectInput{Farm: c.Farm}).Get(ctx, &found)
	return found, err
}
