// Package replay finds the open workflows of a namespace that this build could not
// continue, by replaying their histories with its own code.
//
// It changes nothing and runs no activity. It knows no workflow but those that its
// caller registers.
package replay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// Options say which workflows to replay.
type Options struct {
	Client    client.Client
	Namespace string
	// TaskQueue restricts the workflows to those of one queue, if it is not empty.
	TaskQueue string
	// Types are the names of the workflow types, and Register registers their code.
	Types    []string
	Register func(worker.WorkflowRegistry)
	// Report is called for each workflow that would break, one at a time, as soon as
	// that is known; it may be nil.
	Report func(Break)
}

// Break is an open workflow that this build could not continue.
type Break struct {
	WorkflowID, RunID string
	// Reason is one line.
	Reason string
}

// Result is what a replay found.
type Result struct {
	// Replayed counts the workflows, with those that would break.
	Replayed int
	Breaks   []Break
}

// Run replays the open workflows that o names. Temporal's visibility store lists
// them, so one that began within the last moments may be missing.
func Run(ctx context.Context, o Options) (Result, error) {
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		// A busy machine must not look like broken code.
		DisableDeadlockDetection: true,
	})
	if err != nil {
		return Result{}, fmt.Errorf("set up the replay: %w", err)
	}
	o.Register(replayer)
	var result Result
	found, fetching := make(chan *Break), new(errgroup.Group)
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for b := range found {
			result.Replayed++
			if b == nil {
				continue
			}
			result.Breaks = append(result.Breaks, *b)
			if o.Report != nil {
				o.Report(*b)
			}
		}
	}()
	// A history is fetched and replayed by one goroutine, and may be some megabytes.
	fetching.SetLimit(runtime.GOMAXPROCS(0) + 1)
	err = listOpen(ctx, o, func(e *workflowpb.WorkflowExecutionInfo) {
		fetching.Go(func() error { return replayOne(ctx, o, replayer, e, found) })
	})
	err = errors.Join(err, fetching.Wait())
	close(found)
	<-collected
	slices.SortFunc(result.Breaks, func(a, b Break) int { return strings.Compare(a.WorkflowID+a.RunID, b.WorkflowID+b.RunID) })
	return result, err
}

// listOpen calls do for each open workflow.
func listOpen(ctx context.Context, o Options, do func(*workflowpb.WorkflowExecutionInfo)) error {
	query := fmt.Sprintf("ExecutionStatus = 'Running' AND WorkflowType IN ('%s')", strings.Join(o.Types, "', '"))
	if o.TaskQueue != "" {
		query += fmt.Sprintf(" AND TaskQueue = '%s'", o.TaskQueue)
	}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: o.Namespace, Query: query}
	for {
		page, err := o.Client.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list open workflows: %w", err)
		}
		for _, e := range page.Executions {
			do(e)
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

// replayOne sends what the replay of a workflow finds: nil if this build can
// continue it, nothing if Temporal has deleted it meanwhile.
func replayOne(ctx context.Context, o Options, replayer worker.WorkflowReplayer, e *workflowpb.WorkflowExecutionInfo, found chan<- *Break) error {
	id, runID := e.Execution.WorkflowId, e.Execution.RunId
	history, err := fetchHistory(ctx, o.Client, id, runID)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return nil
	case err != nil:
		return fmt.Errorf("read the history of %s (run %s): %w", id, runID, err)
	case !hasDecided(history):
		found <- nil
		return nil
	}
	err = replayer.ReplayWorkflowHistoryWithOptions(connect.NewLogger(zap.NewNop()), history,
		worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: id, RunID: runID}})
	if err != nil {
		found <- &Break{WorkflowID: id, RunID: runID, Reason: oneLine(err)}
		return nil
	}
	found <- nil
	return nil
}

func fetchHistory(ctx context.Context, c client.Client, id, runID string) (*historypb.History, error) {
	history := &historypb.History{}
	events := c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}
		history.Events = append(history.Events, event)
	}
	return history, nil
}

// hasDecided reports whether workflow code has run: a history without that cannot
// contradict any.
func hasDecided(h *historypb.History) bool {
	return slices.ContainsFunc(h.Events, func(e *historypb.HistoryEvent) bool {
		return e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
	})
}
