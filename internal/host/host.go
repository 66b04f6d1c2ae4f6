// Package host runs a worker. It is the only package that wires workflows,
// activities, the transport, certificate sources and the configuration together.
//
// It reads neither flags nor the environment; that is up to its callers.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/authority"
	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/deployment"
	"github.com/farmtrust/farmtrust/internal/ingest"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/seal"
	"github.com/farmtrust/farmtrust/workflows"
)

// Options configure a worker.
type Options struct {
	Config *config.Config
	// Client must be connected to Namespace; the caller closes it.
	Client temporal.Client
	// DataConverter and FailureConverter are the connection's; nil for payloads in clear.
	DataConverter    converter.DataConverter
	FailureConverter converter.FailureConverter
	Namespace        string
	// Deployment makes the worker one version of a worker deployment; the zero
	// value does not.
	Deployment deployment.Version
	// SealKeys are the keys that only workers hold, all of them the same.
	SealKeys *keyring.Ring
	Log      *zap.Logger
}

// stopTimeout is how long running activities get to finish when the worker stops.
// Interrupting a script is safe: the next attempt inspects the server before it acts.
const stopTimeout = 20 * time.Second

// heartbeatInterval is how often the heartbeat of an activity goes to Temporal at
// most, whose answer tells a step that it is cancelled or paused. The SDK would
// batch heartbeats for most of the heartbeat timeout, and a hiccup of the network
// would then outlast what remains of it.
const heartbeatInterval = 2 * time.Second

// pollInterval is the time between two checks while an activity waits for a server.
const pollInterval = 2 * time.Second

// Run runs a worker of the configured site until ctx is done. Beside it, it keeps a
// controller running for each configured farm, and marks farms that are no longer
// configured as unmanaged. The namespace must have the search attributes of package
// workflows: without them every workflow task would fail.
//
// It also ends when Temporal has refused the worker's polls for minutes, with the
// reason: the SDK polls no more then, and only a new process does.
func Run(ctx context.Context, o Options) error {
	self, err := identifyWorker(o.Config)
	if err != nil {
		return err
	}
	a, closeRemote, err := newActivities(o.Config, self, o.Log)
	if err != nil {
		return err
	}
	defer closeRemote()
	if o.SealKeys == nil {
		return errNoSealKeys
	}
	record, err := openAudit(o.Config, self, a.Version, o.SealKeys, o.Log)
	if err != nil {
		return err
	}
	if record != nil {
		defer closeAudit(record, o.Log)
		a.Audit = record
	}
	if a.Notices, err = newNotifier(o.Config); err != nil {
		return err
	}
	site := client.New(o.Client).Reading(o.DataConverter, o.FailureConverter).At(o.Config.Site)
	a.Seals = seal.New(o.SealKeys)
	a.Runs = site.Records().SealedBy(a.Seals)
	a.Authority = authority.New(o.Config, a.Seals)
	return work(ctx, o, site, self, a, record)
}

// work polls the site's task queue with what Run has made ready, until ctx is done or
// something ends that a worker cannot do without.
func work(ctx context.Context, o Options, site client.Client, self client.Worker, a *activities.Activities, record *audit.Log) error {
	fatal := make(chan error, 2)
	w := newWorker(o, site.TaskQueue(), self, a, fatal)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	defer w.Stop()
	events, err := ingest.Open(ctx, o.Config, site, o.Log)
	if err != nil {
		return err
	}
	o.Log.Info("worker started", zap.String("namespace", o.Namespace), zap.String("queue", site.TaskQueue()),
		zap.Int("farms", len(o.Config.Farms)), zap.String("configuration", self.Config))

	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer func() { stop(); beside.Wait() }()
	beside.Go(func() { newSupervisor(site, o.Config, self, o.Log).runRounds(ctx) })
	if record != nil {
		beside.Go(func() { tellMarks(ctx, record, o.Log) })
	}
	beside.Go(func() { o.Deployment.Watch(ctx, o.Client, o.Log) })
	beside.Go(func() {
		if err := events.Run(ctx); err != nil {
			fatal <- err
		}
	})
	select {
	case <-ctx.Done():
		o.Log.Info("worker stops; steps that run get " + stopTimeout.String() + " to finish")
		return nil
	case err := <-fatal:
		return err
	}
}

// newWorker returns the worker of a task queue, which sends what ends it to fatal.
func newWorker(o Options, queue string, self client.Worker, a *activities.Activities, fatal chan<- error) worker.Worker {
	w := worker.New(o.Client, queue, worker.Options{
		Identity: self.Identity(), Interceptors: append(activities.Interceptors(a), workflows.Sealing(a.Seals)),
		MaxHeartbeatThrottleInterval: heartbeatInterval, WorkerStopTimeout: stopTimeout,
		DeploymentOptions: o.Deployment.Options(),
		OnFatalError:      func(err error) { fatal <- &GivenUpError{Queue: queue, Namespace: o.Namespace, Err: err} },
	})
	workflows.Register(w)
	w.RegisterActivity(a)
	return w
}

// errNoSealKeys keeps a worker from starting that could prove nothing of what comes back
// to it through Temporal.
var errNoSealKeys = errors.New("a worker needs keys to seal with")

// GivenUpError means that Temporal has refused the worker's polls for so long that
// the SDK polls no more.
type GivenUpError struct {
	Queue, Namespace string
	Err              error
}

// Error says what to look at.
func (e *GivenUpError) Error() string {
	return fmt.Sprintf("poll task queue %s: %v; check that Temporal namespace %q exists and permits this client, then start the worker again", e.Queue, e.Err, e.Namespace)
}

// Unwrap returns Err.
func (e *GivenUpError) Unwrap() error { return e.Err }

// identifyWorker returns this process as it identifies itself.
func identifyWorker(c *config.Config) (client.Worker, error) {
	name, err := os.Hostname()
	if err != nil {
		return client.Worker{}, fmt.Errorf("get this worker's host name: %w", err)
	}
	return client.Worker{Host: name, PID: os.Getpid(), Config: c.Hash()}, nil
}
