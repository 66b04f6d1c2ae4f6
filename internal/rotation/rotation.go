// Package rotation asks Temporal for a farm's rotation, follows it, and reads
// its report.
//
// It decides nothing about the farm, and needs a worker somewhere.
package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// glance is the pause between two looks at a rotation that is followed: live
// for a person, and no load.
const glance = 250 * time.Millisecond

// Run is a rotation in Temporal, running or ended.
type Run struct {
	// Joined says that it ran already when it was asked for.
	Joined bool

	client client.Client
	run    client.WorkflowRun
}

// Start starts the rotation of a farm, or joins the one that runs: a farm has
// one at a time, and whoever asks for a second gets the first.
func Start(ctx context.Context, c client.Client, farmName, reason string) (*Run, error) {
	options := client.StartWorkflowOptions{
		ID: workflows.RotateID(farmName), TaskQueue: workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    temporal.NewSearchAttributes(workflows.FarmAttribute.ValueSet(farmName)),
		// Temporal Cloud allows a summary 400 bytes.
		StaticSummary: fmt.Sprintf("rotate %.50s: %.300s", farmName, reason),
	}
	run, err := c.ExecuteWorkflow(ctx, options, workflows.RotateTrust, workflows.RotateInput{Farm: farmName, Reason: reason})
	var already *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case errors.As(err, &already):
		return &Run{Joined: true, client: c, run: c.GetWorkflow(ctx, options.ID, already.RunId)}, nil
	case err != nil:
		return nil, fmt.Errorf("start rotation of %s: %w", farmName, err)
	}
	return &Run{client: c, run: run}, nil
}

// ID is the workflow ID, RunID the run ID.
func (r *Run) ID() string { return r.run.GetID() }

// RunID is Temporal's name for this one run.
func (r *Run) RunID() string { return r.run.GetRunID() }

// Status asks how far the rotation is. It needs a worker to answer.
func (r *Run) Status(ctx context.Context) (s workflows.Status, err error) {
	answer, err := r.client.QueryWorkflow(ctx, r.ID(), r.RunID(), workflows.StatusQuery)
	if err != nil {
		return s, fmt.Errorf("ask %s for its status: %w", r.ID(), err)
	}
	return s, answer.Get(&s)
}

// Report waits until the rotation ends and returns its report. A rotation that
// was refused or is incomplete left one too; an error means that there is none.
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
	case errors.As(err, &application) && (application.Type() == workflows.RefusedError || application.Type() == workflows.IncompleteError):
		details = application
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		details = cancelled
	default:
		return report, err
	}
	return report, details.Details(&report)
}

// Follow shows the rotation until it ends or ctx does, and returns as
// [Run.Report] does.
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
	// how the rotation ends.
	_, err := progress.Follow(watching, glance, func(ctx context.Context) (workflows.Status, bool, error) {
		s, err := r.Status(ctx)
		return s, err == nil, nil
	})
	e := <-ends
	if err == nil && e.err == nil {
		// What happened since the last look.
		err = progress.Show(workflows.Status{Phase: workflows.Done, Report: e.report}, time.Now())
	}
	if err := errors.Join(err, progress.Close()); err != nil {
		return farm.Report{}, err
	}
	return e.report, e.err
}
