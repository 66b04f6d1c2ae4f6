package client

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
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

// ErrNoWorker is returned where no worker runs.
var ErrNoWorker = errors.New("no worker answers")

// ErrLate is returned where no worker has answered, and one was seen in the last
// minutes. It may have been killed: what waits for the task that it held waits until
// Temporal gives that to another, ten seconds later.
var ErrLate = errors.New("no worker has answered yet")

// startTimeout is how long a worker that has just started may be overlooked where no
// controller runs: it starts those of its farms first of all.
const startTimeout = 3 * time.Second

// FindWorker returns nil if a worker runs at the farm's site, [ErrNoWorker] if none does,
// and [ErrLate] if that is not clear within [answerTimeout]. It has one answer for the
// farm's controller. Who polls the task queue does not tell: for minutes Temporal shows a
// worker that was killed, and does not show one that has just started, until that polls
// the first of the queue's partitions.
func (f Farm) FindWorker(ctx context.Context) error {
	for end := time.Now().Add(startTimeout); ; {
		answer := f.requireAnswer(ctx)
		late := errors.Is(answer, ErrLate)
		if !late && !errors.Is(answer, ErrNoController) {
			return answer
		}
		workers, err := f.Workers(ctx)
		switch {
		case err != nil:
			return err
		case len(workers) > 0 && late:
			return ErrLate
		case len(workers) > 0:
			return nil
		case late || time.Now().After(end):
			return ErrNoWorker
		}
		if err := waitInterval(ctx); err != nil {
			return err
		}
	}
}

// requireAnswer returns nil if a worker answers for the controller, and [ErrLate] if none
// does in time. Temporal itself knows of none, where it says so, for twenty seconds.
func (f Farm) requireAnswer(ctx context.Context) error {
	asking, stop := context.WithTimeout(ctx, answerTimeout)
	defer stop()
	_, err := f.State(asking)
	var failed *serviceerror.QueryFailed
	var busy *serviceerror.ResourceExhausted
	var noPoller *serviceerror.FailedPrecondition
	var late *serviceerror.DeadlineExceeded
	// A worker that was killed took the question, and Temporal sees its connection end.
	var lost *serviceerror.Canceled
	switch {
	case errors.As(err, &failed), errors.As(err, &busy), isTaskFailure(err):
		return nil // it would not say so without a worker
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &noPoller):
		return ErrNoWorker
	case errors.As(err, &late), errors.As(err, &lost), errors.Is(err, context.DeadlineExceeded):
		return ErrLate
	}
	return err
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
