package main

import (
	"context"
	"fmt"

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
what was done on each server, who decided what and why, and what still differs. It
needs no worker. With -o html it is a single page, to be kept or sent: Temporal deletes
workflows that ended when the retention period of its namespace has passed.`,
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
	kind, find := "rotation", client.Farm.LastRotation
	if retirement {
		kind, find = "retirement", client.Farm.LastRetirement
	}
	run, err := find(c.Farm(farmName), ctx)
	switch {
	case err != nil:
		return a.explain(ctx, err)
	case run == nil:
		if _, err := a.locateFarm(ctx, c.Farm(farmName)); err != nil {
			return err
		}
		return fmt.Errorf("%s: no %s has ended, or none within Temporal's retention: %s", farmName, kind, a.commandLine(report.StatusCommand(farmName)))
	}
	last, err := run.Report(ctx)
	if err != nil {
		return a.explainEnd(ctx, farmName, err)
	}
	if a.output == outputHTML {
		return report.Run(farm.Status{Phase: farm.PhaseDone, Report: last}).WriteHTML(a.out)
	}
	return a.showReport(last)
}
