package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/workflows"
)

// DefaultExpiry is how long a request may wait to be begun: longer than an inspection
// takes, and not so long that it comes as a surprise.
const DefaultExpiry = 15 * time.Minute

// Expiring returns the farm whose requests may wait so long to be begun; zero is
// [DefaultExpiry].
func (f Farm) Expiring(after time.Duration) Farm {
	f.expiry = after
	return f
}

// AbandonedError means that the one who asked stopped waiting, and what became of the
// request.
type AbandonedError struct {
	Kind controller.RequestKind
	// Withdrawn reports whether nothing will be begun for it, also when a worker takes
	// it later. Otherwise Problem says why that is not known.
	Withdrawn bool
	Problem   error
	// Expires is when nothing will be begun for it in any case.
	Expires time.Time
}

// Error says what became of the request.
func (e *AbandonedError) Error() string {
	if e.Withdrawn {
		return fmt.Sprintf("the request to %s is withdrawn: nothing was begun, and nothing will be", e.Kind)
	}
	return fmt.Sprintf("it is not known whether the request to %s is withdrawn (%v); it expires at %s", e.Kind, e.Problem, e.Expires.UTC().Format(time.TimeOnly+" UTC"))
}

// Unwrap returns the problem.
func (e *AbandonedError) Unwrap() error { return e.Problem }

// Abandoning is bounded: the signal is stored by Temporal in a moment, and a worker that
// runs answers within a second or two.
const (
	withdrawTimeout = 10 * time.Second
	withdrawnWithin = 3 * time.Second
)

// isGivenUp reports whether nobody waits for an answer any more: the caller, or Temporal,
// which notices a deadline first.
func isGivenUp(ctx context.Context, err error) bool {
	_, timedOut := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err)
	return timedOut || ctx.Err() != nil
}

// abandon withdraws a request whose answer nobody waits for any more, and returns the
// run if it had started before that. A withdrawal is a signal, which Temporal keeps: a
// worker that starts later finds it before the request.
func (f Farm) abandon(ctx context.Context, updateID string, r controller.Request) (started workflows.StartedRun, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeout)
	defer cancel()
	abandoned := &AbandonedError{Kind: r.Kind, Expires: r.Expires}
	err = f.temporal.SignalWorkflow(ctx, f.ControllerID(), "", workflows.WithdrawSignal, controller.Withdrawal{ID: updateID})
	var notFound *serviceerror.NotFound
	switch {
	case errors.As(err, &notFound):
		abandoned.Withdrawn = true // it has not arrived
		return started, abandoned
	case err != nil:
		abandoned.Problem = err
		return started, abandoned
	}
	answering, stop := context.WithTimeout(ctx, withdrawnWithin)
	defer stop()
	handle := f.temporal.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: f.ControllerID(), UpdateID: updateID})
	if err = handle.Get(answering, &started); err == nil {
		return started, nil
	}
	if _, refused := errors.AsType[*temporal.ApplicationError](err); refused {
		abandoned.Withdrawn = true
		return workflows.StartedRun{}, abandoned
	}
	// A controller that answers has taken the withdrawal, unless it is just beginning what
	// was asked for. Where no worker answers, the next one finds the withdrawal first.
	state, err := f.State(ctx)
	if abandoned.Withdrawn = err != nil || state.Mailbox.IsWithdrawn(updateID); !abandoned.Withdrawn {
		abandoned.Problem = errors.New("it is just being begun")
	}
	return workflows.StartedRun{}, abandoned
}
