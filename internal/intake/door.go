// Package intake is the door through which expiry events come in over HTTP. It knows who
// may send, bounds what comes, and answers "taken" only once Temporal has what was sent.
//
// It knows no farm, and calls no address that a request names, except the validation
// URLs of Event Grid and SNS where the configuration asks for them.
package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

// Time limits of a connection. Who sends or reads slowly must not hold a place for long.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 15 * time.Second
	idleTimeout   = time.Minute
	// stopTimeout is how long requests that are being answered get when the door closes.
	stopTimeout    = 5 * time.Second
	maxHeaderBytes = 16 << 10
)

// Deliverer brings events to the farms that they concern.
type Deliverer interface {
	// Deliver returns once Temporal has stored the event for each farm that it concerns.
	// After an error it has not for all, and the event is to be sent again.
	Deliver(ctx context.Context, e event.Expiry, from delivery.Source) (delivery.Receipt, error)
}

// Options are what a door needs.
type Options struct {
	Listen    config.Listen
	Deliverer Deliverer
	// Ready returns why nothing can be delivered at the moment; nil where it can.
	Ready func(context.Context) error
	Log   *zap.Logger
	Now   func() time.Time
	// Outside reaches Event Grid, Entra ID and SNS; nil is one that trusts the system's CAs.
	Outside *http.Client
}

// Door takes events in.
type Door struct {
	listener net.Listener
	server   *http.Server
}

// Open opens the door's port, and everything that its configuration names. Its errors
// name what cannot be opened.
func Open(ctx context.Context, o Options) (*Door, error) {
	handler, err := NewHandler(o)
	if err != nil {
		return nil, err
	}
	settings, err := newTLS(o)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen.Address)
	if err != nil {
		return nil, fmt.Errorf("listen.address: %w: name an address of this machine that is free", err)
	}
	errorLog, err := zap.NewStdLogAt(o.Log, zap.DebugLevel) // failed handshakes come as fast as somebody likes
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	d := &Door{listener: newDoorman(listener, o.Listen.Proxies), server: &http.Server{
		Handler: handler, TLSConfig: settings,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       errorLog, ConnContext: withVisitor, ConnState: noteState,
	}}
	// HTTP/2 would let a single connection have hundreds of requests at once.
	d.server.Protocols = new(http.Protocols)
	d.server.Protocols.SetHTTP1(true)
	names := make([]string, len(o.Listen.Sources))
	for i, s := range o.Listen.Sources {
		names[i] = s.Name
	}
	o.Log.Info("events are listened for", zap.Stringer("address", listener.Addr()), zap.Bool("tls", settings != nil), zap.Strings("sources", names))
	return d, nil
}

// Addr is the address at which the door listens.
func (d *Door) Addr() net.Addr { return d.listener.Addr() }

// Serve answers until ctx is done, and closes the door. What is being answered then gets
// some seconds.
func (d *Door) Serve(ctx context.Context) error {
	serving := make(chan error, 1)
	go func() { serving <- d.serve() }()
	select {
	case err := <-serving:
		return fmt.Errorf("listen for events: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := d.server.Shutdown(stopping)
	if errors.Is(err, context.DeadlineExceeded) {
		// Who was not answered sends again.
		err = d.server.Close()
	}
	if served := <-serving; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (d *Door) serve() error {
	if d.server.TLSConfig != nil {
		return d.server.ServeTLS(d.listener, "", "")
	}
	return d.server.Serve(d.listener)
}

// newTLS returns the settings of the door's TLS; nil behind a proxy.
func newTLS(o Options) (*tls.Config, error) {
	if o.Listen.Certificate == "" {
		return nil, nil
	}
	pair := newPair(o)
	if _, err := pair.current(); err != nil {
		return nil, fmt.Errorf("listen.certificate: %w", err)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.current() }}
	for _, s := range o.Listen.Sources {
		if s.Proof.ClientCertificate != nil {
			// Each source has CAs of its own, by which it is verified later; that the sender
			// has the key is proven here.
			settings.ClientAuth = tls.RequestClientCert
		}
	}
	return settings, nil
}
