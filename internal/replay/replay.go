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
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/payload"
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
	// Converters read the histories; the zero value reads them in clear.
	Converters payload.Converters
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
	options := worker.WorkflowReplayerOptions{
		// A busy machine must not look like broken code.
		DisableDeadlockDetection: true,
		DataConverter:            o.Converters.Data, FailureConverter: o.Converters.Failure,
	}
	if o.Converters.Signals != nil {
		options.Interceptors = []interceptor.WorkerInterceptor{o.Converters.Signals}
	}
	replayer, err := worker.NewWorkflowReplayerWithOptions(options)
	if err != nil {
		return Result{}, fmt.Errorf("set up the replay: %w", err)
	}
	o.Register(replayer)
	r := &run{Options: o, replayer: replayer}
	var replays errgroup.Group
	// Each holds a history, which may have some megabytes.
	replays.SetLimit(runtime.GOMAXPROCS(0) + 1)
	err = r.listOpen(ctx, func(e *workflowpb.WorkflowExecutionInfo) {
		replays.Go(func() error { return r.replayOne(ctx, e.Execution.WorkflowId, e.Execution.RunId) })
	})
	err = errors.Join(err, replays.Wait())
	slices.SortFunc(r.result.Breaks, func(a, b Break) int { return strings.Compare(a.WorkflowID+a.RunID, b.WorkflowID+b.RunID) })
	return r.result, err
}

// run is a replay that runs.
type run struct {
	Options

	replayer worker.WorkflowReplayer
	mu       sync.Mutex
	result   Result
}

// note counts a workflow that was replayed, and keeps and reports why it broke, if
// it did.
func (r *run) note(broken *Break) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Replayed++
	if broken == nil {
		return
	}
	r.result.Breaks = append(r.result.Breaks, *broken)
	if r.Report != nil {
		r.Report(*broken)
	}
}

// listOpen calls do for each open workflow.
func (r *run) listOpen(ctx context.Context, do func(*workflowpb.WorkflowExecutionInfo)) error {
	query := fmt.Sprintf("ExecutionStatus = 'Running' AND WorkflowType IN ('%s')", strings.Join(r.Types, "', '"))
	if r.TaskQueue != "" {
		query += fmt.Sprintf(" AND TaskQueue = '%s'", r.TaskQueue)
	}
	request := &workflowservice.ListWorkflowExecutionsRequest{Namespace: r.Namespace, Query: query}
	for {
		page, err := r.Client.ListWorkflow(ctx, request)
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

// replayOne notes what the replay of a workflow finds: nothing if Temporal has
// deleted it meanwhile.
func (r *run) replayOne(ctx context.Context, id, runID string) error {
	history, err := fetchHistory(ctx, r.Client, id, runID)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		return nil
	case err != nil:
		return fmt.Errorf("read the history of %s (run %s): %w", id, runID, err)
	case !hasDecided(history):
		r.note(nil)
		return nil
	}
	if err := r.replayer.ReplayWorkflowHistoryWithOptions(connect.NewLogger(zap.NewNop()), history,
		worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: id, RunID: runID}}); err != nil {
		r.note(&Break{WorkflowID: id, RunID: runID, Reason: oneLine(err)})
		return nil
	}
	r.note(nil)
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
