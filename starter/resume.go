package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) resumeCommand() *cobra.Command {
	var by client.Author
	c := &cobra.Command{
		Use:   "resume FARM",
		Short: "Let a suspended farm be rotated automatically again",
		Long: `Ends the suspension of a farm, which follows a rollback or a rotation that did not end
as planned. The controller inspects the farm at once, and rotates if that is due:
"farmtrust plan" shows in advance what it would do, "farmtrust status" what it does.`,
		Example:           `  farmtrust resume contoso --reason "the proxy is repaired"`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.resume(cmd.Context(), args[0], by)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	return c
}

func (a *app) resume(ctx context.Context, farmName string, by client.Author) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	if err := f.Resume(ctx, by); err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	return a.show(acceptance{Farm: farmName, WorkflowID: f.ControllerID()}, func(w io.Writer) error {
		return a.say(w, "%s: resumed; it is inspected now, and rotated if that is due and it is released: %s", farmName, a.commandLine(report.StatusCommand(farmName)))
	})
}
