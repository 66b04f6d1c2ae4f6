package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/workflows"
)

// follow shows on w what is at work until it ends, then its report. Any
// outcome but those that are wanted is an exit code.
func (a *app) follow(ctx context.Context, c client.Client, farmName string, run *rotation.Run, w io.Writer, wanted ...farm.Outcome) error {
	report, err := run.Follow(ctx, console.NewProgress(w))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped watching; the rotation goes on: starter status %s --watch", farmName)
	case err != nil:
		return a.broken(ctx, c, farmName, err)
	}
	return a.conclude(report, wanted...)
}

// conclude shows a report, and turns an outcome that is not wanted into an
// exit code.
func (a *app) conclude(report farm.Report, wanted ...farm.Outcome) error {
	if err := a.showReport(report); err != nil {
		return err
	}
	switch {
	case slices.Contains(wanted, report.Outcome):
		return nil
	case report.Outcome == farm.Refused:
		return &exitError{code: exitRefused}
	default:
		return &exitError{code: exitFailed}
	}
}

func (a *app) showReport(report farm.Report) error {
	return a.show(report, func(w io.Writer) error { return console.Report(w, report) })
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
