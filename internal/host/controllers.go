package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
)

const (
	// signalsInParallel bounds how many controllers are signalled at the same time.
	// Each signal is one short call to Temporal, and a worker may have hundreds of
	// farms.
	signalsInParallel = 16
	// signalTimeout bounds the calls for one controller. The SDK retries within it.
	signalTimeout = 10 * time.Second
	// roundInterval is how often the controllers are looked after: how long one that
	// was ended by hand is missing. A round with nothing to do is a few calls.
	roundInterval = time.Minute
	// firstRetry is the pause after the first round that failed; it doubles with
	// each, up to roundInterval.
	firstRetry = time.Second
)

// supervisor looks after the controllers of a site. It starts those of configured
// farms, tells each run once that its farm is configured, and marks the others as
// unmanaged. Nothing waits for it, and a controller that cannot be reached keeps no
// other from being told.
type supervisor struct {
	site   client.Client
	config *config.Config
	self   client.Worker
	log    *zap.Logger

	mu sync.Mutex
	// told are the run IDs of the controllers that were told about their farms, and
	// unmanaged those that were told that theirs is not configured, by farm name.
	told, unmanaged map[string]string
	// elsewhere are the task queues of controllers of configured farms that run at
	// other sites, by farm name.
	elsewhere map[string]string
	// different are the configurations that the workers of the site had last, if
	// they had different ones.
	different []string
}

func newSupervisor(site client.Client, c *config.Config, self client.Worker, log *zap.Logger) *supervisor {
	return &supervisor{
		site: site, config: c, self: self, log: log,
		told: map[string]string{}, unmanaged: map[string]string{}, elsewhere: map[string]string{},
	}
}

// runRounds does rounds until ctx is done.
func (s *supervisor) runRounds(ctx context.Context) {
	for pause := firstRetry; ; {
		next := roundInterval
		if err := s.doRound(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("not all controllers are told about their farms; this is tried again", zap.Duration("in", pause), zap.Error(err))
			next, pause = pause, min(2*pause, roundInterval)
		} else {
			pause = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}

// doRound does what is due now, as far as Temporal lets it. Farms that are configured
// need no visibility store.
func (s *supervisor) doRound(ctx context.Context) error {
	running, listProblem := s.site.RunningControllers(ctx, s.site.Site())
	if listProblem != nil {
		running = nil
	}
	configureProblem := s.configureAll(ctx, running)
	agree, workersProblem := s.compareWorkers(ctx)
	if listProblem != nil || !agree {
		return errors.Join(listProblem, configureProblem, workersProblem)
	}
	return errors.Join(configureProblem, s.markUnmanaged(ctx, running))
}

// configureAll tells the controllers of configured farms that were not told yet.
// Where it is not known what is running, those that were told count as running.
func (s *supervisor) configureAll(ctx context.Context, running map[string]string) error {
	var all failures
	var calls errgroup.Group
	calls.SetLimit(signalsInParallel)
	for _, f := range s.config.Farms {
		if runID, ok := s.toldRun(f.Name); ok && (running == nil || runID == running[f.Name]) {
			continue
		}
		calls.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, signalTimeout)
			defer cancel()
			all.addFailure(s.configureFarm(ctx, f))
			return nil
		})
	}
	_ = calls.Wait() // no call returns an error: the first one would hide the others
	return all.joinFailures("farms")
}

func (s *supervisor) toldRun(farmName string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runID, ok := s.told[farmName]
	return runID, ok
}

// configureFarm starts and tells the controller of one farm.
func (s *supervisor) configureFarm(ctx context.Context, f config.Farm) error {
	told, _ := s.toldRun(f.Name)
	runID, err := s.site.Farm(f.Name).Under(f.Rotation).Configure(ctx, s.self, s.config.HashFarm(f), told)
	other, isElsewhere := errors.AsType[*client.ElsewhereError](err)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isElsewhere:
		// A condition that an operator ends, and no failure: it is logged when it begins.
		if s.elsewhere[f.Name] != other.Queue {
			s.log.Error("farm is left to another site: farm names are unique in a namespace", zap.String("farm", f.Name), zap.Error(other),
				zap.String("remedy", "give one of the two farms another name; or, to move the farm to this site, "+
					"take it out of the other site's configuration, restart the workers there and run: farmtrust forget "+f.Name+" --reason WHY"))
		}
		s.elsewhere[f.Name] = other.Queue
		delete(s.told, f.Name)
		return nil
	case err != nil:
		return err
	}
	delete(s.elsewhere, f.Name)
	s.told[f.Name] = runID
	return nil
}

// compareWorkers warns when workers of this site have different configurations, and
// reports whether all have this one.
func (s *supervisor) compareWorkers(ctx context.Context) (agree bool, err error) {
	workers, err := s.site.Workers(ctx)
	if err != nil {
		return false, err
	}
	workers = slices.DeleteFunc(workers, func(w client.Worker) bool { return w == s.self })
	workers = append([]client.Worker{s.self}, workers...)
	difference := client.DescribeDifference(workers)
	var different []string
	if difference != "" {
		different = client.Configurations(workers)
	}
	if difference != "" && !slices.Equal(different, s.different) {
		s.log.Warn("workers of one site have different configurations: steps that one of them cannot do are retried until another one does them",
			zap.String("queue", s.site.TaskQueue()), zap.String("workers", difference),
			zap.String("remedy", "give all of them the same file, or each its own site"))
	}
	s.different = different
	return difference == "", nil
}

// markUnmanaged tells the running controllers of farms that are not configured. It is
// done only while all workers agree: a farm that one of them has is managed.
func (s *supervisor) markUnmanaged(ctx context.Context, running map[string]string) error {
	configured := map[string]bool{}
	for _, f := range s.config.Farms {
		configured[f.Name] = true
	}
	var all failures
	for _, name := range slices.Sorted(maps.Keys(running)) {
		if configured[name] || s.unmanaged[name] == running[name] {
			continue
		}
		err := s.markFarm(ctx, name)
		if all.addFailure(err); err == nil {
			s.unmanaged[name] = running[name]
		}
	}
	return all.joinFailures("controllers of farms that are no longer configured")
}

func (s *supervisor) markFarm(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	return s.site.Farm(name).MarkUnmanaged(ctx, s.self, fmt.Sprintf(
		"no longer configured on worker %s (%s): add the farm to its configuration again and restart the worker, or run: farmtrust forget %s --reason WHY", s.self.Host, s.config.Path, name))
}

// failures are errors of which one is shown: Temporal is away for all alike.
type failures struct {
	mu    sync.Mutex
	first error
	count int
}

func (f *failures) addFailure(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		return
	}
	if f.count++; f.first == nil {
		f.first = err
	}
}

// joinFailures returns the first error and how many there were.
func (f *failures) joinFailures(of string) error {
	if f.count < 2 {
		return f.first
	}
	return fmt.Errorf("%d %s, one of them: %w", f.count, of, f.first)
}
