package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) releaseCommand() *cobra.Command {
	return a.askCommand(&cobra.Command{
		Use:   "release FARM",
		Short: "Let a farm be rotated by itself, without being asked each time",
		Long: `Releases a farm: from now on its controller rotates it when a renewal is due, when an
event says so, and when something differs from what is configured; and it retires old
certificates after their retention. "farmtrust plan" shows in advance what a rotation
would do, "farmtrust status" what will be done by itself and when.

A farm that nobody has released is only observed. "farmtrust rotate" rotates such a farm
once, and does not release it. "farmtrust observe" takes a release back.`,
		Example: `  farmtrust release contoso --reason "change 4711"`,
	}, client.Farm.Release, "released: it is inspected now, and rotated if that is due")
}

func (a *app) observeCommand() *cobra.Command {
	return a.askCommand(&cobra.Command{
		Use:   "observe FARM",
		Short: "Take a release back: only look, and rotate nothing by itself",
		Long: `Takes the release of a farm back: nothing starts by itself any more, neither a rotation
nor the retirement of an old certificate. What runs goes on: "farmtrust cancel" stops it.
The farm is still inspected, and an operator is asked for when a rotation would be due.

To have nothing changed, no matter who asks, set mode: observe in the configuration.`,
		Example: `  farmtrust observe contoso --reason "the farm is rebuilt this week"`,
	}, client.Farm.Observe, "not released any more: farmtrust only looks")
}

func (a *app) withdrawCommand() *cobra.Command {
	return a.askCommand(&cobra.Command{
		Use:   "withdraw FARM",
		Short: "Take back a request that waits to be begun",
		Long: `Takes back what was asked for and has not begun: it waits, for example, until a retirement
has ended. Who asked is told. What has begun is stopped by "farmtrust cancel".

While "farmtrust rotate" waits for its request to be taken, Ctrl-C there withdraws it too.
A request that nobody withdraws expires: see "farmtrust rotate --expires".`,
		Example: `  farmtrust withdraw contoso --reason "asked for the wrong farm"`,
	}, client.Farm.Withdraw, "the request is withdrawn: nothing was begun")
}

// askCommand completes the command of a request that starts no run. Done says what has
// come of it.
func (a *app) askCommand(c *cobra.Command, ask func(client.Farm, context.Context, client.Author) error, done string) *cobra.Command {
	var by client.Author
	c.Args, c.ValidArgsFunction = oneFarm, a.completeFarm
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.completeAuthor(&by); err != nil {
			return err
		}
		return a.ask(cmd.Context(), args[0], func(ctx context.Context, f client.Farm) (string, error) { return done, ask(f, ctx, by) })
	}
	addAuthorFlags(c, &by, requiredReason)
	return c
}

// ask asks for what starts no run, and says what has come of it.
func (a *app) ask(ctx context.Context, farmName string, ask func(context.Context, client.Farm) (done string, err error)) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	done, err := ask(ctx, f)
	if err != nil {
		return a.explainRequest(ctx, farmName, err)
	}
	return a.show(acceptance{Farm: farmName, WorkflowID: f.ControllerID()}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s: %s\n", farmName, done, a.commandLine(report.StatusCommand(farmName)))
		return err
	})
}
