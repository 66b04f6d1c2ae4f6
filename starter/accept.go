package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) acceptCommand() *cobra.Command {
	var by client.Author
	c := &cobra.Command{
		Use:   "accept FARM THUMBPRINT",
		Short: "Accept that SharePoint trusts a certificate that is none of the farm's",
		Long: `Ends the incident that farmtrust has found a certificate which SharePoint trusts, and
which is neither of the farm's source nor of its last rotations. It changes nothing on any
server: the certificate stays trusted. Accept it once you know who has it trusted and why.
If nobody does, remove the trust, and treat the farm as compromised: docs/incidents.md.

An incident also ends when the trust is gone. A certificate that was replaced because it
is compromised is never accepted.`,
		Example: `  farmtrust accept contoso 0123456789ABCDEF0123456789ABCDEF01234567 --reason "change 4711"`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageErrorf("name the farm and the thumbprint, as farmtrust status shows them")
			}
			return nil
		},
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			thumbprint, err := farm.ParseThumbprint(args[1])
			if err != nil {
				return usageErrorf("accept: %w", err)
			}
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.accept(cmd.Context(), args[0], thumbprint, by)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	return c
}

func (a *app) accept(ctx context.Context, farmName string, thumbprint farm.Thumbprint, by client.Author) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	if err := f.Accept(ctx, thumbprint, by); err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	return a.show(acceptance{Farm: farmName, WorkflowID: f.ControllerID()}, func(w io.Writer) error {
		return a.say(w, "%s: %s is accepted where SharePoint trusts it now: %s", farmName, thumbprint.Short(), a.commandLine(report.StatusCommand(farmName)))
	})
}
