package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
)

func (a *app) forgetCommand() *cobra.Command {
	var by client.Author
	c := &cobra.Command{
		Use:   "forget FARM",
		Short: "End the controller of a farm that is gone",
		Long: `Ends the controller of a farm that no worker's configuration names any more, as after
the farm was decommissioned. What it knows, such as the state before the last rotation,
goes with it; reports stay for Temporal's retention. A retirement that is running is
cancelled first. Nothing is changed on any server.

It is refused while a worker has the farm in its configuration: remove the farm there,
and restart the worker. It is refused while a rotation is running: wait for it, or
decide about it. A worker must run at the farm's site to carry it out.`,
		Example:           `  farmtrust forget contoso --reason "decommissioned, change 4711"`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.forget(cmd.Context(), args[0], by)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	return c
}

func (a *app) forget(ctx context.Context, farmName string, by client.Author) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	err = f.Forget(ctx, by)
	switch {
	case errors.Is(err, client.ErrNoController):
		return fmt.Errorf("%s: no controller runs for the farm, so there is nothing to forget", farmName)
	case err != nil:
		return a.explainRequest(ctx, farmName, err)
	}
	return a.show(acceptance{Farm: farmName, WorkflowID: f.ControllerID()}, func(w io.Writer) error {
		return a.say(w, "%s: forgotten; %s has ended", farmName, f.ControllerID())
	})
}
