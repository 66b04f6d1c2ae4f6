package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// maxAnswer bounds one answer, in bytes: several times the envelope size that
// requests ask for.
const maxAnswer = 1 << 20

// maxHeader bounds an answer's header, in bytes: errors repeat some of it.
const maxHeader = 64 << 10

// errSecondConnection stops net/http from replacing a connection that was
// lost: the new one would not be authenticated.
var errSecondConnection = errors.New("the connection was closed by the server")

// session is one connection, authenticated once. Requests follow one another;
// when the connection is lost, so is the session.
type session struct {
	url       string
	conn      *tls.Conn
	transport *http.Transport
	// authorization is the header of every request; empty where the connection
	// itself is authenticated.
	authorization string
	// refused explains a 401 answer to a request that carries authorization.
	refused func(reply) error
	lost    atomic.Bool
}

// newSession takes over conn.
func newSession(d *dialer, conn *tls.Conn) *session {
	s := &session{url: "https://" + net.JoinHostPort(d.host, strconv.Itoa(d.port)) + "/wsman", conn: conn}
	var taken atomic.Bool
	s.transport = &http.Transport{
		// No proxy: it would end TLS elsewhere or change connections under NTLM.
		Proxy:           nil,
		MaxConnsPerHost: 1,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if taken.Swap(true) {
				return nil, errSecondConnection
			}
			return conn, nil
		},
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return s
}

// close ends the connection at once.
func (s *session) close() {
	s.lost.Store(true)
	_ = s.conn.Close() // nothing is left to lose
	s.transport.CloseIdleConnections()
}

// broken says that no further request can be sent.
func (s *session) broken() bool { return s.lost.Load() }

// reply is an HTTP answer with its whole body.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// post sends one request and reads its answer. It follows no redirect, which
// could lead to where nothing is encrypted. Its errors are those of the network
// or of ctx.
func (s *session) post(ctx context.Context, authorization string, body []byte) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	request.Header.Set("User-Agent", "farmtrust")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	r, err := s.roundTrip(request)
	if err != nil {
		s.close()
	}
	return r, err
}

func (s *session) roundTrip(request *http.Request) (reply, error) {
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or given up
	if response.StatusCode == http.StatusSwitchingProtocols {
		// Then the body is the connection, which knows no context.
		return reply{}, &problem{kind: powershell.Garbled, err: errors.New("the server changes to another protocol (HTTP 101)")}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return reply{}, fmt.Errorf("read answer: %w", err)
	}
	if len(body) > maxAnswer {
		return reply{}, &problem{kind: powershell.Garbled, err: fmt.Errorf("an answer exceeds %d bytes", maxAnswer)}
	}
	return reply{status: response.StatusCode, header: response.Header, body: body}, nil
}

// statusProblem explains an HTTP status that comes without a SOAP envelope.
// otherwise is the kind of those that say nothing about credentials.
func statusProblem(r reply, otherwise powershell.Kind) error {
	p := &problem{kind: otherwise, code: uint32(r.status)} //nolint:gosec // three digits
	switch r.status {
	case http.StatusUnauthorized:
		p.kind, p.err = powershell.Denied, errors.New("the server no longer accepts the credentials (HTTP 401)")
	case http.StatusForbidden:
		p.kind, p.err = powershell.Forbidden, errors.New("the account may not use WinRM (HTTP 403)")
	case http.StatusNotFound:
		p.err = errors.New("there is no WinRM at this address (HTTP 404)")
	case http.StatusRequestEntityTooLarge:
		p.err = fmt.Errorf("the server takes no message of up to %d KiB; raise its MaxEnvelopeSizekb (HTTP 413)", envelopeSize>>10)
	case http.StatusServiceUnavailable:
		p.err = errors.New("the WinRM service does not run (HTTP 503)")
	default:
		p.err = fmt.Errorf("unexpected answer: HTTP %d %s", r.status, http.StatusText(r.status))
	}
	return p
}
