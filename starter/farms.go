package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) farmsCommand() *cobra.Command {
	var warn warning
	c := &cobra.Command{
		Use:   "farms",
		Short: "List all farms: what expires when, how each stands, and what it waits for",
		Long: `Lists all farms, the most urgent one first: those that need an operator, then those
whose certificates end first. It shows the certificate in use, when it expires, how the
farm stands, what it waits for, and whether a worker is there. It needs no worker to
list the farms; without one, what was known last is shown.

The exit code is for monitoring: 5 if an operator is needed, for a certificate that ends
within --warn-days too, 6 if no worker answers or no farm is known, 0 otherwise.`,
		Example: `  farmtrust farms
  farmtrust farms --warn-days 30
  farmtrust farms -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			return a.showFarms(cmd.Context(), c, warn)
		},
	}
	warn.addFlag(c)
	return c
}

// warning is how many days before its end a certificate counts as trouble.
type warning struct{ days int }

// addFlag adds --warn-days. Half of the time that is usual for renewals has passed by
// then, so something has kept a rotation from ending.
func (w *warning) addFlag(c *cobra.Command) {
	c.Flags().IntVar(&w.days, "warn-days", 14, "exit code 5 if a certificate in use ends within so many `days`")
}

func (w *warning) duration() time.Duration { return time.Duration(w.days) * 24 * time.Hour }

// showFarms lists the farms that have, or should have, a controller.
func (a *app) showFarms(ctx context.Context, c client.Client, warn warning) error {
	all, err := c.Summaries(ctx)
	if err != nil {
		return a.explain(ctx, err)
	}
	if err := a.askFarms(ctx, c, all); err != nil {
		return err
	}
	list := report.NewFarmList(all, time.Now(), warn.duration())
	if err := a.show(list, func(w io.Writer) error { return a.writePage(w, report.Overview(list)) }); err != nil {
		return err
	}
	return assessFarms(list)
}

// askFarms asks the controllers of all farms, and names workers that differ.
func (a *app) askFarms(ctx context.Context, c client.Client, all []controller.Summary) error {
	err := a.askWithin(ctx, nameFarms(all), func(ctx context.Context) error { return c.AskAll(ctx, all) })
	if err != nil {
		return a.explain(ctx, err)
	}
	sites := map[string]bool{}
	for _, s := range all {
		if !sites[s.Site] {
			sites[s.Site] = true
			a.warnOfDifference(ctx, c.At(s.Site))
		}
	}
	return nil
}

// nameFarms names one farm, or says how many there are.
func nameFarms(all []controller.Summary) string {
	if len(all) == 1 {
		return all[0].Farm
	}
	return fmt.Sprintf("%d farms", len(all))
}

// assessFarms is the exit of a list: trouble that is known counts more than what
// cannot be told.
func assessFarms(list report.FarmList) error {
	switch {
	case slices.ContainsFunc(list.Farms, func(f report.FarmRow) bool { return f.NeedsOperator }):
		return &exitError{code: exitOperator}
	case len(list.Farms) == 0, slices.ContainsFunc(list.Farms, func(f report.FarmRow) bool { return f.Worker != controller.WorkerAnswers }):
		return &exitError{code: exitCannotTell}
	}
	return nil
}
