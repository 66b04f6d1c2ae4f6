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
	c := &cobra.Command{
		Use:   "status [FARM]",
		Short: "Show a farm and what runs there, or all farms",
		Long: `Shows how long a farm is trusted, its last and its next inspection, whether it is
suspended, what an operator should do, and the commands for that. Below, it shows what
is running, or else the last rotation: what it waits for, the commands that decide, and
the steps that are not done. --all shows each step on each server.

Without a farm it lists all farms, and marks those that need an operator.

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
				return a.showFarms(cmd.Context(), c)
			case watch:
				return a.watchFarm(cmd.Context(), c.Farm(args[0]))
			default:
				return a.showFarm(cmd.Context(), c.Farm(args[0]), all)
			}
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show each step on each server, also those that are done")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show each step until what is running ends")
	return c
}

// farmList is the JSON object for all farms.
type farmList struct {
	Farms []report.FarmRow `json:"farms"`
}

// showFarms lists the farms that have a controller or were rotated: what the
// controller does, and the running or last rotation.
func (a *app) showFarms(ctx context.Context, c client.Client) error {
	summaries, err := c.Summaries(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	list := farmList{Farms: []report.FarmRow{}}
	warned := map[string]bool{}
	for _, s := range summaries {
		list.Farms = append(list.Farms, report.FarmRow(s))
		if !warned[s.Site] {
			warned[s.Site] = true
			a.warnOfDifference(ctx, c.At(s.Site))
		}
	}
	return a.show(list, func(w io.Writer) error { return a.writePage(w, report.Overview(list.Farms)) })
}

// farmStatus is the JSON object for a farm: what its controller knows, and the
// fields of what runs or ran last.
type farmStatus struct {
	Controller *report.FarmState `json:"controller,omitempty"`
	*farm.Status
}

// showFarm shows a farm's page, then what runs or ran last. It shows what it can
// where one of the two cannot be read.
func (a *app) showFarm(ctx context.Context, f client.Farm, all bool) error {
	f, err := f.Locate(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	a.warnOfDifference(ctx, f.Client)
	state, stateProblem := a.askState(ctx, f)
	run, runProblem := a.readRun(ctx, f)
	if state == nil && run == nil {
		return errors.Join(runProblem, stateProblem)
	}
	if problem := errors.Join(runProblem, stateProblem); problem != nil {
		fmt.Fprintln(a.err, problem)
	}
	status := farmStatus{Status: run}
	var pages []report.Page
	if state != nil {
		shown := report.NewFarmState(*state, time.Now())
		status.Controller = &shown
		pages = append(pages, report.Farm(*state, time.Now()))
	}
	switch {
	case run != nil && all:
		pages = append(pages, report.Run(*run))
	case run != nil:
		pages = append(pages, report.BriefRun(*run))
	}
	return a.show(status, func(w io.Writer) error { return a.writePages(w, pages...) })
}

// askState asks the controller, which a worker must answer for.
func (a *app) askState(ctx context.Context, f client.Farm) (*controller.State, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	state, err := f.State(ctx)
	var notYet *serviceerror.QueryFailed
	switch {
	case errors.Is(err, client.ErrNoController):
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	case errors.As(err, &notYet):
		return nil, fmt.Errorf("%s: the controller has only just started; ask again", f.Name())
	case err != nil:
		return nil, fmt.Errorf("%s: no worker answers for the controller: %w; start one: farmtrust-worker -config FILE", f.Name(), a.explain(ctx, err))
	}
	return &state, nil
}

// readRun returns how far the running run is, or how the last rotation ended;
// nil if there was none.
func (a *app) readRun(ctx context.Context, f client.Farm) (*farm.Status, error) {
	run, err := f.Active(ctx)
	if err != nil {
		return nil, a.explain(ctx, err)
	}
	if run != nil {
		return a.askStatus(ctx, f.Name(), run)
	}
	last, err := a.readLast(ctx, f)
	if err != nil || last == nil {
		return nil, err
	}
	return &farm.Status{Phase: farm.PhaseDone, Report: *last}, nil
}

// askStatus asks the run itself, which a worker must answer for.
func (a *app) askStatus(ctx context.Context, farmName string, run *client.Run) (*farm.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	s, err := run.Status(ctx)
	var notYet *serviceerror.QueryFailed
	switch {
	case errors.As(err, &notYet):
		return nil, fmt.Errorf("%s: %s has only just started; ask again", farmName, run.ID())
	case err != nil:
		return nil, fmt.Errorf("%s: %s is running, but no worker answers for it: %w; start one: farmtrust-worker -config FILE", farmName, run.ID(), err)
	}
	return &s, nil
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
	f, err := f.Locate(ctx)
	if err != nil {
		return a.explain(ctx, err)
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
		if err := a.warnWithoutWorker(ctx, f.Client); err != nil {
			return err
		}
		return a.watchRun(ctx, f.Name(), run, w, good...)
	}
	last, err := a.readLast(ctx, f)
	switch {
	case err != nil:
		return err
	case last == nil:
		return fmt.Errorf("%s: no rotation, or none within Temporal's retention; to start one: %s", f.Name(), a.commandLine(report.RotateCommand("", f.Name())))
	}
	return a.showOutcome(*last, good...)
}
