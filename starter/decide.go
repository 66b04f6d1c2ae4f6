package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
)

// decisionCommands are those by which a person decides about what is at work.
func (a *app) decisionCommands() []*cobra.Command {
	return []*cobra.Command{a.approveCommand(), a.retryCommand(), a.skipCommand(), a.rollbackCommand(), a.abortCommand()}
}

func (a *app) approveCommand() *cobra.Command {
	return a.decision(farm.Approve, &cobra.Command{
		Use:   "approve FARM [DIGEST]",
		Short: "Approve exactly what a digest stands for: a switch, or a deletion",
		Long: `Approves what waits for approval: the switch of a rotation, or the deletion of an old
certificate by its retirement. The digest stands for exactly what is shown with it;
when that changes, so does the digest, and an approval of the old one is refused.

Without a digest it shows what waits and approves nothing: exit code 4.`,
		Example: `  starter approve contoso                   what waits, and its digest
  starter approve contoso 1a2b3c4d5e6f --reason "change 4711"`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 && args[1] != "" {
				args = args[:1]
			}
			return oneFarm(c, args)
		},
	}, nil)
}

func (a *app) retryCommand() *cobra.Command {
	return a.decision(farm.Retry, &cobra.Command{
		Use:   "retry FARM",
		Short: "Try parked steps again, on one server or all",
		Long: `Tries the steps again that are parked, because their retries ran out or a person must
mend something first: those of one server, or all.`,
		Example: `  starter retry contoso --reason "WinRM is back"
  starter retry contoso --server oos-02.contoso.com --reason "rebooted"`,
	}, func(c *cobra.Command, d *farm.Decision) {
		c.Flags().StringVar(&d.Server, "server", "", "only the steps of this `server` (default: all that are parked)")
	})
}

func (a *app) skipCommand() *cobra.Command {
	return a.decision(farm.Skip, &cobra.Command{
		Use:   "skip FARM --server HOST",
		Short: "Go on without an office server on which a step is parked",
		Long: `Leaves an office server out of the rotation, which then ends as "left by decision": the
server keeps what it has, and its data refreshes fail while it serves users. It is
refused for the master, for SharePoint servers, and for a server that is still a
machine of the Office Online Server farm; for the last, --insist overrules that.`,
		Example: `  starter skip contoso --server oos-03.contoso.com --reason "taken out of the farm"
  starter skip contoso --server oos-03.contoso.com --insist --reason "scrapped tomorrow"`,
	}, func(c *cobra.Command, d *farm.Decision) {
		c.Flags().StringVar(&d.Server, "server", "", "the office `server` to leave out")
		c.Flags().BoolVar(&d.Force, "insist", false, "although it still serves users")
	})
}

func (a *app) rollbackCommand() *cobra.Command {
	return a.decision(farm.RollBack, &cobra.Command{
		Use:   "rollback FARM",
		Short: "End a rotation that waits, and put everything back",
		Long: `Ends a rotation that waits for an approval, for its window or for a decision, and puts
back what it has changed. One that is at work is cancelled in Temporal's UI instead,
which undoes it too; one that has ended is undone by starter undo.`,
		Example: `  starter rollback contoso --reason "not tonight"`,
	}, nil)
}

func (a *app) abortCommand() *cobra.Command {
	return a.decision(farm.Abort, &cobra.Command{
		Use:   "abort FARM",
		Short: "End a rotation that waits, and leave everything as it is",
		Long: `Ends a rotation that waits and leaves everything as it is now, half-way if need be: its
report lists what differs, and the farm is held until starter release.`,
		Example: `  starter abort contoso --reason "mended by hand, see ticket 12"`,
	}, nil)
}

// decision completes the command of a choice.
func (a *app) decision(choice farm.Choice, c *cobra.Command, flags func(*cobra.Command, *farm.Decision)) *cobra.Command {
	var who author
	d := farm.Decision{Choice: choice}
	c.ValidArgsFunction = a.farmNames
	if c.Args == nil {
		c.Args = oneFarm
	}
	addAuthor(c, &who, requiredReason)
	if flags != nil {
		flags(c, &d)
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if choice == farm.Approve {
			if len(args) == 1 {
				return a.waits(cmd.Context(), args[0])
			}
			d.Digest = args[1]
		}
		if err := a.sign(&who); err != nil {
			return err
		}
		d.By, d.Reason = who.by, who.reason
		if err := d.Validate(); err != nil {
			return wrong("%w", err)
		}
		return a.decide(cmd.Context(), args[0], d)
	}
	return c
}

// atWork finds what a decision is about.
func (a *app) atWork(ctx context.Context, c client.Client, farmName string) (*rotation.Run, error) {
	run, err := rotation.KeeperOf(c, farmName).AtWork(ctx)
	switch {
	case err != nil:
		return nil, a.explain(ctx, c, err)
	case run == nil:
		return nil, fmt.Errorf("%s: nothing is at work, so there is nothing to decide: starter status %s", farmName, farmName)
	}
	return run, nil
}

// taken is what programs read of a decision that was taken.
type taken struct {
	Farm       string `json:"farm"`
	WorkflowID string `json:"workflowId"`
	farm.Decision
}

func (a *app) decide(ctx context.Context, farmName string, d farm.Decision) error {
	c, err := a.connectToWorker(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	run, err := a.atWork(ctx, c, farmName)
	if err != nil {
		return err
	}
	if err := run.Decide(ctx, d); err != nil {
		return a.refused(ctx, c, farmName, err)
	}
	return a.show(taken{farmName, run.ID(), d}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s is decided, and %s goes on: starter status %s --watch\n", farmName, d.Choice, run.ID(), farmName)
		return err
	})
}

// waits shows what waits for approval, and approves nothing.
func (a *app) waits(ctx context.Context, farmName string) error {
	c, err := a.connectToWorker(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	run, err := a.atWork(ctx, c, farmName)
	if err != nil {
		return err
	}
	s, err := run.Status(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", farmName, err)
	case s.Wait == nil || s.Wait.For != farm.ForApproval:
		return fmt.Errorf("%s: nothing waits for approval now: starter status %s", farmName, farmName)
	}
	if err := a.show(s, func(w io.Writer) error { return console.Status(w, s, time.Now()) }); err != nil {
		return err
	}
	return &exitError{code: exitDiffers, err: fmt.Errorf("%s: nothing is approved yet; to approve exactly this: starter approve %s %s --reason WHY", farmName, farmName, s.Wait.Digest)}
}
