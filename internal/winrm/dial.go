package winrm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// httpsPort is where Windows listens for WS-Management over HTTPS.
const httpsPort = "5986"

// dialer opens sessions to one server.
type dialer struct {
	host, address string
	port          int
	tls           *tls.Config
	authenticator func() (authenticator, error)
	timeouts      Timeouts
}

// newDialer judges a target and its connection before anything is sent.
// private says that secrets will be sent: then the server's certificate must
// verify even where the connection allows any.
func newDialer(target powershell.Target, c Connection, private bool, timeouts Timeouts) (*dialer, error) {
	address := target.Address
	if address == "" {
		address = net.JoinHostPort(target.Host, httpsPort)
	}
	if strings.Contains(address, "://") || strings.Contains(target.Host, "://") {
		return nil, &problem{kind: powershell.Untrusted, err: fmt.Errorf(
			"%q is a URL; give host:port: WinRM is spoken over HTTPS only, never over plain HTTP", address)}
	}
	_, digits, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &problem{kind: powershell.Unreachable, err: fmt.Errorf("address is not host:port: %w", err)}
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return nil, &problem{kind: powershell.Unreachable, err: fmt.Errorf("port of %s: %w", address, err)}
	}
	// RFC 8996 retires the versions before 1.2.
	config := &tls.Config{ServerName: target.Host, MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = c.AllowUnverified && !private //nolint:gosec // only where the connection says so
	if c.CA != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, &problem{kind: powershell.Untrusted, err: errors.New("the connection's CA holds no certificate in PEM form")}
		}
	}
	makeAuthenticator, err := authenticatorFor(c)
	if err != nil {
		return nil, err
	}
	return &dialer{
		host: target.Host, address: address, port: int(port), tls: config,
		authenticator: makeAuthenticator, timeouts: timeouts,
	}, nil
}

// open connects and authenticates.
func (d *dialer) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Connect)
	defer cancel()
	conn, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(d, conn)
	a, err := d.authenticator()
	if err == nil {
		err = a.authenticate(ctx, s)
	}
	if err != nil {
		s.close()
		if _, ok := errors.AsType[*problem](err); !ok {
			err = &problem{kind: powershell.Unreachable, err: fmt.Errorf("authenticate: %w", d.late(err))}
		}
		return nil, err
	}
	return s, nil
}

// connect returns a connection with TLS up.
func (d *dialer) connect(ctx context.Context) (*tls.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, &problem{kind: powershell.Unreachable, err: err}
	}
	conn := tls.Client(raw, d.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one that counts
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &problem{kind: powershell.Unreachable, err: fmt.Errorf("TLS with %s: %w", d.address, d.late(err))}
		}
		return nil, handshakeProblem(d.address, err)
	}
	return conn, nil
}

// late takes the place of an error that speaks of a deadline, which is ours:
// the caller's own explains every error anyway.
func (d *dialer) late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", d.timeouts.Connect)
	}
	return err
}

// handshakeProblem tells a server that cannot be trusted from one that cannot
// be reached.
func handshakeProblem(address string, err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &problem{kind: powershell.Untrusted, err: fmt.Errorf(
			"%w; give the authority that issued it as the connection's ca, and check the server's name", err)}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &problem{kind: powershell.Untrusted, err: fmt.Errorf(
			"%s does not speak TLS; WinRM is spoken over HTTPS only (port %s), never over plain HTTP", address, httpsPort)}
	}
	// crypto/tls wraps the alerts of either side in a net.OpError of these two
	// operations; all other net.OpErrors are the network's.
	op, isOp := errors.AsType[*net.OpError](err)
	alert := isOp && (op.Op == "remote error" || op.Op == "local error")
	_, isNet := errors.AsType[net.Error](err)
	if !alert && (isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled)) {
		return &problem{kind: powershell.Unreachable, err: fmt.Errorf(
			"TLS with %s: %w; a WinRM listener without a certificate closes connections so", address, err)}
	}
	return &problem{kind: powershell.Untrusted, err: fmt.Errorf("TLS with %s: %w", address, err)}
}
