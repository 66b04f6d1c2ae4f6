// Package winrm carries a call to a Windows server: it implements
// [powershell.Runner] over WS-Management, with the messages and the shell
// protocol of masterzen/winrm on a transport of its own.
//
// It does not know what scripts do, does not retry, and never speaks plain
// HTTP. It replaces all of masterzen's transports, because those take a SOAP
// fault for success, lose standard input without an error, fall back to weaker
// authentication, ignore contexts, and keep connections for ever.
package winrm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// Auth is how a connection authenticates.
type Auth string

// The ways to authenticate. A server that does not offer the configured one is
// refused; none is ever replaced by another.
const (
	// Basic sends user and password, inside TLS. Windows accepts it for local
	// accounts only.
	Basic Auth = "basic"
	// NTLM proves the password without sending it, bound to the server's
	// certificate so that the proof serves on no other connection.
	NTLM Auth = "ntlm"
)

// Connection is the way to the servers that share it.
type Connection struct {
	Auth Auth
	// User is "user", "DOMAIN\user" or "user@domain".
	User string
	// Password is resolved anew for each session, at the last moment.
	Password secret.Ref
	// CA holds the authorities, in PEM, that the server's certificate must
	// chain to; nil means those of the operating system.
	CA []byte
	// AllowUnverified accepts any certificate. Calls that carry secrets are
	// refused all the same unless the certificate verifies.
	AllowUnverified bool
}

// Timeouts bound what the caller's context does not.
type Timeouts struct {
	// Connect is for the connection, TLS and authentication together.
	Connect time.Duration
	// Operation is how long a server may hold a request for output before it
	// answers that there is none yet; see OperationTimeout in DSP0226.
	Operation time.Duration
	// Answer is how much longer than Operation an answer may take on its way.
	Answer time.Duration
	// Free is for deleting the shell of a call that ended early.
	Free time.Duration
}

// DefaultTimeouts suit servers in one's own network. Operation is well below
// the 60 s that servers allow (MaxTimeoutms), so that the server's "not yet"
// arrives before anyone gives up and takes output with it.
func DefaultTimeouts() Timeouts {
	return Timeouts{Connect: 20 * time.Second, Operation: 20 * time.Second, Answer: 15 * time.Second, Free: 20 * time.Second}
}

// Option changes how a [Runner] works.
type Option func(*Runner)

// WithTimeouts replaces [DefaultTimeouts].
func WithTimeouts(t Timeouts) Option {
	return func(r *Runner) { r.timeouts = t }
}

// Runner implements [powershell.Runner]. Each call has a connection, a session
// and a shell of its own, since starting PowerShell costs far more than they
// do. It is safe for concurrent use; use one Runner in a process, for it counts
// the shells on each server.
type Runner struct {
	connections func(name string) (Connection, error)
	log         *zap.Logger
	timeouts    Timeouts
	slots       slots
	freeing     sync.WaitGroup
}

var _ powershell.Runner = (*Runner)(nil)

// New makes a Runner. connections finds a connection by the name in
// [powershell.Target] and is asked for each call.
func New(connections func(name string) (Connection, error), log *zap.Logger, options ...Option) *Runner {
	r := &Runner{connections: connections, log: log, timeouts: DefaultTimeouts()}
	for _, option := range options {
		option(r)
	}
	return r
}

// Close waits until the shells of abandoned calls are deleted, at most
// [Timeouts].Free. Call it when no Run is under way.
func (r *Runner) Close() { r.freeing.Wait() }

// Run implements [powershell.Runner]. When ctx ends it returns at once; the
// shell, and with it the script, is then ended in the background.
//
// Its *[powershell.TransportError] wraps ctx.Err() when ctx ended: kind
// [powershell.TimedOut] for a deadline, [powershell.Interrupted] for a
// cancellation. A connection that does not exist and a password that cannot be
// read are of kind [powershell.Denied].
func (r *Runner) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	nonce := rand.Text()
	stdin, err := powershell.Seal(call, nonce)
	if err != nil {
		return fmt.Errorf("%s: %w", target.Host, err)
	}
	started := time.Now()
	out, err := r.execute(ctx, target, stdin, len(call.Secrets) > 0)
	r.log.Debug("call ended", zap.String("server", target.Host), zap.String("script", call.Script),
		zap.Duration("took", time.Since(started)), zap.Error(err))
	if err != nil {
		return transportError(ctx, target.Host, call.Script, err)
	}
	err = powershell.ReadResult(target.Host, call.Script, nonce, out.stdout, out.stderr, out.exit, result)
	if garbled(err) && out.lost != nil {
		return transportError(ctx, target.Host, call.Script, out.lost)
	}
	return err
}

// garbled says that no answer of ours came back.
func garbled(err error) bool {
	t, ok := errors.AsType[*powershell.TransportError](err)
	return ok && t.Kind == powershell.Garbled
}

// execute runs the bootstrap with stdin in a shell of its own. private says
// that stdin carries secrets.
func (r *Runner) execute(ctx context.Context, target powershell.Target, stdin []byte, private bool) (output, error) {
	connection, err := r.connections(target.Connection)
	if err != nil {
		return output{}, &problem{kind: powershell.Denied, err: fmt.Errorf("find connection %q: %w", target.Connection, err)}
	}
	d, err := newDialer(target, connection, private, r.timeouts)
	if err != nil {
		return output{}, err
	}
	release, err := r.slots.take(ctx, target.Host)
	if err != nil {
		return output{}, fmt.Errorf("wait for one of %d shells: %w", maxShells, err)
	}
	s, err := d.open(ctx)
	if err != nil {
		release()
		return output{}, err
	}
	c, err := newConversation(ctx, d, s)
	if err != nil {
		s.close()
		release()
		return output{}, err
	}
	out, err := c.run(ctx, stdin)
	r.end(ctx, c, d, release)
	return out, err
}

// end frees the shell, the connection and the slot. It waits for that unless
// the caller waits no longer, or the shell can be reached only by a new
// connection.
func (r *Runner) end(ctx context.Context, c *conversation, d *dialer, release func()) {
	broken, freed := c.session.broken(), make(chan struct{})
	r.freeing.Go(func() {
		defer close(freed)
		defer release()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeouts.Free)
		defer cancel()
		if err := c.close(ctx, d); err != nil {
			r.log.Warn("shell is not deleted; the server ends it when idle", zap.String("server", d.host),
				zap.Duration("idle", shellIdle), zap.Error(err))
		}
	})
	if broken {
		return
	}
	select {
	case <-freed:
	case <-ctx.Done():
	}
}
