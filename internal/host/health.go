package host

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/workflows"
)

// pollsWithin is how recent the last poll of a worker is that runs: a poll takes up
// to a minute, and Temporal shows those of one partition of the task queue.
const pollsWithin = 3 * time.Minute

// CheckPolling returns an error unless a worker on this machine, by its host name,
// has asked Temporal for work of a site within the last minutes. A worker that
// stopped asking, although its process runs, is noticed after three.
func CheckPolling(ctx context.Context, c temporal.Client, site, machine string) error {
	queue := workflows.TaskQueue(site)
	for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
		described, err := c.DescribeTaskQueue(ctx, queue, kind)
		if err != nil {
			return fmt.Errorf("look for workers of task queue %s: %w", queue, err)
		}
		for _, p := range described.Pollers {
			if isOn(p.Identity, machine) && time.Since(p.LastAccessTime.AsTime()) < pollsWithin {
				return nil
			}
		}
	}
	return fmt.Errorf("no worker on %s has polled task queue %s for %s", machine, queue, pollsWithin)
}

// isOn reports whether a worker's identity names the machine that it runs on.
func isOn(identity, machine string) bool {
	parts := strings.FieldsFunc(identity, func(r rune) bool { return r == '@' || r == ' ' })
	return slices.Contains(parts, machine)
}
