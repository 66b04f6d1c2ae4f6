package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
)

func (a *app) rotateCommand() *cobra.Command {
	var reason string
	var detach bool
	c := &cobra.Command{
		Use:   "rotate FARM",
		Short: "Bring a farm's trust to its newest certificate, and watch",
		Long: `Brings the trust of a farm to its newest certificate: sets it up, renews it, or
finishes what an earlier rotation left. Where all is as desired it changes nothing.

A farm has one rotation at a time: while one runs, this attaches to it. Ctrl-C
stops watching; the rotation goes on.`,
		Example: `  starter rotate contoso
  starter rotate contoso --reason "change 4711"
  starter rotate contoso --detach -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.farmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				reason = "asked for by " + whoami()
			}
			return a.rotate(cmd.Context(), []request{{args[0], reason}}, detach)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, as reports show it (default: who asked)")
	addDetach(c, &detach)
	return c
}

func addDetach(c *cobra.Command, detach *bool) {
	c.Flags().BoolVar(detach, "detach", false, "return once the rotation is accepted, rather than watch it")
}

// whoami is the person at the keyboard as far as the system knows: a help for
// readers of reports, not a proof.
func whoami() string {
	name := "an unknown user"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += " on " + host
	}
	return name
}

// request asks for the rotation of a farm.
type request struct{ farm, reason string }

// accepted is what programs read of a rotation that is not watched.
type accepted struct {
	Farm       string `json:"farm"`
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Attached says that it was running already.
	Attached bool `json:"attached"`
}

// rotate starts all that is asked for, then watches one after the other. The
// first that did not end well is the error.
func (a *app) rotate(ctx context.Context, requests []request, detach bool) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	runs := make([]client.WorkflowRun, len(requests))
	for i, r := range requests {
		var attached bool
		if runs[i], attached, err = a.startRotation(ctx, c, r.farm, r.reason); err != nil {
			return err
		}
		if detach {
			if err := a.accept(r.farm, runs[i], attached); err != nil {
				return err
			}
		}
	}
	if err := a.hint(ctx, c); err != nil {
		return err
	}
	if detach {
		return nil
	}
	var first error
	for i, r := range requests {
		if err := a.follow(ctx, c, r.farm, runs[i], a.err); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (a *app) accept(farmName string, run client.WorkflowRun, attached bool) error {
	told := accepted{Farm: farmName, WorkflowID: run.GetID(), RunID: run.GetRunID(), Attached: attached}
	return a.show(told, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: accepted as workflow %s, run %s; watch it: starter status %s --watch\n", farmName, told.WorkflowID, told.RunID, farmName)
		return err
	})
}
