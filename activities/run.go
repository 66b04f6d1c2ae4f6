package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// heartbeatInterval is how often an activity tells Temporal that it is alive. It is far
// below every heartbeat timeout in package workflows; without heartbeats a
// cancel, a pause or a dead worker is not noticed.
const heartbeatInterval = 2 * time.Second

// runScript runs a script while heartbeating, and classifies its error.
func runScript[R any](ctx context.Context, r powershell.Runner, t powershell.Target, params powershell.Params[R]) (R, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	result, err := powershell.Run(ctx, r, t, params)
	if err != nil && ctx.Err() != nil {
		// The caller gave up, or Temporal cancelled: the call's own error is
		// only how it came to know.
		return result, context.Cause(ctx)
	}
	return result, classifyError(err, activity.GetInfo(ctx).Attempt)
}

// startHeartbeat heartbeats until stop is called.
func startHeartbeat(ctx context.Context) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// conditionTimeout is how long a step waits for what it started: a restarted server to
// answer, a setting to arrive. It ends before the step's own time does, so that
// an operator reads what was waited for and not that time ran out.
const conditionTimeout = 8 * time.Minute

// errWorkerStops ends a wait so that another worker goes on with it at once.
var errWorkerStops = errors.New("the worker stops; another goes on")

// awaitCondition polls until a condition holds: seen reports so, or what it saw
// instead.
func (a *Activities) awaitCondition(ctx context.Context, seen func() (done bool, instead string, err error)) error {
	for began := a.Now(); ; {
		done, instead, err := seen()
		switch {
		case err != nil || done:
			return err
		case a.Now().Sub(began) > conditionTimeout:
			return waitTimedOut(activity.GetInfo(ctx).Attempt, "%s, after %s", instead, conditionTimeout)
		}
		if err := a.sleepBetweenPolls(ctx); err != nil {
			return fmt.Errorf("%s: %w", instead, err)
		}
	}
}

// sleepBetweenPolls waits between two polls.
func (a *Activities) sleepBetweenPolls(ctx context.Context) error {
	activity.RecordHeartbeat(ctx)
	timer := time.NewTimer(a.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-activity.GetWorkerStopChannel(ctx):
		return errWorkerStops
	case <-timer.C:
		return nil
	}
}
