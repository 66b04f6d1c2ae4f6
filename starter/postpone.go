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

func (a *app) postponeCommand() *cobra.Command {
	var by client.Author
	var text string
	c := &cobra.Command{
		Use:   "postpone FARM --until TIME",
		Short: "Have a farm, or its rotation that waits, wait until a time",
		Long: `"Not tonight": a rotation that waits for an approval or for its window waits until the
time, with what is staged. It then looks at the farm again and asks for approval again:
what was approved before does not count.

Where no rotation runs, nothing starts by itself on the farm until the time. The end of
the certificate still becomes more urgent, and an operator is asked for if it comes first.

TIME is a length from now (18h, 2d), a time in UTC ("2026-12-05 22:00"), or a moment with
its offset (2026-12-05T22:00:00+01:00).`,
		Example: `  farmtrust postpone contoso --until 18h --reason "month end"
  farmtrust postpone contoso --until "2026-12-05 22:00" --reason "change freeze"`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			until, err := parseUntil(text, time.Now())
			if err != nil {
				return err
			}
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.postpone(cmd.Context(), args[0], until, by)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	c.Flags().StringVar(&text, "until", "", "the `time` to wait until, such as 18h, 2d or \"2026-12-05 22:00\" (UTC)")
	return c
}

// postpone postpones the rotation that waits, or else the farm.
func (a *app) postpone(ctx context.Context, farmName string, until time.Time, by client.Author) error {
	return a.ask(ctx, farmName, func(ctx context.Context, f client.Farm) (string, error) {
		done := "postponed until " + farm.FormatTime(until)
		running, err := f.Active(ctx)
		switch {
		case err != nil:
			return "", err
		case running != nil && running.ID() == workflows.RotateID(farmName):
			return done, running.DecideAs(ctx, farmName, by, farm.Decision{Choice: farm.Postpone, Until: until})
		}
		return done, f.Postpone(ctx, until, by)
	})
}

func (a *app) cancelCommand() *cobra.Command {
	var by client.Author
	c := &cobra.Command{
		Use:   "cancel FARM",
		Short: "Stop what runs, put back what it has changed, and suspend the farm",
		Long: `Stops the rotation that runs, at work or waiting: the running step within seconds. What
it has changed is put back, and the farm is suspended until "farmtrust resume".

A retirement is stopped too: the old certificate stays. A request that has not begun is
withdrawn. A rollback is not stopped: it already puts back what was changed.

To have a rotation that waits begin another day, use "farmtrust postpone"; to leave
everything as it is now, "farmtrust abort". The Cancel button of the Temporal UI does the
same, without a name and a reason.`,
		Example:           `  farmtrust cancel contoso --reason "users call: documents do not open"`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.completeAuthor(&by); err != nil {
				return err
			}
			return a.cancel(cmd.Context(), args[0], by)
		},
	}
	addAuthorFlags(c, &by, requiredReason)
	return c
}

// cancel cancels what runs, or withdraws what was asked for and has not begun.
func (a *app) cancel(ctx context.Context, farmName string, by client.Author) error {
	return a.ask(ctx, farmName, func(ctx context.Context, f client.Farm) (string, error) {
		running, err := f.Active(ctx)
		switch state, problem := f.State(ctx); {
		case err != nil:
			return "", err
		case problem == nil && state.Mailbox.Request != nil:
			return "the request is withdrawn: nothing was begun", f.Withdraw(ctx, by)
		case running == nil:
			return "", &client.RefusedError{Reason: "cancel: nothing runs, and no request waits"}
		}
		done := fmt.Sprintf("cancelled: %s stops, puts back what it has changed, and the farm is suspended", running.ID())
		return done, running.DecideAs(ctx, farmName, by, farm.Decision{Choice: farm.Cancel})
	})
}
