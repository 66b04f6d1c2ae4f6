package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/controller"
)

// receiveHints takes what runs have to tell, which is nothing that is believed: it is
// a reason to read the active run. Of one whose future is there the end is told by that.
func (c *farmController) receiveHints() {
	for {
		var hint controller.RunHint
		if !c.hints.ReceiveAsync(&hint) {
			return
		}
		if c.Active != nil && (!hint.Ending || c.child == nil) {
			c.hinted, c.ending = true, c.ending || hint.Ending
		}
	}
}

// shouldWatch reports whether the active run is to be read.
func (c *farmController) shouldWatch(now time.Time) bool {
	return !c.legacy && c.Active != nil && (c.hinted || c.ReadDue(now))
}

// watchRun reads the active run: it may wait for an operator, it may have been
// paused, terminated or reset in Temporal, or it has ended without telling. What cannot be read now
// is read again later.
func (c *farmController) watchRun(ctx workflow.Context) error {
	watched := *c.Active
	in := activities.ReadRunInput{
		WorkflowID: watched.WorkflowID, RunID: watched.OriginalID(), Ending: c.ending, SnapshotKnown: watched.Snapshot != nil,
	}
	c.hinted, c.ending = false, false
	record, err := c.readRun(ctx, in)
	now := workflow.Now(ctx)
	switch {
	case c.Recalling || c.childEnded() || !c.Active.IsSameRun(&watched):
		// It has ended meanwhile, or is not the active one any more.
	case err != nil:
		c.NoteUnread(now, Explain(err))
	case record == nil:
		c.LoseRun()
		c.child = nil
	default:
		c.noteRun(now, *record)
	}
	return nil
}

// noteRun takes what was read of a run. One that has ended needs no future any more.
func (c *farmController) noteRun(now time.Time, record controller.RunRecord) {
	before := c.Active
	c.NoteRun(now, record)
	if !c.Active.IsSameRun(before) {
		c.child = nil
	}
}

// readRun reads a run; nil where Temporal knows none.
func (c *farmController) readRun(ctx workflow.Context, in activities.ReadRunInput) (record *controller.RunRecord, err error) {
	err = executeBounded(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(readOptions(ctx, "read "+in.WorkflowID), a.ReadRun, in)
	}, &record)
	return record, err
}

// validateAdmission refuses to look at what is no run of the farm.
func (c *farmController) validateAdmission(admission controller.Admission) error {
	if id := admission.WorkflowID; admission.RunID == "" || id != RotateID(c.Farm) && id != RetireID(c.Farm) {
		return temporal.NewNonRetryableApplicationError(fmt.Sprintf("%.100q (run %.100q) is no run of %s", id, admission.RunID, c.Farm), RefusedError, nil)
	}
	return nil
}

// handleAdmission lets a run change servers, or refuses that. The run is read, and not
// believed; what it found before its first change is kept from here on.
func (c *farmController) handleAdmission(ctx workflow.Context, admission controller.Admission) (controller.Admitted, error) {
	ctx = c.outliveCancel(ctx)
	if err := c.awaitRecall(ctx); err != nil {
		return controller.Admitted{}, err
	}
	if err := workflow.Await(ctx, func() bool { return c.launching != admission.WorkflowID }); err != nil {
		return controller.Admitted{}, err
	}
	record, err := c.readRun(ctx, activities.ReadRunInput{WorkflowID: admission.WorkflowID, RunID: admission.RunID})
	if err != nil {
		return controller.Admitted{}, err
	}
	if record != nil && !c.childEnded() {
		c.noteRun(workflow.Now(ctx), *record)
		c.updated = true
	}
	if err := c.CheckAdmission(admission, record); err != nil {
		return controller.Admitted{}, temporal.NewNonRetryableApplicationError(err.Error(), RefusedError, nil)
	}
	if record.Problem != "" {
		return controller.Admitted{}, fmt.Errorf("%s does not say what it found before its first change: %s", admission.WorkflowID, record.Problem)
	}
	return c.Admit(admission, record.Snapshot), nil
}

// askTimeout is how long a question to Temporal may take, with all attempts. None of
// the timeouts of an activity ends one that an operator has paused, and no worker may take
// it: neither may stop the controller.
//
// Source: Temporal server 1.32, service/history/workflow/timer_sequence.go.
const askTimeout = 5 * time.Minute

// readOptions suit a question to Temporal.
func readOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: retryPolicy(interactiveAttempts), Summary: summary,
	})
}

// executeBounded runs an activity and waits for its result, but not for longer than
// askTimeout.
func executeBounded(ctx workflow.Context, run func(workflow.Context) workflow.Future, result any) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	future := run(ctx)
	done, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout: askTimeout, TimerOptions: workflow.TimerOptions{Summary: "the question is given up, paused or not"},
	}, future.IsReady)
	switch {
	case err != nil:
		return err
	case !done:
		return temporal.NewNonRetryableApplicationError("no answer in time: start a worker, or unpause the activity if it is paused", "", nil)
	}
	return future.Get(ctx, result)
}
