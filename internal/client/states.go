package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// IsUnanswered reports whether an error of a question means that no worker has
// answered it.
func IsUnanswered(err error) bool {
	var noPoller *serviceerror.FailedPrecondition
	var deadline *serviceerror.DeadlineExceeded
	return errors.As(err, &noPoller) || errors.As(err, &deadline) || errors.Is(err, context.DeadlineExceeded)
}

// AskAll asks the controllers of all farms for their states, those of each site apart,
// until all have answered or ctx ends. It notes the answers, and whether a worker is
// there, in the summaries.
func (c Client) AskAll(ctx context.Context, all []controller.Summary) error {
	bySite := map[string][]*controller.Summary{}
	for i := range all {
		bySite[all[i].Site] = append(bySite[all[i].Site], &all[i])
	}
	var group errgroup.Group
	for site, farms := range bySite {
		group.Go(func() error { return c.At(site).askSite(ctx, farms) })
	}
	return group.Wait()
}

// askSite asks the controllers of farms, which are at the client's site.
func (c Client) askSite(ctx context.Context, farms []*controller.Summary) error {
	seen, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	worker := controller.WorkerNone
	switch {
	case len(seen) == 0 && !c.answersAny(ctx, farms):
	case c.askFarms(ctx, farms):
		worker = controller.WorkerAnswers
	case len(seen) > 0:
		worker = controller.WorkerSilent
	}
	for _, s := range farms {
		s.Worker = worker
	}
	return nil
}

// overlookedFor is how long a worker may take to answer that Temporal's list lacks, as it
// does one that has just started; see [Farm.FindWorker].
const overlookedFor = time.Second

// answersAny reports whether a worker answers for the first of the farms that has a
// controller.
func (c Client) answersAny(ctx context.Context, farms []*controller.Summary) bool {
	i := slices.IndexFunc(farms, func(s *controller.Summary) bool { return s.Managed })
	if i < 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, overlookedFor)
	defer cancel()
	return c.askFarms(ctx, farms[i:i+1])
}

// askedAtOnce is how many controllers of a site are asked at the same time.
const askedAtOnce = 16

// askFarms asks the controllers of farms, and reports whether a worker answered for any.
// Where none runs, there is nothing to answer.
func (c Client) askFarms(ctx context.Context, farms []*controller.Summary) (answered bool) {
	var group errgroup.Group
	var mu sync.Mutex
	group.SetLimit(askedAtOnce)
	asked := 0
	for _, s := range farms {
		if !s.Managed {
			continue
		}
		asked++
		group.Go(func() error {
			state, err := c.Farm(s.Farm).State(ctx)
			mu.Lock()
			defer mu.Unlock()
			var notYet *serviceerror.QueryFailed
			switch {
			case err == nil:
				s.Answer(state, time.Now())
			case IsUnanswered(err):
				return nil
			case !errors.Is(err, ErrNoController) && !errors.As(err, &notYet):
				s.Problem = err.Error()
			}
			answered = true
			return nil
		})
	}
	// The functions return no error.
	_ = group.Wait()
	return answered || asked == 0
}
