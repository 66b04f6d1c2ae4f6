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

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
	"github.com/farmtrust/farmtrust/workflows"
)

// answering is how long a worker may take to answer a question.
const answering = 10 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:   "status [FARM]",
		Short: "Show a farm's page and what is at work there, or all farms",
		Long: `Shows the page of a farm: until when the trust holds, when it was last looked at, what
its keeper waits for, what a person should do, whether it is held, and what can be
undone. Then what is at work there or was last: each server, what is waited for, and
how to decide. Without a farm it lists all. With --watch it shows what is at work live
until it ends: exit code 0 if verified, already, or undone, else as rotate.`,
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
			switch {
			case len(args) == 0:
				return a.overview(cmd.Context(), c)
			case watch:
				return a.watch(cmd.Context(), c, args[0])
			default:
				return a.status(cmd.Context(), c, args[0])
			}
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it live until it ends")
	return c
}

// state is what programs read of a farm: its page, and the fields of what is
// at work or was last.
type state struct {
	Keeper *console.KeeperPage `json:"keeper,omitempty"`
	*farm.Status
}

// status shows a farm's page, then what is at work or was last.
func (a *app) status(ctx context.Context, c client.Client, farmName string) error {
	keeping, unkept := a.page(ctx, c, farmName)
	s, err := a.work(ctx, c, farmName)
	switch {
	case unkept != nil && (err != nil || s == nil):
		return errors.Join(err, unkept)
	case unkept != nil:
		fmt.Fprintln(a.err, unkept)
	case err != nil:
		fmt.Fprintln(a.err, err)
	}
	told := state{Status: s}
	if keeping != nil {
		page := console.PageOf(*keeping)
		told.Keeper = &page
	}
	return a.show(told, func(w io.Writer) error {
		var written []error
		if keeping != nil {
			written = append(written, console.Keeper(w, *keeping, time.Now()))
		}
		if keeping != nil && s != nil {
			_, err := fmt.Fprintln(w)
			written = append(written, err)
		}
		if s != nil {
			written = append(written, console.Status(w, *s, time.Now()))
		}
		return errors.Join(written...)
	})
}

// page asks the keeper, which a worker must answer for.
func (a *app) page(ctx context.Context, c client.Client, farmName string) (*controller.State, error) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	known, err := rotation.KeeperOf(c, farmName).Knows(ctx)
	var notYet *serviceerror.QueryFailed
	switch {
	case errors.Is(err, rotation.ErrNoKeeper):
		return nil, fmt.Errorf("%s: %w", farmName, err)
	case errors.As(err, &notYet):
		return nil, fmt.Errorf("%s: the keeper has only just begun; ask again", farmName)
	case err != nil:
		return nil, fmt.Errorf("%s: no worker answers for the keeper: %w; start one: worker -config FILE", farmName, a.explain(ctx, c, err))
	}
	return &known, nil
}

// work returns how far the work at hand is, or how the last rotation ended;
// nil if there was none.
func (a *app) work(ctx context.Context, c client.Client, farmName string) (*farm.Status, error) {
	run, err := rotation.KeeperOf(c, farmName).AtWork(ctx)
	if err != nil {
		return nil, a.explain(ctx, c, err)
	}
	if run != nil {
		return a.running(ctx, farmName, run)
	}
	report, err := a.last(ctx, c, workflows.RotateID(farmName))
	switch {
	case err != nil:
		return nil, a.broken(ctx, c, farmName, err)
	case report == nil:
		return nil, nil
	}
	return &farm.Status{Phase: farm.PhaseDone, Report: *report}, nil
}

// running asks the rotation itself, which a worker must answer for.
func (a *app) running(ctx context.Context, farmName string, run *rotation.Run) (*farm.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	s, err := run.Status(ctx)
	var notYet *serviceerror.QueryFailed
	switch {
	case errors.As(err, &notYet):
		return nil, fmt.Errorf("%s: %s has only just begun; ask again", farmName, run.ID())
	case err != nil:
		return nil, fmt.Errorf("%s: %s is running, but no worker answers for it: %w; start one: worker -config FILE", farmName, run.ID(), err)
	}
	return &s, nil
}

// last returns the report of the last run of a workflow; nil if there is none
// within Temporal's retention.
func (a *app) last(ctx context.Context, c client.Client, id string) (*farm.Report, error) {
	described, err := c.DescribeWorkflowExecution(ctx, id, "")
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", id, a.explain(ctx, c, err))
	case described.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		// It was not a moment ago.
		return nil, fmt.Errorf("%s has only just begun; ask again", id)
	}
	report, err := rotation.At(ctx, c, id, described.WorkflowExecutionInfo.Execution.RunId).Report(ctx)
	return &report, err
}

// watch shows what is at work until it ends, or how the last rotation ended.
func (a *app) watch(ctx context.Context, c client.Client, farmName string) error {
	run, err := rotation.KeeperOf(c, farmName).AtWork(ctx)
	if err != nil {
		return a.explain(ctx, c, err)
	}
	good := []farm.Outcome{farm.Verified, farm.NoChange, farm.RolledBack}
	if run != nil {
		w := a.out
		if a.output == outputJSON {
			w = a.err
		}
		if err := a.hint(ctx, c); err != nil {
			return err
		}
		return a.follow(ctx, c, farmName, run, w, good...)
	}
	report, err := a.last(ctx, c, workflows.RotateID(farmName))
	switch {
	case err != nil:
		return a.broken(ctx, c, farmName, err)
	case report == nil:
		return never(farmName)
	}
	return a.conclude(*report, good...)
}

func never(farmName string) error {
	return fmt.Errorf("%s: no rotation, or none within Temporal's retention; start one: starter rotate %s", farmName, farmName)
}
