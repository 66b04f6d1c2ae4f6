package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) reportCommand() *cobra.Command {
	var retirement bool
	c := &cobra.Command{
		Use:   "report FARM",
		Short: "Show the report of the last rotation that ended",
		Long: `Shows the report of the last rotation or rollback of a farm that ended, no matter how:
the certificate that the farm has since, what was done on each server, when, with what
values before and after, who decided what and why, what was verified, and what still
differs. With -o html it is a single page, to be kept or sent.

It needs no worker while Temporal has the run. Temporal deletes what has ended when the
retention period of its namespace has passed; from then on the farm's controller, which
a worker must answer for, has the report of the last run that worked on the farm. On a
farm of many servers that one has a summary in the place of the steps.`,
		Example: `  farmtrust report contoso
  farmtrust report contoso --retirement
  farmtrust report contoso -o html > contoso.html`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showLastReport(cmd.Context(), args[0], retirement)
		},
	}
	c.Flags().BoolVar(&retirement, "retirement", false, "show the last retirement of an old certificate instead")
	return c
}

// showLastReport shows the report of the last rotation or retirement that ended.
func (a *app) showLastReport(ctx context.Context, farmName string, retirement bool) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	find := client.Farm.LastRotation
	if retirement {
		find = client.Farm.LastRetirement
	}
	run, err := find(c.Farm(farmName), ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	var last farm.Report
	if run == nil {
		last, err = a.readKept(ctx, c.Farm(farmName), retirement)
	} else if last, err = run.Report(ctx); err != nil {
		err = a.explainEnd(ctx, farmName, err)
	}
	if err != nil {
		return err
	}
	status := farm.Status{Phase: farm.PhaseDone, Report: last}
	if retirement {
		status.Phase = farm.PhaseRetiring
	}
	return a.show(last, func(w io.Writer) error { return a.writePage(w, report.Run(status)) })
}

// readKept returns the report that the farm's controller keeps, for when Temporal has
// deleted the run.
func (a *app) readKept(ctx context.Context, f client.Farm, retirement bool) (farm.Report, error) {
	f, err := a.locateFarm(ctx, f)
	if err != nil {
		return farm.Report{}, err
	}
	kind := "rotation"
	if retirement {
		kind = "retirement"
	}
	none := fmt.Sprintf("%s: no %s has ended, or none within Temporal's retention", f.Name(), kind)
	state, err := a.askState(ctx, f)
	switch {
	case err != nil:
		return farm.Report{}, fmt.Errorf("%s; the controller keeps the report of the last one, and does not answer: %w", none, err)
	case state == nil:
		return farm.Report{}, fmt.Errorf("%s, and no controller runs for the farm that could have kept its report", none)
	}
	kept := state.Reports.Rotation
	if retirement {
		kept = state.Reports.Retirement
	}
	if kept == nil {
		return farm.Report{}, fmt.Errorf("%s, and the controller has kept none: %s", none, a.commandLine(report.StatusCommand(f.Name())))
	}
	return *kept, nil
}
