// Package wsman is the WS-Management service of a Windows server over HTTPS: the
// service through which any WinRM client hands command lines to a [Host].
//
// It knows the protocol and nothing behind it: what a command does, which
// accounts exist and what a certificate is for are the business of the Host
// and of [Options]. It speaks no Kerberos, CredSSP or client certificates, no
// PowerShell remoting (PSRP), no enumeration and no eventing, and it has been
// compared with captures of Windows servers and with independent clients, not
// with Windows itself. A rule of Windows says in its comment whether it is
// sourced (and where) or assumed.
package wsman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Host runs the commands that clients ask for.
type Host interface {
	// Run carries out one command and returns its whole output. The context
	// ends when the client signals or deletes the command, when its shell
	// idles out and when the endpoint closes; Run must then return soon, since
	// [Endpoint.Close] waits for it. Calls come from many goroutines.
	//
	// An error that wraps a *[Fault] is answered to the Receive as that SOAP
	// faultAnswer, and the command is over, but for [TimedOut], after which the
	// result can be received. One that wraps a [Disruption] disturbs the
	// Receive that would carry the result; any other becomes [InternalError].
	Run(ctx context.Context, c Command) (Result, error)
}

// Command is a command line that a client asked a shell to run.
type Command struct {
	// Line is the command as sent, Arguments what followed it. Clients differ
	// in how they divide the two; [Command.Text] is the same for all.
	Line      string
	Arguments []string
	// User is the account as the client wrote it: NAME, DOMAIN\NAME or
	// NAME@DOMAIN; the domain of an NTLM message comes first.
	User string
	// Auth is how the connection was authenticated; it decides whether the
	// startCommand could reach further servers.
	Auth Auth
	// Stdin ends when the client sends the end of its input, and fails when
	// the command is terminated. A client that sends no input never ends it.
	Stdin io.Reader
	// Shell and ID identify the shell and the command.
	Shell, ID string
}

// Result is what a command left behind. Output is UTF-8; it is translated to
// the code page of the shell.
type Result struct {
	Stdout, Stderr []byte
	Exit           int
}

// Binding is what happens to NTLM without a channel binding token over TLS.
type Binding int

const (
	// Relaxed accepts a missing token and refuses a wrong one. It is the
	// default of Windows [MS-WSMV 2.2.4.34].
	Relaxed Binding = iota
	// Strict refuses a missing token too.
	Strict
)

// Options are the settings of one simulated server. Only Name, Certificate and
// Password are required.
type Options struct {
	// Name is the server's DNS name, as in its certificate.
	Name        string
	Certificate tls.Certificate
	// Addr is the TCP address to listen on; empty is a free loopback port.
	Addr string
	// Offers are the authentications offered, in the order of the challenge;
	// empty is NTLM alone, since Windows has Basic off [MS-WSMV 2.2.4.34].
	Offers []Auth
	// Password looks an account up, by the name in [Command.User].
	Password func(user string) (password string, ok bool)
	// Refused is called with each logon to an account that had a wrong password; nil is
	// nobody.
	Refused func(user string)
	Binding Binding
	// MaxEnvelopeKB bounds requests and answers; 0 is 500, which Windows
	// Server 2012 R2 and later have (captured; the documentation says 150).
	MaxEnvelopeKB int
	// MaxShellsPerUser is 30 if 0, MaxOperations per user 1500 if 0
	// (documentation, win32 WinRM quotas). Windows does not give the operation
	// of a command back before its shell is deleted (ansible's winrm plugin).
	MaxShellsPerUser int
	MaxOperations    int
	// OperationTimeout caps how long a Receive waits for output; 0 is 60
	// seconds, the documented MaxTimeoutms. Clients may ask for less.
	OperationTimeout time.Duration
	// StreamBytes is the most that one Stream element carries, without regard
	// to where characters end; 0 is 4093 (assumed; captures show small ones).
	StreamBytes int
	// Disrupt is asked at each [Point] what goes wrong there; nil is nothing.
	Disrupt func(Point) Disruption
	// PlainHTTP serves without TLS, so that a test can prove that a client
	// refuses. Unsealed requests are then answered 500, because
	// AllowUnencrypted is false (pywinrm #129, ansible #33385).
	PlainHTTP bool
}

