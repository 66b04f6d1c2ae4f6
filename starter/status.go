package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// answering is how long a worker may take to answer a question.
const answering = 10 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status [FARM]",
		Short: "Show the running or last rotation of a farm, or of all farms",
		Long: `Shows the running or last rotation of a farm: what was done on each server, and what
is left. Without a farm it lists the running or last rotation of all. With --watch
it shows a running one live until it ends, and exits as rotate does.`,
		Example: `  starter status
  starter status contoso
  starter status contoso --watch`,
		ValidArgsFunction: a.farmNames,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return oneFarm(cmd, args)
			}
			if watch {
				return wrong("--watch needs a farm")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			if len(args) == 0 {
				return a.overview(cmd.Context(), c)
			}
			return a.status(cmd.Context(), c, args[0], watch)
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it live until it ends")
	return c
}

func (a *app) status(ctx context.Context, c client.Client, farmName string, watch bool) error {
	id := workflows.RotateID(farmName)
	described, err := c.DescribeWorkflowExecution(ctx, id, "")
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		return fmt.Errorf("%s: no rotation, or none within Temporal's retention; start one: starter rotate %s", farmName, farmName)
	case err != nil:
		return fmt.Errorf("look at %s: %w", id, a.explain(ctx, c, err))
	}
	info := described.WorkflowExecutionInfo
	run := c.GetWorkflow(ctx, id, info.Execution.RunId)
	running := info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	switch {
	case running && watch:
		w := a.out
		if a.output == outputJSON {
			w = a.err
		}
		if err := a.hint(ctx, c); err != nil {
			return err
		}
		return a.follow(ctx, c, farmName, run, w)
	case running:
		return a.running(ctx, c, farmName, run)
	default:
		return a.ended(ctx, c, farmName, run, watch)
	}
}

// running asks the rotation itself, which a worker must answer.
func (a *app) running(ctx context.Context, c client.Client, farmName string, run client.WorkflowRun) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	s, err := query(ctx, c, run.GetID(), run.GetRunID())
	var notYet *serviceerror.QueryFailed
	switch {
	case errors.As(err, &notYet):
		return fmt.Errorf("%s: the rotation has only just begun; ask again", farmName)
	case err != nil:
		return fmt.Errorf("%s: a rotation is running, but no worker answers for it: %w; start one: worker -config FILE", farmName, err)
	}
	return a.show(s, func(w io.Writer) error { return console.Status(w, s, time.Now()) })
}

// ended shows what a rotation left. That it ended badly is no failure of the
// question, unless somebody wanted to watch it end well.
func (a *app) ended(ctx context.Context, c client.Client, farmName string, run client.WorkflowRun, watch bool) error {
	var report farm.Report
	failed := run.Get(ctx, &report)
	report, err := settled(report, failed)
	switch {
	case err != nil:
		return a.broken(ctx, c, farmName, err)
	case watch:
		return a.conclude(report)
	}
	s := workflows.Status{Phase: workflows.Done, Report: report}
	return a.show(s, func(w io.Writer) error { return console.Report(w, report) })
}
