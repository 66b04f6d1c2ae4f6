package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) rollbackCommand() *cobra.Command {
	var by client.Author
	var detach, yes bool
	var expires time.Duration
	c := &cobra.Command{
		Use:   "rollback FARM",
		Short: "Roll back a rotation that waits, or that was not finished, and watch",
		Long: `Restores what a rotation changed that is not finished, and touches nothing that belongs
to others, nor what an earlier rotation changed that was verified. Where only staging was
done, nothing that users notice is touched.

A running rotation is rolled back if it waits for an approval, for its window or for a
decision. If it waits for none of these, use "farmtrust cancel": that stops it and puts
back what it has changed.

If no rotation is running, the last one is rolled back, if it was not finished: aborted,
terminated, or failed. A certificate that has expired or is compromised is never restored.
To go back behind a rotation that was verified, use "farmtrust undo".

"farmtrust plan FARM --rollback" shows what it would do.

Afterwards the farm is suspended: nothing is rotated automatically until
"farmtrust resume".`,
		Example: `  farmtrust rollback contoso --reason "the import fails on two servers"
  farmtrust rollback contoso --reason "not tonight" --detach`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.rollback(cmd.Context(), args[0], by, detach, yes, expires)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	addDetachFlag(c, &detach)
	addExpiresFlag(c, &expires)
	addYesFlag(c, &yes)
	return c
}

// rollback has the running rotation roll back, or asks the controller to roll
// back the last one, and watches that.
func (a *app) rollback(ctx context.Context, farmName string, by client.Author, detach, yes bool, expires time.Duration) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	if err := a.confirmLook(ctx, f, yes, planned{rollback: true}); err != nil {
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
		if err := running.DecideAs(ctx, f.Name(), by, farm.Decision{Choice: farm.RollBack}); err != nil {
			return nil, err
		}
		a.tell("%s: the running rotation %s rolls back what it has changed", f.Name(), running.ID())
		return running, nil
	}
	started, err := f.Rollback(ctx, by)
	if err == nil {
		a.tell("%s: no rotation was running; %s rolls back the last one, which was not finished", f.Name(), started.ID())
	}
	return started, err
}
