package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
)

// handleAdmission lets a run change servers, or refuses that. The run is read, and not
// believed; what it found before its first change is kept from here on.
func (c *farmController) handleAdmission(ctx workflow.Context, admission controller.Admission) (controller.Admitted, error) {
	record, err := c.readRun(ctx, activities.ReadRunInput{WorkflowID: admission.WorkflowID, RunID: admission.RunID})
	if err != nil {
		return controller.Admitted{}, err
	}
	if record != nil {
		c.NoteRun(workflow.Now(ctx), *record)
	}
	if err := c.CheckAdmission(admission, record); err != nil {
		return controller.Admitted{}, temporal.NewNonRetryableApplicationError(err.Error(), RefusedError, nil)
	}
	return controller.Admitted{Snapshot: c.KeptFor(record.Snapshot)}, nil
}

// readRun reads a run; nil where Temporal knows none.
func (c *farmController) readRun(ctx workflow.Context, in activities.ReadRunInput) (record *controller.RunRecord, err error) {
	err = workflow.ExecuteActivity(readOptions(ctx, "read "+in.WorkflowID), a.ReadRun, in).Get(ctx, &record)
	return record, err
}

// readOptions suit a question to Temporal. An activity that somebody has paused, or
// that no worker takes, must not stop the controller.
func readOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, ScheduleToCloseTimeout: 5 * time.Minute, RetryPolicy: retryPolicy(0), Summary: summary,
	})
}
