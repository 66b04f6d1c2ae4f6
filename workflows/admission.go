package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// requireID refuses a run that was started under another workflow ID than the one
// that a farm's rotation, or retirement, has: two could then change the farm at once.
func requireID(ctx workflow.Context, want, farmName string) error {
	if id := workflow.GetInfo(ctx).WorkflowExecution.ID; changeAdmission.has(ctx) && id != want {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s is not %s: nothing was changed; do not start it by hand, ask the farm's controller: farmtrust rotate %s",
			id, want, farmName), RefusedError, nil)
	}
	return nil
}

// wasReset reports whether Temporal has made this run of another one, by a reset.
func wasReset(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
}

// requestAdmission asks the farm's controller to admit the run before its first
// change. The controller then keeps the run's snapshot; the one that is returned counts
// from then on.
func (o *operation) requestAdmission(ctx workflow.Context, in activities.KeepSnapshotInput) (kept activities.Kept, err error) {
	if !changeAdmission.has(ctx) {
		return kept, nil
	}
	err = o.askController(ctx, func(ctx workflow.Context) workflow.Future { return workflow.ExecuteActivity(ctx, a.KeepSnapshot, in) }, &kept)
	return kept, err
}

// askController shows that the run waits for the farm's controller, and for what.
func (o *operation) askController(ctx workflow.Context, ask func(workflow.Context) workflow.Future, answer any) error {
	o.progress.Wait = &farm.Wait{For: farm.ForController, Text: "the farm's controller keeps what was found before the first change"}
	o.progress.show()
	err := ask(admissionOptions(ctx, "ask the controller of "+o.farm.Name)).Get(ctx, answer)
	o.progress.Wait = nil
	o.progress.show()
	return err
}

// isNotAdmitted reports whether a step did nothing because the farm's controller does
// not let this run change anything.
func isNotAdmitted(err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && application.Type() == activities.NotAdmitted
}

// hintTimeout is how long a run's end waits until its hint is on its way: Temporal
// drops what a run has sent that has ended.
const hintTimeout = 10 * time.Second

// sendHint tells the farm's controller to look at this run. A controller that does
// not hear it looks later.
func (o *operation) sendHint(ctx workflow.Context, ending bool) {
	if !changeHints.has(ctx) {
		return
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	hint := controller.RunHint{RunID: workflow.GetInfo(ctx).WorkflowExecution.RunID, Ending: ending}
	sent := workflow.SignalExternalWorkflow(ctx, ControllerID(o.farm.Name), "", RunSignal, hint)
	workflow.GoNamed(ctx, "hint", func(ctx workflow.Context) {
		defer cancel()
		if err := sent.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("the controller is not told", "farm", o.farm.Name, "error", err)
		}
	})
	if !ending {
		return
	}
	if err := awaitAtMost(ctx, hintTimeout, "tell the controller", sent.IsReady); err != nil {
		workflow.GetLogger(ctx).Info("the controller is not told", "farm", o.farm.Name, "error", err)
	}
}
