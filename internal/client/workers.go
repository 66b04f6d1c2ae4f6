package client

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// Worker is a farmtrust-worker process, as it identifies itself to Temporal.
type Worker struct {
	// Host is its machine's name.
	Host string
	// PID is its process ID.
	PID int
	// Config is the hash of its configuration; empty for a worker of another
	// program or version, whose configuration is not known.
	Config string
}

// Identity is what the worker's polls and results are signed with: in histories, and
// among the pollers of a task queue.
func (w Worker) Identity() string {
	return fmt.Sprintf("farmtrust-worker@%s pid=%d config=%s", w.Host, w.PID, w.Config)
}

// String names the worker and its configuration, for operators.
func (w Worker) String() string {
	if w.Config == "" {
		return w.Host + " (configuration not known)"
	}
	return fmt.Sprintf("%s, process %d (configuration %s)", w.Host, w.PID, w.Config)
}

var identityPattern = regexp.MustCompile(`^farmtrust-worker@(\S+) pid=(\d+) config=(\S+)$`)

// ParseWorker reads an identity. Of one that is not a [Worker.Identity], it is the
// host.
func ParseWorker(identity string) Worker {
	parts := identityPattern.FindStringSubmatch(identity)
	if parts == nil {
		return Worker{Host: identity}
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return Worker{Host: identity}
	}
	return Worker{Host: parts[1], PID: pid, Config: parts[3]}
}

// pollsWithin is how recent the last poll of a worker is that runs. A poll takes a
// minute, and Temporal shows those of one of the task queue's partitions only; a
// worker that stops in order is removed at once.
const pollsWithin = 3 * time.Minute

// Workers lists the workers that poll the task queue of the client's site, by
// identity. One that was killed is among them for three minutes.
func (c Client) Workers(ctx context.Context) ([]Worker, error) {
	seen := map[string]bool{}
	for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
		queue, err := c.temporal.DescribeTaskQueue(ctx, c.TaskQueue(), kind)
		if err != nil {
			return nil, fmt.Errorf("look for workers of task queue %s: %w", c.TaskQueue(), err)
		}
		for _, p := range queue.Pollers {
			if p.LastAccessTime == nil || time.Since(p.LastAccessTime.AsTime()) < pollsWithin {
				seen[p.Identity] = true
			}
		}
	}
	var all []Worker
	for identity := range seen {
		all = append(all, ParseWorker(identity))
	}
	slices.SortFunc(all, func(a, b Worker) int { return strings.Compare(a.Identity(), b.Identity()) })
	return all, nil
}

// Configurations lists the hashes of the workers' configurations, each once.
func Configurations(workers []Worker) []string {
	all := make([]string, len(workers))
	for i, w := range workers {
		all[i] = w.Config
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// DescribeDifference names workers that share a task queue and have different
// configurations; empty when all have the same.
func DescribeDifference(workers []Worker) string {
	if len(Configurations(workers)) < 2 {
		return ""
	}
	names := make([]string, len(workers))
	for i, w := range workers {
		names[i] = w.String()
	}
	return strings.Join(names, "; ")
}
