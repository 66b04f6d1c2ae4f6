// Package embedded is a Temporal server with its UI inside this process, on
// SQLite, in memory or in a data directory.
//
// It listens on the loopback interface only and knows neither users nor TLS:
// it is for one person on one machine, not for a plant.
package embedded

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	temporalserver "go.temporal.io/server/temporal"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// Namespace is the only namespace of the server that is not its own.
const Namespace = client.DefaultNamespace

// Options say where the server listens and what it keeps.
type Options struct {
	// Port is where Temporal's frontend listens, UIPort where its UI does;
	// 0 chooses any free port.
	Port, UIPort int
	// DataDir keeps the database over restarts; it is made if need be. Empty
	// keeps everything in memory, and forgets it with the process.
	DataDir string
	// Retention is how long finished workflows can be looked at. It holds for
	// a data directory from its first use on.
	Retention time.Duration
	// SearchAttributes are registered before Start returns.
	SearchAttributes []temporal.SearchAttributeKey
	// Logger receives what the server and the SDK have to say.
	Logger *zap.Logger
}

// Server is a running Temporal server with its UI.
type Server struct {
	temporal temporalserver.Server
	ui       *ui
	data     *store
	ports    ports
	// level falls silent with Stop: what the server does not finish then, it
	// reports as errors, though it will do it after the next start.
	level zap.AtomicLevel
}

// Start starts the server and returns when its frontend and its UI answer. A
// port that is not free is a [*PortError], a data directory that cannot be used
// a [*DataError]; with [ErrInUse] and [ErrOtherVersion] nothing was changed.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	s := &Server{level: zap.NewAtomicLevelAt(o.Logger.Level())}
	o.Logger = o.Logger.WithOptions(zap.IncreaseLevel(s.level))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	reserved, err := reservePorts(o.Port, o.UIPort)
	if err != nil {
		return nil, err
	}
	defer reserved.release()
	s.ports = reserved.ports
	if s.data, err = openStore(o.DataDir, o.Retention); err != nil {
		return nil, err
	}
	// From here on the ports are the server's: between the release and its
	// own listening another program could take one, and the server would end
	// the process; nothing in its interface takes a listener instead.
	reserved.release()
	if s.temporal, err = startTemporal(s.ports, s.data.sql, o.Logger); err != nil {
		return nil, err
	}
	if err := addSearchAttributes(ctx, s.Address(), o); err != nil {
		return nil, err
	}
	if s.ui, err = startUI(ctx, s.ports.ui, s.Address()); err != nil {
		return nil, err
	}
	return s, nil
}

// addSearchAttributes adds the search attributes, which also waits for the
// frontend. They are added at each start, since a namespace that exists is not
// given those that a newer program wants.
func addSearchAttributes(ctx context.Context, address string, o Options) error {
	c, err := connect.Dial(ctx, client.Options{HostPort: address, Namespace: Namespace, Logger: connect.NewLogger(o.Logger)})
	if err != nil {
		return err
	}
	defer c.Close()
	if len(o.SearchAttributes) == 0 {
		return nil
	}
	return connect.EnsureSearchAttributes(ctx, c, Namespace, o.SearchAttributes)
}

// Address is the frontend's host:port.
func (s *Server) Address() string { return localAddress(s.ports.frontend) }

// UI is the address of the UI for a browser.
func (s *Server) UI() string { return "http://" + localAddress(s.ports.ui) }

// Stop ends the UI and the server, and lets go of the data directory. Workers
// must be stopped and clients closed before.
func (s *Server) Stop() error {
	s.level.SetLevel(zap.DPanicLevel)
	var errs []error
	if s.ui != nil {
		errs = append(errs, s.ui.stop())
	}
	if s.temporal != nil {
		errs = append(errs, s.temporal.Stop())
	}
	if s.data != nil {
		errs = append(errs, s.data.close())
	}
	return errors.Join(errs...)
}
