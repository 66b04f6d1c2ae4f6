package client

import (
	"context"
	"errors"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// nonDeterminism is the code of a history that a worker could not replay.
const nonDeterminism = "[TMPRL1100]"

// queryAttempts is how often a query is sent that could not be replayed: each time is
// another race, which is seldom lost. A history that no worker can replay fails them all.
const queryAttempts = 4

// query asks a workflow, and asks again where the answer is that its history cannot be
// replayed. Temporal reads how far a workflow has come first, and its history after
// that, so the history may hold a task that has completed in between. A worker then
// replays that task without the updates that came with it, and misses what they did.
//
// Source: Temporal server 1.32, service/matching/matching_engine.go (PollWorkflowTaskQueue
// and getHistoryForQueryTask); SDK 1.50, internal/internal_task_handlers.go
// (ProcessWorkflowTask: updates are read from the history up to PreviousStartedEventId).
func query(ctx context.Context, temporal client.Client, q *client.QueryWorkflowWithOptionsRequest) (*client.QueryWorkflowWithOptionsResponse, error) {
	for attempt := 1; ; attempt++ {
		reply, err := temporal.QueryWorkflowWithOptions(ctx, q)
		if !isOvertaken(err) || attempt == queryAttempts || waitInterval(ctx) != nil {
			return reply, err
		}
	}
}

// isOvertaken reports whether a query may have failed because its workflow went on
// while Temporal read it.
func isOvertaken(err error) bool {
	var failed *serviceerror.QueryFailed
	return errors.As(err, &failed) && strings.Contains(failed.Message, nonDeterminism)
}
