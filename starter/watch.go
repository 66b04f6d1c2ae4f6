package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// watchRun shows a run on w until it ends, then its report. Any outcome but
// those that are wanted is an exit code.
func (a *app) watchRun(ctx context.Context, farmName string, run *client.Run, w io.Writer, wanted ...farm.Outcome) error {
	progress := a.newProgress(w)
	last, err := run.Watch(ctx, func(s farm.Status) error { return progress.Show(s, time.Now()) },
		func() error {
			return progress.Say(fmt.Sprintf("%s: no worker answers; %s goes on when one runs: farmtrust-worker -config FILE", farmName, run.ID()))
		})
	err = errors.Join(err, progress.Close())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped watching; %s continues: %s", run.ID(), a.commandLine(report.WatchCommand(farmName)))
	case err != nil:
		return a.explainEnd(ctx, farmName, err)
	}
	return a.showOutcome(last, wanted...)
}

// showOutcome shows a report, and turns an outcome that is not wanted into an
// exit code.
func (a *app) showOutcome(r farm.Report, wanted ...farm.Outcome) error {
	if err := a.showEnd(r); err != nil {
		return err
	}
	switch {
	case slices.Contains(wanted, r.Outcome):
		return nil
	case r.Outcome == farm.Refused:
		return &exitError{code: exitRefused}
	default:
		return &exitError{code: exitFailed}
	}
}

// explainEnd says what ended a workflow that left no report.
func (a *app) explainEnd(ctx context.Context, farmName string, err error) error {
	var application *temporal.ApplicationError
	var terminated *temporal.TerminatedError
	var timeout *temporal.TimeoutError
	var cancelled *temporal.CanceledError
	switch {
	case errors.As(err, &application) && application.Type() == workflows.UnknownFarmError:
		return usageErrorf("%s", application.Message())
	case errors.As(err, &application):
		return fmt.Errorf("%s: %s", farmName, application.Message())
	case errors.As(err, &terminated):
		return fmt.Errorf("%s: terminated in Temporal; what it had changed stays changed; to see what is left: %s", farmName, a.commandLine(report.PlanCommand(farmName)))
	case errors.As(err, &timeout):
		return fmt.Errorf("%s: no answer in time: is a worker running?", farmName)
	case errors.As(err, &cancelled):
		return fmt.Errorf("%s: cancelled before anything was changed", farmName)
	default:
		return fmt.Errorf("%s: %w", farmName, a.explain(ctx, err))
	}
}
