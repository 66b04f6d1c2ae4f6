// Package embedded runs a Temporal server with its UI inside this process, on an
// SQLite database in memory or in a data directory.
//
// It listens on the loopback interface only, and is for a single user on one machine,
// not for production. Unless it is private, every user of the machine can use it.
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
	"github.com/farmtrust/farmtrust/internal/namespace"
)

// Namespace is the server's only namespace besides its internal ones.
const Namespace = client.DefaultNamespace

// Options configure a server.
type Options struct {
	// Port is the port of Temporal's frontend, UIPort that of its UI; 0 chooses
	// any free port.
	Port, UIPort int
	// DataDir is the directory of the database, which is created if it does not
	// exist. If it is empty, the database is in memory and lost with the process.
	DataDir string
	// Retention is how long closed workflows stay visible. A data directory keeps
	// the retention of its first use.
	Retention time.Duration
	// SearchAttributes are registered before Start returns.
	SearchAttributes []temporal.SearchAttributeKey
	// Private keeps other users of this machine out: the server asks for a certificate
	// that is made at each start and is in the file [Server.Profile], and the UI answers
	// to a name that nobody else knows.
	Private bool
	// ReadOnlyUI has the UI change nothing.
	ReadOnlyUI bool
	// ContinueAsNewAfter is the number of events after which workflows are told to
	// continue as new; 0 means the server's default of 4,096.
	ContinueAsNewAfter int
	// Codec is the URL of a codec server that decrypts payloads for the UI, with the
	// cookies that it has set in the browser; empty for none.
	Codec string
	// Logger receives the log of the server and of the SDK.
	Logger *zap.Logger
}

// Server is a running Temporal server with its UI.
type Server struct {
	temporal temporalserver.Server
	ui       *ui
	data     *store
	ports    ports
	access   *access
	// level is raised in Stop to silence the server: it logs unfinished work as
	// errors, although it continues it after the next start.
	level zap.AtomicLevel
}

// Start starts the server and returns when its frontend and its UI respond. It
// returns a [*PortError] if a port is not free, and a [*DataError] if the data
// directory cannot be used; with [ErrInUse] and [ErrOtherVersion] the directory is
// unchanged.
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
	defer reserved.close()
	s.ports = reserved.ports
	if s.data, err = openStore(o.DataDir, o.Retention); err != nil {
		return nil, err
	}
	if s.access, err = newAccess(s.Address(), o); err != nil {
		return nil, err
	}
	// The server opens its ports itself; its API does not accept listeners. If
	// another program takes one of them after this release, the server ends the
	// process.
	reserved.release()
	if s.temporal, err = startTemporal(s.ports, s.data.sql, s.access, o); err != nil {
		return nil, err
	}
	if err := s.addSearchAttributes(ctx, o); err != nil {
		return nil, err
	}
	if s.ui, err = startUI(reserved.takeUI(), s.access, s.Address(), o); err != nil {
		return nil, err
	}
	return s, nil
}

// addSearchAttributes waits for the frontend and adds the search attributes. It
// does so at every start, because a newer program may need more of them than the
// namespace has.
func (s *Server) addSearchAttributes(ctx context.Context, o Options) error {
	options := s.ClientOptions(o.Logger)
	c, err := connect.Dial(ctx, options)
	if err != nil {
		return err
	}
	defer c.Close()
	if len(o.SearchAttributes) == 0 {
		return nil
	}
	return namespace.AddSearchAttributes(ctx, c, options, o.SearchAttributes)
}

// Address returns the frontend's host:port.
func (s *Server) Address() string { return localAddress(s.ports.frontend) }

// ClientOptions returns what a client of this process needs to connect. The SDK logs
// to log.
func (s *Server) ClientOptions(log *zap.Logger) client.Options {
	return client.Options{
		HostPort: s.Address(), Namespace: Namespace, Logger: connect.NewLogger(log),
		ConnectionOptions: client.ConnectionOptions{TLS: s.access.client.Clone()},
	}
}

// Profile returns the path of the file with which the user's other programs connect to
// a private server, as TEMPORAL_CONFIG_FILE; it is empty for one that is not.
func (s *Server) Profile() string { return s.access.profile }

// UI returns the URL of the UI.
func (s *Server) UI() string { return "http://" + s.ui.host }

// Stop stops the UI and the server, and unlocks the data directory. Workers must be
// stopped and clients closed first.
func (s *Server) Stop() error {
	s.level.SetLevel(zap.DPanicLevel)
	var errs []error
	if s.ui != nil {
		errs = append(errs, s.ui.stop())
	}
	if s.temporal != nil {
		errs = append(errs, s.temporal.Stop())
	}
	if s.access != nil {
		errs = append(errs, s.access.close())
	}
	if s.data != nil {
		errs = append(errs, s.data.close())
	}
	return errors.Join(errs...)
}
