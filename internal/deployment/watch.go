package deployment

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
)

// state is what Temporal's routing means for a version.
type state string

const (
	// noCurrent: new workflows run nowhere. Temporal accepts them all the same.
	noCurrent state = "no version is current"
	// otherCurrent: new workflows run on another version, and this one continues
	// what began on it.
	otherCurrent state = "another version is current"
	// current: new workflows run on this version.
	current state = "this version is current"
)

// Watch logs whether the version is current, at once and after each change, until
// ctx is done. While no version is current it repeats that each minute: nothing
// runs then, and nothing else shows it. It does nothing for a worker that is not
// versioned.
func (v Version) Watch(ctx context.Context, c client.Client, log *zap.Logger) {
	v.watch(ctx, c, log, 5*time.Second, time.Minute)
}

// watch asks at each interval, and reminds of what stops the version.
func (v Version) watch(ctx context.Context, c client.Client, log *zap.Logger, interval, remind time.Duration) {
	if v.IsZero() {
		return
	}
	log = log.With(zap.String("deployment", v.Name), zap.String("build", v.Build))
	var last state
	var logged time.Time
	for {
		switch now, err := v.readState(ctx, c); {
		case ctx.Err() != nil:
			return
		case err != nil && time.Since(logged) >= remind:
			log.Warn("cannot read which version of the worker deployment is current", zap.Error(err))
			logged = time.Now()
		case err == nil && (now != last || now == noCurrent && time.Since(logged) >= remind):
			v.logState(log, now)
			last, logged = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
	}
}

func (v Version) logState(log *zap.Logger, s state) {
	switch s {
	case noCurrent:
		log.Warn("no version of the worker deployment is current, so no workflow runs; run: " + v.SetCurrentCommand())
	case otherCurrent:
		log.Info("another version of the worker deployment is current, and this one continues only what began on it; to change that, run: " + v.SetCurrentCommand())
	case current:
		log.Info("this version of the worker deployment is current")
	}
}

// readState asks Temporal which version is current. A deployment that does not exist
// comes with the first poll of a worker.
func (v Version) readState(ctx context.Context, c client.Client) (state, error) {
	described, err := c.WorkerDeploymentClient().GetHandle(v.Name).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return noCurrent, nil
	}
	if err != nil {
		return "", err
	}
	switch routed := described.Info.RoutingConfig.CurrentVersion; {
	case routed == nil:
		return noCurrent, nil
	case routed.BuildID != v.Build:
		return otherCurrent, nil
	}
	return current, nil
}