func (o Options) withDefaults() Options {
	defaultTo(&o.Addr, "127.0.0.1:0")
	defaultTo(&o.MaxEnvelopeKB, 500)
	defaultTo(&o.MaxShellsPerUser, defaultMaxShells)
	defaultTo(&o.MaxOperations, 1500)
	defaultTo(&o.OperationTimeout, 60*time.Second)
	defaultTo(&o.StreamBytes, 4093)
	if len(o.Offers) == 0 {
		o.Offers = []Auth{NTLM}
	}
	if o.Refused == nil {
		o.Refused = func(string) {}
	}
	if o.Disrupt == nil {
		o.Disrupt = func(Point) Disruption { return Disruption{} }
	}
	return o
}

// defaultMaxShells is MaxShellsPerUser since Windows Server 2012.
const defaultMaxShells = 30

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o Options) checkRequired() error {
	var wrong []error
	if o.Name == "" {
		wrong = append(wrong, errors.New("it has no name"))
	}
	if o.Password == nil {
		wrong = append(wrong, errors.New("it has no accounts"))
	}
	if len(o.Certificate.Certificate) == 0 && !o.PlainHTTP {
		wrong = append(wrong, errors.New("it has no certificate"))
	}
	for _, a := range o.Offers {
		if !slices.Contains([]Auth{Basic, NTLM}, a) {
			wrong = append(wrong, fmt.Errorf("it cannot offer authentication %q", a))
		}
	}
	return errors.Join(wrong...)
}

// Endpoint is a running WS-Management service. Its methods may be called from
// any goroutine.
type Endpoint struct {
	options  Options
	listener net.Listener
	server   *http.Server
	shells   *shells
	binding  []byte
	stats    counters
	stop     context.CancelFunc
	serving  sync.WaitGroup
	conns    sync.Map // net.Conn to struct{}, the open ones
	// openMessage is held for reading by each request, and for writing by Close.
	open   sync.RWMutex
	closed sync.Once
}

// Start listens and serves until [Endpoint.Close].
func Start(o Options, h Host) (*Endpoint, error) {
	if err := o.checkRequired(); err != nil {
		return nil, fmt.Errorf("start ws-management service %s: %w", o.Name, err)
	}
	o = o.withDefaults()
	binding, err := channelBinding(o.Certificate)
	if err != nil {
		return nil, fmt.Errorf("start ws-management service %s: %w", o.Name, err)
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("start ws-management service %s: %w", o.Name, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Endpoint{options: o, binding: binding, stop: stop}
	e.shells = newShells(ctx, o, h)
	e.listener = &disruptedListener{Listener: listener, ctx: ctx, disrupt: o.Disrupt}
	e.server = &http.Server{
		Handler:           http.HandlerFunc(e.serveRequest),
		ReadHeaderTimeout: 10 * time.Minute, // longer than a client bears [Hang]
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withSession,
		ConnState:         e.connState,
		// Clients that refuse our certificate are the clients' news.
		ErrorLog: log.New(io.Discard, "", 0),
		// NTLM authenticates a connection, which HTTP/2 would share out.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{o.Certificate}, MinVersion: tls.VersionTLS12},
	}
	e.serving.Go(e.startListening)
	return e, nil
}

// startListening returns when the server is closed; until then Accept errors are
// retried by net/http, so there is no other error to report.
func (e *Endpoint) startListening() {
	if e.options.PlainHTTP {
		_ = e.server.Serve(e.listener)
		return
	}
	_ = e.server.ServeTLS(e.listener, "", "")
}

// Addr is the address that the endpoint listens on.
func (e *Endpoint) Addr() net.Addr { return e.listener.Addr() }

// URL is where clients send their requests, by address; the certificate is for
// [Options.Name].
func (e *Endpoint) URL() string {
	scheme := "https"
	if e.options.PlainHTTP {
		scheme = "http"
	}
	return scheme + "://" + e.Addr().String() + "/wsman"
}

// Reset does what restarting the machine does to its WinRM service: commands
// are ended, shells forgotten and connections cut. It goes on listening; a
// machine that is still down is a [Disruption] at [Connecting].
func (e *Endpoint) Reset() {
	e.shells.deleteAll()
	e.conns.Range(func(c, _ any) bool {
		// The connection is thrown away; that closing it failed changes nothing.
		_ = c.(net.Conn).Close()
		return true
	})
}

// Close ends commands, cuts connections and waits for both to be gone; a
// [Host.Run] must therefore not call it. A second call does nothing.
func (e *Endpoint) Close() (err error) {
	e.closed.Do(func() {
		e.stop()
		err = e.server.Close()
		e.serving.Wait()
		e.open.Lock() // and never unlocked: requests are refused from now on
		e.shells.deleteAll()
		e.shells.running.Wait()
	})
	if err != nil {
		return fmt.Errorf("close ws-management service %s: %w", e.options.Name, err)
	}
	return nil
}
