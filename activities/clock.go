package activities

import (
	"context"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// maxSkew is the skew up to which a server's clock counts as equal to the worker's.
// The skew is measured across a network call, so a smaller one is noise, and to
// correct for noise would reorder events on one server.
const maxSkew = time.Second

// observeServer runs a script that observes, and measures how far the server's
// clock is ahead of the worker's.
//
// Scripts read the clock last, just before the result leaves the server. A
// result that is delayed on the way still makes the clock look further behind
// than it is, and then a completed restart looks pending. So a server whose
// clock differs is read twice, and the larger skew is used.
func observeServer[R any](ctx context.Context, a *Activities, r powershell.Runner, t powershell.Target, params powershell.Params[R], clock func(R) time.Time) (R, time.Duration, error) {
	seen, skew, err := measureSkew(ctx, a, r, t, params, clock)
	if err != nil || skew == 0 {
		return seen, skew, err
	}
	seen, again, err := measureSkew(ctx, a, r, t, params, clock)
	return seen, max(skew, again), err
}

func measureSkew[R any](ctx context.Context, a *Activities, r powershell.Runner, t powershell.Target, params powershell.Params[R], clock func(R) time.Time) (R, time.Duration, error) {
	seen, err := runScript(ctx, r, t, params)
	if err != nil {
		return seen, 0, err
	}
	skew := clock(seen).Sub(a.Now())
	if skew.Abs() < maxSkew {
		skew = 0
	}
	return seen, skew, nil
}

// convertMachine converts what a script reports about its machine. It also returns
// the function that converts the server's times to the worker's clock.
func convertMachine(host string, m powershell.Machine, skew time.Duration) (farm.Machine, func(*time.Time) time.Time) {
	toWorker := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return t.Add(-skew)
	}
	return farm.Machine{
		Host: host, Name: m.Name, Domain: m.Domain, Forest: m.Forest, WindowsBuild: m.WindowsBuild, PowerShell: m.PowerShell,
		Elevated: m.Elevated, FIPS: m.FIPS, Clock: m.Clock, Skew: skew, PendingReboot: m.PendingReboot, ConfigurationMode: m.ConfigurationMode,
	}, toWorker
}
