package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"
)

// forEach runs a step on every host, at most atOnce at the same time, and waits
// for all of them: a step that fails on one server is still finished on the
// others, so that running it again finds less to do.
func forEach(ctx workflow.Context, hosts []string, atOnce int, step func(ctx workflow.Context, host string) error) error {
	slots := workflow.NewSemaphore(ctx, int64(max(atOnce, 1)))
	group := workflow.NewWaitGroup(ctx)
	failures := make([]error, len(hosts))
	for i, host := range hosts {
		group.Add(1)
		workflow.GoNamed(ctx, host, func(ctx workflow.Context) {
			defer group.Done()
			if failures[i] = slots.Acquire(ctx, 1); failures[i] != nil {
				return
			}
			defer slots.Release(1)
			failures[i] = step(ctx, host)
		})
	}
	// The group ends when every host's coroutine has, cancelled or not.
	group.Wait(ctx)
	return errors.Join(failures...)
}
