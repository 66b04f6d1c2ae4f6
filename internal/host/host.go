// Package host runs a worker. It is the only package that wires workflows,
// activities, the transport, certificate sources and the configuration together.
//
// It reads neither flags nor the environment; that is up to its callers.
package host

import (
	"context"
	"fmt"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/winrm"
	"github.com/farmtrust/farmtrust/workflows"
)

// Options configure a worker.
type Options struct {
	Config *config.Config
	// Client must be connected to Namespace; the caller closes it.
	Client    temporal.Client
	Namespace string
	Log       *zap.Logger
}

// stopTimeout is how long running activities get to finish when the worker stops.
// Interrupting a script is safe: the next attempt inspects the server before it acts.
const stopTimeout = 20 * time.Second

// pollInterval is the time between two checks while an activity waits for a server.
const pollInterval = 2 * time.Second

// Run starts a controller for each configured farm, marks farms that are no
// longer configured as unmanaged, and runs a worker until ctx is done. The
// namespace must have the search attributes of package workflows: without them
// every workflow task would fail.
func Run(ctx context.Context, o Options) error {
	certificates, err := newCertificates(o.Config)
	if err != nil {
		return err
	}
	connections, err := newConnections(o.Config)
	if err != nil {
		return err
	}
	remote := winrm.New(connections.findConnection, o.Log)
	defer remote.Close()

	a := &activities.Activities{
		Farms: farms{o.Config}, Certificates: certificates, Remote: remote, Runs: client.New(o.Client).Records(), Now: time.Now, Poll: pollInterval,
	}
	w := worker.New(o.Client, workflows.TaskQueue(""), worker.Options{
		WorkerStopTimeout: stopTimeout, Interceptors: activities.Interceptors(a),
	})
	workflows.Register(w)
	w.RegisterActivity(a)
	if err := configureControllers(ctx, client.New(o.Client), o.Config); err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	defer w.Stop()
	o.Log.Info("worker started", zap.String("namespace", o.Namespace), zap.String("queue", workflows.TaskQueue("")), zap.Int("farms", len(o.Config.Farms)))
	<-ctx.Done()
	return nil
}
