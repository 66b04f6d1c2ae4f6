package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// healthLook is one look at a server after its restart.
type healthLook struct {
	// trouble says why the server is not healthy; empty when it is.
	trouble string
	// stopped reports whether that is a service that does not run.
	stopped bool
	// answer says how its sites respond, and starts are when its services started.
	answer string
	starts []time.Time
}

// healthyLooks is how many looks a server must pass at least: one good answer may
// come from a process that is about to end.
const healthyLooks = 3

// awaitHealth waits until a server has been healthy for a while without a break: in
// every look, and with the same processes. Some services have been seen to start and
// to stop again soon after. It fails with [ServiceNotRunning] if a service does not run
// in the end, and with [WaitTimedOut] if another thing is wrong.
//
// Source: sharepointpain.com 2025/04, of WACSM.
func (a *Activities) awaitHealth(ctx context.Context, host string, policy farm.RotationPolicy, look func() (healthLook, error)) (answer string, err error) {
	w := &healthWatch{host: host, healthyFor: policy.HealthyFor, trouble: "no service was seen to run"}
	pause := min(a.Poll, policy.HealthyFor/healthyLooks)
	err = a.awaitWithin(ctx, policy.HealthyWithin+policy.HealthyFor, pause, func() (bool, string, error) {
		began := a.Now()
		seen, err := look()
		if err != nil {
			return false, "", err
		}
		return w.passes(seen, began, a.Now()), w.complaint(), nil
	})
	if timedOut, ok := errors.AsType[*temporal.ApplicationError](err); ok && w.last.stopped && timedOut.Type() == WaitTimedOut {
		err = temporal.NewApplicationErrorWithOptions(timedOut.Message(), ServiceNotRunning, temporal.ApplicationErrorOptions{NonRetryable: timedOut.NonRetryable()})
	}
	return w.report(), err
}

// healthWatch is what was seen of a server since its restart.
type healthWatch struct {
	host       string
	healthyFor time.Duration
	// since is when it was first seen healthy without a break, zero while it is not;
	// looks counts the looks from then on, and last is the latest.
	since time.Time
	looks int
	last  healthLook
	// trouble is what it was last not healthy for, breaks how often it was healthy
	// before.
	trouble string
	breaks  int
}

// passes takes a look into account, and reports whether the server has been healthy
// for long enough: from the end of the first look to the beginning of this one, as when
// in between a look saw something is unknown.
func (w *healthWatch) passes(seen healthLook, began, ended time.Time) bool {
	if w.looks > 0 && seen.trouble == "" && !slices.EqualFunc(seen.starts, w.last.starts, time.Time.Equal) {
		w.interrupt("a service has started once more meanwhile")
	}
	w.last = seen
	if seen.trouble != "" {
		w.interrupt(seen.trouble)
		return false
	}
	if w.looks == 0 {
		w.since = ended
	}
	w.looks++
	return w.looks >= healthyLooks && began.Sub(w.since) >= w.healthyFor
}

func (w *healthWatch) interrupt(trouble string) {
	if w.looks > 0 {
		w.breaks++
	}
	w.trouble, w.looks = trouble, 0
}

// complaint says what is in the way.
func (w *healthWatch) complaint() string {
	if w.breaks == 0 {
		return fmt.Sprintf("%s is not healthy after its restart: %s", w.host, w.trouble)
	}
	return fmt.Sprintf("%s does not stay healthy for %s after its restart; last: %s", w.host, farm.FormatDuration(w.healthyFor), w.trouble)
}

func (w *healthWatch) report() string {
	return fmt.Sprintf("%s, healthy for %s", w.last.answer, farm.FormatDuration(w.healthyFor))
}
