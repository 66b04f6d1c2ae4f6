// Package winrm runs scripts on Windows servers: it implements
// [powershell.Runner] over WS-Management, with the messages of masterzen/winrm
// over HTTPS connections of its own.
//
// It does not know what scripts do, does not retry, and never speaks plain
// HTTP. It does not use masterzen's client and transports: they take a SOAP
// fault for success, lose standard input without an error, fall back to weaker
// authentication, ignore contexts, and never close connections.
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

// Connection is how to reach the servers that share it.
type Connection struct {
	Auth Auth
	// User is "user", "DOMAIN\user" or "user@domain".
	User string
	// Password is resolved for each session, at the last moment.
	Password secret.Ref
	// CA holds the CAs, in PEM, that the server's certificate must chain to; nil
	// means those of the operating system.
	CA []byte
	// AllowUnverified accepts any certificate, except for calls that carry
	// secrets, and for [Basic], which sends the password: those are refused unless
	// the certificate verifies.
	AllowUnverified bool
}

// Timeouts bound what the caller's context does not.
type Timeouts struct {
	// Connect is for the connection and TLS together, and for each message that
	// authenticates.
	Connect time.Duration
	// Operation is how long a server may hold a request for output before it
	// answers that there is none yet; see OperationTimeout in DSP0226. It is
	// sent in whole seconds, at least one.
	Operation time.Duration
	// Response is how much longer than Operation a response may take to arrive.
	Response time.Duration
	// Cleanup is for deleting the shell when a call has ended.
	Cleanup time.Duration
}

// DefaultTimeouts suits servers in the worker's own network. Operation is well
// below the 60 s that servers allow (MaxTimeoutms), so that the server's "not
// yet" arrives before either side abandons the request and loses output.
func DefaultTimeouts() Timeouts {
	return Timeouts{Connect: 20 * time.Second, Operation: 20 * time.Second, Response: 15 * time.Second, Cleanup: 20 * time.Second}
}

// Option changes how a [Runner] works.
type Option func(*Runner)

// WithTimeouts replaces [DefaultTimeouts].
func WithTimeouts(t Timeouts) Option {
	return func(r *Runner) { r.timeouts = t }
}

// WithConcurrentCalls bounds how many calls run at once, at least one, over all
// servers; further ones wait. Without it only the shells on each server are bounded.
func WithConcurrentCalls(n int) Option {
	return func(r *Runner) { r.slots.all = make(chan struct{}, max(n, 1)) }
}

// Runner implements [powershell.Runner]. Each call has a connection, a session
// and a shell of its own: they cost far less than starting PowerShell. A Runner
// is safe for concurrent use; use one in a process, because it limits the shells
// on each server.
type Runner struct {
	connections func(name string) (Connection, error)
	log         *zap.Logger
	timeouts    Timeouts
	slots       slots
	logons      *logons
	cleanups    sync.WaitGroup
}

var _ powershell.Runner = (*Runner)(nil)

// New makes a Runner. connections is called for each call, with the name of the
// connection in its [powershell.Target].
func New(connections func(name string) (Connection, error), log *zap.Logger, options ...Option) *Runner {
	r := &Runner{connections: connections, log: log, timeouts: DefaultTimeouts(), logons: newLogons(time.Now)}
	for _, option := range options {
		option(r)
	}
	return r
}

// RetryLogon lets a password that servers have refused be sent once more, and returns how
// many it lets: those of the named connections that were not let in the last half hour.
// Without it, a refused password is not sent again, to any server, until it is another one.
func (r *Runner) RetryLogon(connections ...string) (let int) {
	var users []string
	for _, name := range connections {
		if c, err := r.connections(name); err == nil {
			users = append(users, c.User)
		}
	}
	return r.logons.retry(users)
}

// Close waits until the shells of abandoned calls are deleted, at most
// [Timeouts].Cleanup. Call it when no Run is under way.
func (r *Runner) Close() { r.cleanups.Wait() }

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
	out, err := r.runInShell(ctx, target, stdin, len(call.Secrets) > 0)
	r.log.Debug("call ended", zap.String("server", target.Host), zap.String("script", call.Script),
		zap.Duration("took", time.Since(started)), zap.Error(err))
	if err != nil {
		return transportError(ctx, target.Host, call.Script, err)
	}
	err = powershell.ReadResult(target.Host, call, nonce, out.stdout, out.stderr, out.exit, result)
	if isGarbled(err) && out.inputLost != nil {
		return transportError(ctx, target.Host, call.Script, out.inputLost)
	}
	return err
}

// isGarbled reports whether the output was not that of our bootstrap.
func isGarbled(err error) bool {
	t, ok := errors.AsType[*powershell.TransportError](err)
	return ok && t.Kind == powershell.Garbled
}

// runInShell runs the bootstrap with stdin in a shell of its own. secrets reports
// whether stdin carries any.
func (r *Runner) runInShell(ctx context.Context, target powershell.Target, stdin []byte, secrets bool) (output, error) {
	connection, err := r.connections(target.Connection)
	if err != nil {
		return output{}, &problem{kind: powershell.Denied, err: fmt.Errorf("find connection %q: %w", target.Connection, err)}
	}
	d, err := newDialer(target, connection, secrets, r.timeouts)
	if err != nil {
		return output{}, err
	}
	d.logons = r.logons
	release, err := r.slots.acquireSlot(ctx, target.Host)
	if err != nil {
		return output{}, err
	}
	session, err := d.openSession(ctx)
	if err != nil {
		release()
		return output{}, err
	}
	sh := newShell(d, session)
	out, err := sh.runBootstrap(ctx, stdin)
	r.cleanUp(ctx, sh, release)
	return out, err
}

// cleanUp deletes the shell, closes the connection and releases the slot. It
// waits for that unless the caller has stopped waiting, or the shell can be
// reached only by a new connection.
func (r *Runner) cleanUp(ctx context.Context, sh *shell, release func()) {
	broken, done := sh.session.isBroken(), make(chan struct{})
	r.cleanups.Go(func() {
		defer close(done)
		defer release()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeouts.Cleanup)
		defer cancel()
		if err := sh.close(ctx); err != nil {
			r.log.Warn("shell is not deleted; the server ends it when idle", zap.String("server", sh.dialer.host),
				zap.Duration("idle", shellIdle), zap.Error(err))
		}
	})
	if broken {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}
