package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func (a *app) undoCommand() *cobra.Command {
	var by client.Author
	var now, detach, yes bool
	c := &cobra.Command{
		Use:   "undo FARM",
		Short: "Go back behind the last rotation that was verified, and watch",
		Long: `Restores what was there before the last rotation that brought another certificate into
use, although that was verified: the certificate, its name and SharePoint's issuers. Every
server is restarted. What later rotations have set is left alone.

It waits for an approval where a rotation of the farm does, and for the maintenance
window; --now does not wait for the window. Nothing is undone before that.

It is possible until the deletion of the old certificate has begun, and never to a
certificate that has expired or is compromised. A retirement that is running is cancelled
first. A rotation that is not finished is rolled back first, by "farmtrust rollback".

"farmtrust plan FARM --undo" shows what it would do.

Afterwards the farm is suspended: nothing is rotated automatically until
"farmtrust resume".`,
		Example: `  farmtrust undo contoso --reason "data refresh fails since the change"
  farmtrust undo contoso --now --reason "data refresh fails since the change"`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.undo(cmd.Context(), args[0], by, now, detach, yes)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	c.Flags().BoolVar(&now, "now", false, "do not wait for the maintenance window")
	addDetachFlag(c, &detach)
	addYesFlag(c, &yes)
	return c
}

// undo asks the controller to undo the last rotation, and watches that.
func (a *app) undo(ctx context.Context, farmName string, by client.Author, now, detach, yes bool) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	if err := a.confirmLook(ctx, f, yes, planned{undo: true}); err != nil {
		return err
	}
	run, err := f.Undo(ctx, by, now)
	if err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	a.tell("%s: %s undoes the last rotation", farmName, run.ID())
	return a.watchUnlessDetached(ctx, farmName, run, detach, farm.RolledBack)
}
