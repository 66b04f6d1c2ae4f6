package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// glance is the pause between two looks at a rotation that is watched: live
// for a person, and not a load.
const glance = 500 * time.Millisecond

// follow shows a rotation on w until it ends, then its report.
func (a *app) follow(ctx context.Context, c client.Client, farmName string, run client.WorkflowRun, w io.Writer) error {
	watching, ended := context.WithCancel(ctx)
	defer ended()
	type result struct {
		report farm.Report
		err    error
	}
	results := make(chan result, 1)
	go func() {
		var r result
		r.err = run.Get(ctx, &r.report)
		ended()
		results <- r
	}()
	progress := console.NewProgress(w)
	// The rotation's own end is what counts: a question that is not answered
	// now, because no worker has it yet, is asked again.
	_, err := progress.Follow(watching, glance, func(ctx context.Context) (workflows.Status, bool, error) {
		s, err := query(ctx, c, run.GetID(), run.GetRunID())
		return s, err == nil, nil
	})
	if err != nil {
		return err
	}
	r := <-results
	if ctx.Err() != nil {
		return fmt.Errorf("stopped watching; the rotation goes on: starter status %s --watch", farmName)
	}
	report, err := settled(r.report, r.err)
	if err == nil {
		// What happened since the last look.
		err = progress.Show(workflows.Status{Phase: workflows.Done, Report: report}, console.Ended(report))
	}
	if err := errors.Join(err, progress.Close()); err != nil {
		return a.broken(ctx, c, farmName, err)
	}
	return a.conclude(report)
}

func query(ctx context.Context, c client.Client, id, runID string) (workflows.Status, error) {
	var s workflows.Status
	answer, err := c.QueryWorkflow(ctx, id, runID, workflows.StatusQuery)
	if err != nil {
		return s, err
	}
	return s, answer.Get(&s)
}

// settled returns the report of a rotation that ended, well or not, or the
// error where it left none.
func settled(report farm.Report, failed error) (farm.Report, error) {
	if failed == nil {
		return report, nil
	}
	if told, ok := reportOf(failed); ok {
		return told, nil
	}
	return farm.Report{}, failed
}

// conclude shows a report, and turns an outcome that is none of the good ones
// into an exit code.
func (a *app) conclude(report farm.Report) error {
	if err := a.show(report, func(w io.Writer) error { return console.Report(w, report) }); err != nil {
		return err
	}
	switch report.Outcome {
	case farm.Verified, farm.Already:
		return nil
	case farm.Refused:
		return &exitError{code: exitRefused}
	default:
		return &exitError{code: exitFailed}
	}
}

// reportOf returns the report that a failed rotation left.
func reportOf(err error) (farm.Report, bool) {
	var report farm.Report
	var application *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	var details interface{ Details(...any) error }
	switch {
	case errors.As(err, &application) && (application.Type() == workflows.RefusedError || application.Type() == workflows.IncompleteError):
		details = application
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		details = cancelled
	default:
		return report, false
	}
	return report, details.Details(&report) == nil
}

// broken says what ended a workflow that left no report.
func (a *app) broken(ctx context.Context, c client.Client, farmName string, err error) error {
	var application *temporal.ApplicationError
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &application) && application.Type() == workflows.UnknownFarmError:
		return wrong("%s", application.Message())
	case errors.As(err, &application):
		return fmt.Errorf("%s: %s", farmName, application.Message())
	case errors.As(err, &terminated):
		return fmt.Errorf("%s: terminated in Temporal; what it had changed stays changed: starter plan %s says what is left", farmName, farmName)
	case errors.As(err, &timeout):
		return fmt.Errorf("%s: no answer in time: is a worker running?", farmName)
	case errors.As(err, &cancelled):
		return fmt.Errorf("%s: cancelled before anything was changed", farmName)
	default:
		return fmt.Errorf("%s: %w", farmName, a.explain(ctx, c, err))
	}
}
