package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan FARM",
		Short: "Show what a rotation would do on which server, and why; change nothing",
		Long: `Has a worker inspect every server of a farm, and shows what a rotation would do there,
and why. Nothing is changed. Exit code 0 means that there is nothing to do, 4 that there
is, 3 that a precondition does not hold, 1 that a server could not be observed.

"farmtrust rotate" then does what is shown.`,
		Example: `  farmtrust plan contoso
  farmtrust plan contoso -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.plan(cmd.Context(), args[0])
		},
	}
}

func (a *app) plan(ctx context.Context, farmName string) error {
	c, err := a.connectToWorker(ctx)
	if err != nil {
		return err
	}
	inspection, err := a.inspect(ctx, c, farmName)
	if err != nil {
		return err
	}
	if err := a.show(inspection, func(w io.Writer) error { return a.writePage(w, report.Plan(inspection)) }); err != nil {
		return err
	}
	switch report.AssessInspection(inspection) {
	case report.Unobserved:
		return &exitError{code: exitFailed}
	case report.Stopped:
		return &exitError{code: exitRefused}
	case report.Differs:
		return &exitError{code: exitDiffers}
	default:
		return nil
	}
}

// inspect has a worker inspect a farm.
func (a *app) inspect(ctx context.Context, c client.Client, farmName string) (farm.Inspection, error) {
	inspection, err := c.Farm(farmName).Inspect(ctx)
	if err != nil {
		return inspection, a.explainEnd(ctx, farmName, err)
	}
	return inspection, nil
}
