package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) rotateCommand() *cobra.Command {
	var who author
	var compromised, detach bool
	c := &cobra.Command{
		Use:   "rotate FARM",
		Short: "Bring a farm's trust to its newest certificate, and watch",
		Long: `Asks the keeper of a farm to bring its trust to the newest certificate: it is set up,
renewed, or finished where an earlier rotation left it. Where all is as desired
nothing is changed.

A farm has one rotation at a time: while one runs, this attaches to it. Ctrl-C
stops watching; the rotation goes on.

--compromised says that the old certificate must not be trusted any longer: neither
approval nor window is waited for, the old certificate is retired at once, and there
is no way back to it.`,
		Example: `  starter rotate contoso
  starter rotate contoso --reason "change 4711"
  starter rotate contoso --compromised --reason "key was copied, incident 12"
  starter rotate contoso --detach -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.farmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if compromised {
				if err := a.sign(&who); err != nil {
					return err
				}
			}
			w := controller.Request{Kind: controller.RequestRotate, Compromised: compromised, By: cmp.Or(who.by, whoami()), Reason: who.reason}
			return a.wish(cmd.Context(), args[0], w, detach)
		},
	}
	addAuthor(c, &who, "`why`, as reports show it; required with --compromised")
	c.Flags().BoolVar(&compromised, "compromised", false, "the old certificate must not be trusted any longer")
	addDetach(c, &detach)
	return c
}

func (a *app) undoCommand() *cobra.Command {
	var who author
	var detach bool
	c := &cobra.Command{
		Use:   "undo FARM",
		Short: "Put everything back as it was before the last rotation, and watch",
		Long: `Asks the keeper of a farm to undo its last rotation: what the rotation changed is put
back, newest first, and nothing that belongs to others. That is possible until the
old certificate is retired, and never to one that has expired.

Afterwards the farm is held: nothing is rotated by itself until starter release.`,
		Example: `  starter undo contoso --reason "data refresh fails since the change"`,
		Args:    oneFarm, ValidArgsFunction: a.farmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.sign(&who); err != nil {
				return err
			}
			return a.wish(cmd.Context(), args[0], controller.Request{Kind: controller.RequestRollback, By: who.by, Reason: who.reason}, detach)
		},
	}
	addAuthor(c, &who, requiredReason)
	addDetach(c, &detach)
	return c
}

func (a *app) releaseCommand() *cobra.Command {
	var who author
	c := &cobra.Command{
		Use:   "release FARM",
		Short: "Let a farm that is held be rotated by itself again",
		Long: `Ends the hold that follows an undo, or a rotation that ended otherwise than planned.
The keeper looks at the farm at once and does what is due.`,
		Example: `  starter release contoso --reason "proxy is mended"`,
		Args:    oneFarm, ValidArgsFunction: a.farmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.sign(&who); err != nil {
				return err
			}
			return a.wish(cmd.Context(), args[0], controller.Request{Kind: controller.RequestResume, By: who.by, Reason: who.reason}, true)
		},
	}
	addAuthor(c, &who, requiredReason)
	return c
}

func addDetach(c *cobra.Command, detach *bool) {
	c.Flags().BoolVar(detach, "detach", false, "return once it is accepted, rather than watch it")
}

// accepted is what programs read of what is not watched.
type accepted struct {
	Farm       string `json:"farm"`
	WorkflowID string `json:"workflowId"`
	// RunID is empty for what the keeper only noted.
	RunID string `json:"runId,omitempty"`
	// Attached says that it was running already.
	Attached bool `json:"attached"`
}

// wish asks a keeper, and follows what it begins.
func (a *app) wish(ctx context.Context, farmName string, w controller.Request, detach bool) error {
	c, err := a.connectToWorker(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	keeper := rotation.KeeperOf(c, farmName)
	if w.Reason == "" {
		w.Reason = reasonToRotate(ctx, keeper)
	}
	run, err := keeper.Wish(ctx, w)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("stopped asking; whether the keeper took the wish says: starter status %s", farmName)
	case err != nil:
		return a.refused(ctx, c, farmName, err)
	case run == nil:
		return a.accept(farmName, accepted{Farm: farmName, WorkflowID: workflows.ControllerID(farmName)})
	case run.Joined:
		fmt.Fprintf(a.err, "a rotation of %s is running already: attached to it, and started none for: %s\n", farmName, w.Reason)
	}
	if detach {
		return a.accept(farmName, accepted{Farm: farmName, WorkflowID: run.ID(), RunID: run.RunID(), Attached: run.Joined})
	}
	wanted := []farm.Outcome{farm.Verified, farm.NoChange}
	if w.Kind == controller.RequestRollback {
		wanted = []farm.Outcome{farm.RolledBack}
	}
	return a.follow(ctx, c, farmName, run, a.err, wanted...)
}

// refused says why a keeper or a rotation did not do as it was told.
func (a *app) refused(ctx context.Context, c client.Client, farmName string, err error) error {
	if refused, ok := errors.AsType[*rotation.RefusedError](err); ok {
		return fmt.Errorf("%s: refused: %s", farmName, refused.Reason)
	}
	return fmt.Errorf("%s: %w", farmName, a.explain(ctx, c, err))
}

// reasonToRotate is why a person rotates who does not say it: the certificate
// has expired, or nothing that could be known here.
func reasonToRotate(ctx context.Context, k rotation.Keeper) string {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	known, err := k.Knows(ctx)
	// A keeper that does not answer costs no more than these words.
	if c := known.Current; err == nil && c.Thumbprint != "" && !c.NotAfter.After(time.Now()) {
		return fmt.Sprintf("expired: certificate %s ended on %s", c.Thumbprint.Short(), c.NotAfter.UTC().Format(time.DateOnly))
	}
	return "asked for"
}

func (a *app) accept(farmName string, told accepted) error {
	return a.show(told, func(w io.Writer) error {
		what := "workflow " + told.WorkflowID
		if told.RunID != "" {
			what += ", run " + told.RunID
		}
		_, err := fmt.Fprintf(w, "%s: accepted by %s; see what it does: starter status %s\n", farmName, what, farmName)
		return err
	})
}
