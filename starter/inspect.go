package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/console"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan FARM",
		Short: "Say what a rotation would do on which server, and why; change nothing",
		Long: `Looks at every server of a farm and says what a rotation would do there, and why.
It changes nothing. Exit code 0 says that there is nothing to do, 4 that there is,
3 that a precondition does not hold, 1 that a server could not be observed.`,
		Example: `  starter plan contoso
  starter plan contoso -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.farmNames,
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
	defer c.Close()
	inspection, err := a.inspect(ctx, c, farmName)
	if err != nil {
		return err
	}
	if err := a.show(inspection, func(w io.Writer) error { return console.Plan(w, inspection, time.Now()) }); err != nil {
		return err
	}
	switch console.Judge(inspection) {
	case console.Unseen:
		return &exitError{code: exitFailed}
	case console.Stopped:
		return &exitError{code: exitRefused}
	case console.Differs:
		return &exitError{code: exitDiffers}
	default:
		return nil
	}
}

// connectToWorker reaches Temporal and makes sure that somebody is there to
// answer: without a worker an inspection would only wait.
func (a *app) connectToWorker(ctx context.Context) (client.Client, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	there, err := hasWorker(ctx, c)
	switch {
	case err != nil:
		err = a.explain(ctx, c, err)
	case !there:
		err = errors.New(noWorker)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// inspect has the worker look at a farm.
func (a *app) inspect(ctx context.Context, c client.Client, farmName string) (farm.Inspection, error) {
	var inspection farm.Inspection
	run, err := a.startInspection(ctx, c, farmName)
	if err != nil {
		return inspection, err
	}
	if err := run.Get(ctx, &inspection); err != nil {
		return inspection, a.broken(ctx, c, farmName, err)
	}
	return inspection, nil
}
