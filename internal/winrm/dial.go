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
	// address is host:port, url where messages are addressed to.
	host, address, url string
	tls                *tls.Config
	connection         Connection
	timeouts           Timeouts
	logons             *logons
}

// newDialer checks a target and its connection before anything is sent. With
// secrets, of which the password of [Basic] is one, the server's certificate must
// verify even where the connection accepts any.
func newDialer(target powershell.Target, c Connection, secrets bool, timeouts Timeouts) (*dialer, error) {
	address, port, err := serverAddress(target)
	if err != nil {
		return nil, err
	}
	config, err := newTLSConfig(target.Host, c, secrets)
	if err != nil {
		return nil, err
	}
	if err := checkAuth(c.Auth); err != nil {
		return nil, err
	}
	return &dialer{
		host: target.Host, address: address, url: "https://" + net.JoinHostPort(target.Host, port) + "/wsman",
		tls: config, connection: c, timeouts: timeouts,
	}, nil
}

// serverAddress returns where to connect to, as host:port, and the port alone.
func serverAddress(target powershell.Target) (address, port string, err error) {
	address = target.Address
	if address == "" {
		address = net.JoinHostPort(target.Host, httpsPort)
	}
	if strings.Contains(address, "://") || strings.Contains(target.Host, "://") {
		return "", "", &problem{kind: powershell.Untrusted, err: fmt.Errorf(
			"%q is a URL; give host:port: WinRM is spoken over HTTPS only, never over plain HTTP", address)}
	}
	_, port, err = net.SplitHostPort(address)
	if err != nil {
		return "", "", &problem{kind: powershell.Unreachable, err: fmt.Errorf("address is not host:port: %w", err)}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", &problem{kind: powershell.Unreachable, err: fmt.Errorf("port of %s: %w", address, err)}
	}
	return address, port, nil
}

func newTLSConfig(host string, c Connection, secrets bool) (*tls.Config, error) {
	// RFC 8996 retires the versions before 1.2.
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = c.AllowUnverified && !secrets && c.Auth != Basic //nolint:gosec // only where the connection says so
	if c.CA != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, &problem{kind: powershell.Untrusted, err: errors.New("the connection's CA holds no certificate in PEM form")}
		}
	}
	return config, nil
}

// openSession connects and authenticates.
func (d *dialer) openSession(ctx context.Context) (*session, error) {
	connecting, cancel := context.WithTimeout(ctx, d.timeouts.Connect)
	defer cancel()
	conn, err := d.connectTLS(connecting)
	if err != nil {
		return nil, err
	}
	s := newSession(d.url, conn)
	if err := authenticateSession(ctx, s, d); err != nil {
		s.close()
		if _, ok := errors.AsType[*problem](err); !ok {
			err = &problem{kind: powershell.Unreachable, err: fmt.Errorf("authenticate: %w", d.explainDeadline(err))}
		}
		return nil, err
	}
	return s, nil
}

// connectTLS returns a connection after its TLS handshake.
func (d *dialer) connectTLS(ctx context.Context) (*tls.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return nil, &problem{kind: powershell.Unreachable, err: err}
	}
	conn := tls.Client(raw, d.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one that counts
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &problem{kind: powershell.Unreachable, err: fmt.Errorf("TLS with %s: %w", d.address, d.explainDeadline(err))}
		}
		return nil, handshakeProblem(d.address, err)
	}
	return conn, nil
}

// explainDeadline replaces a deadline error with one that names the timeout. The
// deadline is ours: the caller's own explains every error anyway.
func (d *dialer) explainDeadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no response within %s", d.timeouts.Connect)
	}
	return err
}

// handshakeProblem tells a server that cannot be trusted from one that cannot
// be reached.
func handshakeProblem(address string, err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &problem{kind: powershell.Untrusted, err: fmt.Errorf(
			"%w; set the connection's ca to the CA that issued it, and check the server's name", err)}
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
			"TLS with %s: %w; a WinRM listener without a certificate closes connections like this", address, err)}
	}
	return &problem{kind: powershell.Untrusted, err: fmt.Errorf("TLS with %s: %w", address, err)}
}
