package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// Attempted is what the error of an activity says, in its details, of the attempts at
// it, the failed one included. While more follow, clients find it in the pending
// activities of the run.
type Attempted struct {
	Count int `json:"count"`
	// Server is the host that the activity is about; empty where it is about none.
	Server string `json:"server,omitempty"`
}

// AttemptsOf returns how many attempts an error says that there were; at least the one
// that failed.
func AttemptsOf(err error) int {
	var a Attempted
	if application, ok := errors.AsType[*temporal.ApplicationError](err); !ok || application.Details(&a) != nil {
		return 1
	}
	return max(a.Count, 1)
}

// failedAttempt is what a failed attempt leaves to the next one in its last heartbeat:
// Temporal tells a workflow of the last attempt alone.
type failedAttempt struct {
	Error string `json:"error"`
}

// countAttempt has each activity say how often it was tried, why the attempt before failed,
// and which build of the worker did it.
func countAttempt(version string) func(context.Context, *interceptor.ExecuteActivityInput, executor) (any, error) {
	return func(ctx context.Context, in *interceptor.ExecuteActivityInput, next executor) (any, error) {
		result, err := next(ctx, in)
		if err != nil {
			return result, noteFailure(ctx, in.Args, err)
		}
		switch r := result.(type) {
		case StepResult:
			r.Version, r.Attempts, r.LastError = version, int(activity.GetInfo(ctx).Attempt), lastFailure(ctx)
			return r, nil
		case Comparison:
			r.Version = version
			return r, nil
		case EndResult:
			r.Version = version
			return r, nil
		}
		return result, nil
	}
}

// lastFailure is the error of the attempt before; empty where there was none, or where
// its worker was gone before it could say.
func lastFailure(ctx context.Context) string {
	var before failedAttempt
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &before) != nil {
		return ""
	}
	return before.Error
}

// noteFailure leaves an error to the next attempt, and returns it with the number of
// attempts.
func noteFailure(ctx context.Context, args []any, err error) error {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || application.HasDetails() {
		return err
	}
	if !application.NonRetryable() {
		activity.RecordHeartbeat(ctx, failedAttempt{application.Message()})
	}
	_, server := subjectOf(args)
	return temporal.NewApplicationErrorWithOptions(application.Message(), application.Type(), temporal.ApplicationErrorOptions{
		NonRetryable: application.NonRetryable(), Cause: errors.Unwrap(application), NextRetryDelay: application.NextRetryDelay(),
		Details: []any{Attempted{int(activity.GetInfo(ctx).Attempt), server}},
	})
}
