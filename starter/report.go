package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/workflows"
)

func (a *app) reportCommand() *cobra.Command {
	var retirement bool
	c := &cobra.Command{
		Use:   "report FARM",
		Short: "Show the report of the last rotation that ended",
		Long: `Shows the report of the last rotation or undo of a farm that ended, however it ended:
what was done on each server, who decided what and why, and what differs. It needs no
worker. With -o html it is one page that needs no other file, to be kept or sent.`,
		Example: `  starter report contoso
  starter report contoso --retirement
  starter report contoso -o html`,
		Args:              oneFarm,
		ValidArgsFunction: a.farmNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			id := workflows.RotateID(args[0])
			if retirement {
				id = workflows.RetireID(args[0])
			}
			return a.report(cmd.Context(), args[0], id)
		},
	}
	c.Flags().BoolVar(&retirement, "retirement", false, "the last retirement of an old certificate instead")
	return c
}

func (a *app) report(ctx context.Context, farmName, id string) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var last *workflow.WorkflowExecutionInfo
	err = a.list(ctx, c, fmt.Sprintf("WorkflowId = %q AND ExecutionStatus != 'Running'", id), func(e *workflow.WorkflowExecutionInfo) error {
		if last == nil || e.StartTime.AsTime().After(last.StartTime.AsTime()) {
			last = e
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case last == nil:
		return fmt.Errorf("%s: no %s has ended, or none within Temporal's retention: starter status %s", farmName, id, farmName)
	}
	report, err := rotation.At(ctx, c, id, last.Execution.RunId).Report(ctx)
	if err != nil {
		return a.broken(ctx, c, farmName, err)
	}
	if a.output == outputHTML {
		return console.HTML(a.out, report)
	}
	return a.showReport(report)
}

// list has each workflow seen that a query of Temporal's visibility finds.
func (a *app) list(ctx context.Context, c client.Client, query string, see func(*workflow.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query}
	for {
		page, err := c.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list workflows (%s): %w", query, a.explain(ctx, c, err))
		}
		for _, e := range page.Executions {
			if err := see(e); err != nil {
				return err
			}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

// formats lists what -o may be for a command.
func formats(c *cobra.Command) []string {
	if c.Name() == "report" {
		return []string{outputTable, outputJSON, outputHTML}
	}
	return []string{outputTable, outputJSON}
}
