package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

func (a *app) planCommand() *cobra.Command {
	var by client.Author
	var accept []string
	var asked planned
	c := &cobra.Command{
		Use:   "plan FARM",
		Short: "Show what a rotation, or undoing one, would do; change nothing",
		Long: `Has a worker inspect every server of a farm, and shows what a rotation would do there,
and why, which servers it would restart, in which order, and about how long that takes.
Nothing is changed. Exit code 0 means that there is nothing to do, 4 that there is, 3 that
a precondition does not hold, 1 that a server could not be observed.

"farmtrust rotate" then does what is shown. With --accept the plan shows what a rotation
would do that accepts the same; nothing is accepted yet.

--undo, --rollback and --retire show the same of "farmtrust undo", of "farmtrust rollback"
and of the retirement of the old certificate, --skip of a rotation that leaves a server
out.`,
		Example: `  farmtrust plan contoso
  farmtrust plan contoso --undo
  farmtrust plan contoso --skip oos-03.contoso.com
  farmtrust plan contoso --accept pending-reboot@oos-02.contoso.com --reason "patched today"
  farmtrust plan contoso -o json`,
		Args:              oneFarm,
		ValidArgsFunction: a.completeFarm,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkAccept(accept); err != nil {
				return err
			}
			if err := asked.check(accept); err != nil {
				return err
			}
			if asked != (planned{}) {
				return a.preview(cmd.Context(), args[0], asked)
			}
			if len(accept) > 0 {
				if err := a.completeAuthor(&by); err != nil {
					return err
				}
			}
			return a.plan(cmd.Context(), args[0], farm.NewAcceptances(accept, by.By, by.Reason, time.Now()))
		},
	}
	addAuthorFlags(c, &by, "the `reason` that a report would show; required with --accept")
	addAcceptFlag(c, &accept)
	asked.addFlags(c)
	return c
}

// addAcceptFlag adds --accept.
func addAcceptFlag(c *cobra.Command, accept *[]string) {
	c.Flags().StringArrayVar(accept, "accept", nil, "accept a `finding` that stops the rotation: CODE or CODE@SERVER")
}

// checkAccept refuses what nobody can accept.
func checkAccept(accept []string) error {
	if err := farm.CheckAcceptances(accept); err != nil {
		return usageErrorf("%w", err)
	}
	return nil
}

func (a *app) plan(ctx context.Context, farmName string, accepted []farm.Acceptance) error {
	f, err := a.connectToFarm(ctx, farmName)
	if err != nil {
		return err
	}
	inspection, err := a.inspect(ctx, f)
	if err != nil {
		return err
	}
	var notAccepted error
	if report.AssessInspection(inspection) != report.Unobserved {
		inspection.Findings, notAccepted = farm.ApplyAcceptances(inspection.Findings, accepted)
	}
	if err := a.show(report.NewInspection(inspection), func(w io.Writer) error { return a.writePage(w, report.Plan(inspection)) }); err != nil {
		return err
	}
	if notAccepted != nil {
		return &exitError{code: exitRefused, err: fmt.Errorf("%s: %w", farmName, notAccepted)}
	}
	switch report.AssessInspection(inspection) {
	case report.Unobserved:
		return &exitError{code: exitFailed}
	case report.Stopped:
		return &exitError{code: exitRefused}
	case report.Differs:
		return &exitError{code: exitDiffers}
	default:
		return nil
	}
}

// inspect has a worker inspect a farm. One that no worker has in its configuration any
// more is not tried: that would only leave a failed workflow.
func (a *app) inspect(ctx context.Context, f client.Farm) (farm.Inspection, error) {
	return a.inspectBy(ctx, f, client.Farm.Inspect)
}

// inspectBy is [app.inspect] with the way to inspect.
func (a *app) inspectBy(ctx context.Context, f client.Farm, inspect func(client.Farm, context.Context) (farm.Inspection, error)) (farm.Inspection, error) {
	if s, err := f.Summary(ctx); err == nil && s.Phase == controller.Unmanaged {
		return farm.Inspection{}, usageErrorf("%s: no worker has the farm in its configuration any more: %s", f.Name(), a.commandLine(report.StatusCommand(f.Name())))
	}
	inspection, err := inspect(f, ctx)
	if err != nil {
		return inspection, a.explainEnd(ctx, f.Name(), err)
	}
	return inspection, nil
}
