package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) rollbackCommand() *cobra.Command {
	var by client.Author
	var detach bool
	var expires time.Duration
	c := &cobra.Command{
		Use:   "rollback FARM",
		Short: "Roll back the running rotation, or else the last one, and watch",
		Long: `Restores what a rotation changed, newest first, and touches nothing that belongs to
others.

A running rotation is rolled back if it waits for an approval, for its window or for a
decision. If it waits for none of these, use "farmtrust cancel": that stops it and puts
back what it has changed.

If no rotation is running, the last one is rolled back. That is possible until the
deletion of its old certificate has begun, and never to a certificate that has expired
or is compromised. A retirement that is running is cancelled first.

Afterwards the farm is suspended: nothing is rotated automatically until
"farmtrust resume".`,
		Example: `  farmtrust rollback contoso --reason "data refresh fails since the change"
  farmtrust rollback contoso --reason "not tonight" --detach`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.rollback(cmd.Context(), args[0], by, detach, expires)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	addDetachFlag(c, &detach)
	addExpiresFlag(c, &expires)
	return c
}

// rollback has the running rotation roll back, or asks the controller to roll
// back the last one, and watches that.
func (a *app) rollback(ctx context.Context, farmName string, by client.Author, detach bool, expires time.Duration) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	run, err := a.startRollback(ctx, f.Expiring(expires), by)
	if err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	return a.watchUnlessDetached(ctx, farmName, run, detach, farm.RolledBack)
}

// startRollback returns the run that rolls back, and says which one it is.
func (a *app) startRollback(ctx context.Context, f client.Farm, by client.Author) (*client.Run, error) {
	running, err := f.Active(ctx)
	if err != nil {
		return nil, err
	}
	if running != nil && running.ID() == workflows.RotateID(f.Name()) {
		running.Attached = true
		if err := running.Decide(ctx, farm.Decision{Choice: farm.RollBack, By: by.By, Reason: by.Reason}); err != nil {
			return nil, err
		}
		fmt.Fprintf(a.err, "%s: the running rotation %s rolls back what it has changed\n", f.Name(), running.ID())
		return running, nil
	}
	started, err := f.Rollback(ctx, by)
	if err == nil {
		fmt.Fprintf(a.err, "%s: no rotation was running; %s rolls back the last one\n", f.Name(), started.ID())
	}
	return started, err
}
