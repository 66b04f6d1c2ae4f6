package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) statusCommand() *cobra.Command {
	var watch, all bool
	var warn warning
	c := &cobra.Command{
		Use:   "status [FARM]",
		Short: "Show a farm and what runs there, or all farms",
		Long: `Shows how long a farm is trusted, its last and its next inspection, whether it is
suspended, what an operator should do, and the commands for that. Below, it shows what
is running, or else the last rotation: what it waits for, the commands that decide, and
the steps that are not done. --all shows each step on each server.

Without a farm it lists all farms, as "farmtrust farms" does.

The exit code is for monitoring: 5 if an operator is needed, or the certificate ends
within --warn-days, 6 if no worker answers.

With --watch it shows each step of what is running until that ends. The exit code is
then 0 if it ended verified, unchanged or rolled back, 3 if refused, 1 otherwise.`,
		Example: `  farmtrust status
  farmtrust status contoso
  farmtrust status contoso --watch`,
		ValidArgsFunction: a.completeFarm,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return oneFarm(cmd, args)
			}
			if watch {
				return usageErrorf("--watch needs a farm")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect(cmd.Context())
			switch {
			case err != nil:
				return err
			case len(args) == 0:
				return a.showFarms(cmd.Context(), c, warn)
			case watch:
				return a.watchFarm(cmd.Context(), c.Farm(args[0]))
			default:
				return a.showFarm(cmd.Context(), c.Farm(args[0]), warn, all)
			}
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show each step on each server, also those that are done")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show each step until what is running ends")
	warn.addFlag(c)
	return c
}

// showFarm shows a farm's page, then what runs or ran last. Where no worker answers, it
// shows what Temporal itself knows.
func (a *app) showFarm(ctx context.Context, f client.Farm, warn warning, all bool) error {
	f, err := a.locateFarm(ctx, f)
	if err != nil {
		return err
	}
	known := make([]controller.Summary, 1)
	if known[0], err = f.Summary(ctx); err != nil {
		return a.explain(ctx, err)
	}
	if err := a.askFarms(ctx, f.Client, known); err != nil {
		return err
	}
	run, runProblem := a.readRun(ctx, f, known[0].Worker)
	problems := []error{a.whyUnanswered(f, known[0]), runProblem}
	for _, problem := range problems {
		if problem != nil {
			a.tell("%v", problem)
		}
	}
	if err := a.showFarmStatus(known[0], run, warn, all); err != nil {
		return err
	}
	return assessStatus(known[0], warn, problems...)
}

// whyUnanswered says why the controller of a farm has not answered; nil if it has.
func (a *app) whyUnanswered(f client.Farm, s controller.Summary) error {
	switch {
	case s.State != nil:
		return nil
	case s.Worker == controller.WorkerNone:
		return noWorker(f)
	case s.Worker == controller.WorkerSilent:
		return silentWorker(f)
	case s.Problem != "":
		return fmt.Errorf("%s: %s", f.Name(), s.Problem)
	case !s.Managed:
		return fmt.Errorf("%s: %w", f.Name(), client.ErrNoController)
	}
	return fmt.Errorf("%s: the controller has only just started; ask again", f.Name())
}

func isCannotTell(err error) bool {
	exit, ok := errors.AsType[*exitError](err)
	return ok && exit.code == exitCannotTell
}

// showFarmStatus shows what is known of a farm, and of what runs or ran last.
func (a *app) showFarmStatus(s controller.Summary, run *farm.Status, warn warning, all bool) error {
	now := time.Now()
	list := report.NewFarmList([]controller.Summary{s}, now, warn.duration())
	status := report.FarmStatus{FarmRow: list.Farms[0]}
	var pages []report.Page
	if s.State != nil {
		shown := report.NewFarmState(*s.State, now)
		status.Controller = &shown
		pages = append(pages, report.Farm(*s.State, now))
	} else {
		pages = append(pages, report.Overview(list))
	}
	if run != nil {
		status.Phase, status.Report, status.Wait = run.Phase, &run.Report, run.Wait
	}
	switch {
	case run != nil && all:
		pages = append(pages, report.RunAt(*run, now))
	case run != nil:
		pages = append(pages, report.BriefRun(*run, now))
	}
	return a.show(status, func(w io.Writer) error { return a.writePages(w, pages...) })
}

// assessStatus is the exit of a farm's status: trouble that is known counts more than
// what cannot be told.
func assessStatus(s controller.Summary, warn warning, problems ...error) error {
	if s.Troubled(time.Now(), warn.duration()) {
		return &exitError{code: exitOperator}
	}
	for _, problem := range problems {
		switch {
		case isCannotTell(problem):
			return &exitError{code: exitCannotTell}
		case problem != nil:
			return &exitError{code: exitFailed}
		}
	}
	return nil
}

// readRun returns how far the running run is, or how the last rotation ended; nil if
// there was none, or if no worker answers for the one that runs.
func (a *app) readRun(ctx context.Context, f client.Farm, worker controller.WorkerState) (*farm.Status, error) {
	run, err := f.Active(ctx)
	switch {
	case err != nil:
		return nil, a.explain(ctx, err)
	case run != nil && worker != controller.WorkerAnswers:
		return nil, nil // the worker has been asked already
	case run != nil:
		return a.askStatus(ctx, f, run)
	}
	last, err := a.readLast(ctx, f)
	if err != nil || last == nil {
		return nil, err
	}
	return &farm.Status{Phase: farm.PhaseDone, Report: *last}, nil
}

// askStatus asks the run itself, which a worker must answer for.
func (a *app) askStatus(ctx context.Context, f client.Farm, run *client.Run) (*farm.Status, error) {
	var status farm.Status
	err := a.askWithin(ctx, f.Name(), func(ctx context.Context) (err error) {
		status, err = run.Status(ctx)
		return err
	})
	var notYet *serviceerror.QueryFailed
	switch {
	case err == nil:
		return &status, nil
	case errors.As(err, &notYet):
		return nil, fmt.Errorf("%s: %s has only just started; ask again", f.Name(), run.ID())
	case client.IsUnanswered(err):
		return nil, silentWorker(f)
	}
	return nil, fmt.Errorf("%s: %w", f.Name(), a.explain(ctx, err))
}

// readLast returns the report of the last rotation that ended; nil if there is
// none within Temporal's retention.
func (a *app) readLast(ctx context.Context, f client.Farm) (*farm.Report, error) {
	run, err := f.LastRotation(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), a.explain(ctx, err))
	}
	if run == nil {
		return nil, nil
	}
	last, err := run.Report(ctx)
	if err != nil {
		return nil, a.explainEnd(ctx, f.Name(), err)
	}
	return &last, nil
}

// watchFarm shows what runs until it ends, or how the last rotation ended.
func (a *app) watchFarm(ctx context.Context, f client.Farm) error {
	f, err := a.locateFarm(ctx, f)
	if err != nil {
		return err
	}
	run, err := f.Active(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	good := []farm.Outcome{farm.Verified, farm.NoChange, farm.RolledBack}
	if run != nil {
		w := a.out
		if a.output == outputJSON {
			w = a.err
		}
		if _, err := a.findWorker(ctx, f); err != nil {
			return err
		}
		return a.watchRun(ctx, f.Name(), run, w, good...)
	}
	last, err := a.readLast(ctx, f)
	switch {
	case err != nil:
		return err
	case last == nil:
		return a.noRun(f.Name())
	}
	return a.showOutcome(*last, good...)
}
