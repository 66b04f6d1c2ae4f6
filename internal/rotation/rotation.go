// Package rotation talks to a farm's keeper and to what it has at work: it
// asks, tells, decides, follows, and reads reports.
//
// It decides nothing about the farm, and needs a worker somewhere.
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
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// glance is the pause between two looks at what is followed: live for a
// person, and no load.
const glance = 250 * time.Millisecond

// Run is one rotation, undo or retirement in Temporal, running or ended.
type Run struct {
	// Joined says that it ran already when it was asked for.
	Joined bool

	client client.Client
	run    client.WorkflowRun
}

// At returns a run that is known by its workflow ID and run ID.
func At(ctx context.Context, c client.Client, id, runID string) *Run {
	return &Run{client: c, run: c.GetWorkflow(ctx, id, runID)}
}

// ID is the workflow ID.
func (r *Run) ID() string { return r.run.GetID() }

// RunID is Temporal's name for this one run.
func (r *Run) RunID() string { return r.run.GetRunID() }

// Status asks how far it is. It needs a worker to answer.
func (r *Run) Status(ctx context.Context) (s farm.Status, err error) {
	answer, err := r.client.QueryWorkflow(ctx, r.ID(), r.RunID(), workflows.StatusQuery)
	if err != nil {
		return s, fmt.Errorf("ask %s for its status: %w", r.ID(), err)
	}
	return s, answer.Get(&s)
}

// RefusedError says that a wish or a decision makes no sense now. It left
// nothing behind.
type RefusedError struct {
	// Reason is the workflow's own: what is in the way, and what to do.
	Reason string
}

// Error is the reason.
func (e *RefusedError) Error() string { return e.Reason }

// Decide takes a person's decision to it, and returns once it is taken. A
// decision that comes at the wrong moment ends with a [*RefusedError].
func (r *Run) Decide(ctx context.Context, d farm.Decision) error {
	handle, err := r.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		UpdateID: rand.Text(), WorkflowID: r.ID(), RunID: r.RunID(),
		UpdateName: workflows.DecideUpdate, Args: []any{d}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, nil)
	}
	return refusal(string(d.Choice)+" "+r.ID(), err)
}

// refusal tells a workflow's own no from everything else that can go wrong.
func refusal(what string, err error) error {
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &application):
		return &RefusedError{Reason: application.Message()}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Report waits until it ends and returns its report. One that was refused, is
// incomplete or was cancelled left a report too; an error means that there is
// none.
func (r *Run) Report(ctx context.Context) (farm.Report, error) {
	var report farm.Report
	err := r.run.Get(ctx, &report)
	if err == nil {
		return report, nil
	}
	var application *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	var details interface{ Details(d ...any) error }
	switch {
	case errors.As(err, &application) && application.HasDetails() &&
		(application.Type() == workflows.RefusedError || application.Type() == workflows.IncompleteError):
		details = application
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		details = cancelled
	default:
		return report, err
	}
	return report, details.Details(&report)
}

// Follow shows it until it ends or ctx does, and returns as [Run.Report] does.
func (r *Run) Follow(ctx context.Context, progress *console.Progress) (farm.Report, error) {
	watching, ended := context.WithCancel(ctx)
	defer ended()
	type end struct {
		report farm.Report
		err    error
	}
	ends := make(chan end, 1)
	go func() {
		report, err := r.Report(ctx)
		ended()
		ends <- end{report, err}
	}()
	// A question that no worker answers now is asked again: what counts is
	// how it ends.
	_, err := progress.Follow(watching, glance, func(ctx context.Context) (farm.Status, bool, error) {
		s, err := r.Status(ctx)
		return s, err == nil, nil
	})
	if err != nil {
		return farm.Report{}, errors.Join(err, progress.Close())
	}
	e := <-ends
	if e.err == nil {
		// What happened since the last look.
		err = progress.Show(farm.Status{Phase: farm.PhaseDone, Report: e.report}, console.Ended(e.report))
	}
	if err := errors.Join(err, progress.Close()); err != nil {
		return farm.Report{}, err
	}
	return e.report, e.err
}

// newest describes the running or last run of a workflow; nil where there is
// none.
func newest(ctx context.Context, c client.Client, id string) (*workflowpb.WorkflowExecutionInfo, error) {
	described, err := c.DescribeWorkflowExecution(ctx, id, "")
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for %s: %w", id, err)
	}
	return described.WorkflowExecutionInfo, nil
}

func runs(e *workflowpb.WorkflowExecutionInfo) bool {
	return e != nil && e.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
}
