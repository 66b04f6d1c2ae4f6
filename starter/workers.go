package main

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/client"
)

// warnOfDifference names workers of a site that have different configurations. Nothing
// that is shown depends on it, so a failure to ask is only said.
func (a *app) warnOfDifference(ctx context.Context, c client.Client) {
	workers, err := c.Workers(ctx)
	if err != nil {
		a.tell("%v", a.explain(ctx, err))
		return
	}
	if difference := client.DescribeDifference(workers); difference != "" {
		a.tell("workers of task queue %s have different configurations: %s; give all of them the same file, or each its own site", c.TaskQueue(), difference)
	}
}
