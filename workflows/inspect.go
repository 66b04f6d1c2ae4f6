package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// inspectsInOneActivity gates the inspection as one activity; see inspect_v1.go.
const inspectsInOneActivity = "an inspection is one activity"

// InspectTrust observes a farm for an operator and says what a rotation would do, or
// whatever else was asked. It changes nothing. A server that cannot be observed is
// reported with its problem, and then nothing is compared.
func InspectTrust(ctx workflow.Context, in InspectInput) (farm.Inspection, error) {
	if workflow.GetVersion(ctx, inspectsInOneActivity, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return inspectByServer(ctx, in.Farm)
	}
	switch {
	case in.WayBack != nil:
		return executeLook(ctx, in.Farm, a.PreviewWayBack, *in.WayBack)
	case in.Retire != nil:
		return executeLook(ctx, in.Farm, a.PreviewRetirement, *in.Retire)
	case in.RetryLogon:
		return executeLook(ctx, in.Farm, a.RetryLogon, in.Farm)
	}
	return executeInspection(ctx, in.Farm)
}

// inspectionEnd is how long an inspection may take, however often its worker dies
// and however long no worker is there to begin it.
const inspectionEnd = time.Hour

// executeInspection inspects a farm.
func executeInspection(ctx workflow.Context, farmName string) (farm.Inspection, error) {
	return executeLook(ctx, farmName, a.InspectFarm, farmName)
}

// executeLook looks at a whole farm. It is one activity, and not one for each server: a
// farm of a hundred servers costs as few events as a small one.
//
// It ends after [inspectionEnd] by a timer of the workflow, because none of Temporal's
// own timeouts, not even ScheduleToClose, ends an activity that is paused.
//
// Source: Temporal server 1.32, service/history/workflow/timer_sequence.go.
func executeLook(ctx workflow.Context, farmName string, look, in any) (farm.Inspection, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	inspection := workflow.ExecuteActivity(inspectOptions(ctx, summarize("inspect "+farmName)), look, in)
	done, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: inspectionEnd, TimerOptions: workflow.TimerOptions{Summary: "the inspection ends, paused or not"},
	}, inspection.IsReady)
	switch {
	case err != nil:
		return farm.Inspection{}, err
	case !done:
		return farm.Inspection{}, temporal.NewNonRetryableApplicationError(
			"the inspection did not end within an hour: unpause its activity if it is paused, or start a worker", InspectionTimedOutError, nil)
	}
	var found farm.Inspection
	if err := inspection.Get(ctx, &found); err != nil {
		return farm.Inspection{}, err
	}
	found.At = workflow.Now(ctx) // by the clock that its age is judged by
	return found, nil
}
