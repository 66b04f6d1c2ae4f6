package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// heartbeatInterval is how often an activity sends a heartbeat to Temporal, far
// more often than every heartbeat timeout in package workflows. Without
// heartbeats, a cancellation, a pause or a dead worker would go unnoticed.
const heartbeatInterval = 2 * time.Second

// runScript runs a script, with heartbeats, and classifies its error.
func runScript[R any](ctx context.Context, r powershell.Runner, t powershell.Target, params powershell.Params[R]) (R, error) {
	stop := startHeartbeat(ctx)
	defer stop()
	result, err := powershell.Run(ctx, r, t, params)
	if err != nil && ctx.Err() != nil {
		// The activity timed out or was cancelled; the call's own error is only a
		// consequence.
		return result, context.Cause(ctx)
	}
	return result, classifyError(err, attemptOf(ctx))
}

// startHeartbeat sends heartbeats until stop is called.
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
				sendHeartbeat(ctx)
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// conditionTimeout is how long a step waits for its effect: for a restarted
// server to answer, or for a setting to arrive. It is shorter than the step's
// own timeouts, so that the operator reads what was missing and not that an
// activity timed out.
const conditionTimeout = 8 * time.Minute

// errWorkerStops ends a wait so that another worker can take over at once.
var errWorkerStops = errors.New("the worker is stopping; another one takes over")

// awaitCondition calls check until it reports that the condition holds, or
// returns an error. While the condition does not hold, check describes what it
// found instead.
func (a *Activities) awaitCondition(ctx context.Context, check func() (done bool, instead string, err error)) error {
	return a.awaitWithin(ctx, conditionTimeout, a.Poll, check)
}

// awaitWithin calls check until it reports that the condition holds, or returns an
// error, with a pause after each call. While the condition does not hold, check
// describes what it found instead.
func (a *Activities) awaitWithin(ctx context.Context, timeout, pause time.Duration, check func() (done bool, instead string, err error)) error {
	for began := a.Now(); ; {
		done, instead, err := check()
		switch {
		case err != nil || done:
			return err
		case a.Now().Sub(began) > timeout:
			return waitTimedOut(attemptOf(ctx), "%s, after %s", instead, farm.FormatDuration(timeout))
		}
		if err := sleepBetweenPolls(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", instead, err)
		}
	}
}

func sleepBetweenPolls(ctx context.Context, pause time.Duration) error {
	sendHeartbeat(ctx)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-workerStops(ctx):
		return errWorkerStops
	case <-timer.C:
		return nil
	}
}
