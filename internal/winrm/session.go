package winrm

import (
	"bufio"
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

// maxHead bounds an answer's status line and header, in bytes: errors repeat
// some of it.
const maxHead = 64 << 10

// errClosed is a connection that ended where an answer should begin.
var errClosed = errors.New("the connection was closed by the server")

// session is one connection, authenticated once. Requests follow one another;
// when the connection is lost, so is the session.
//
// It speaks HTTP/1.1 on the connection itself. An [http.Transport] replaces
// connections as it sees fit, on a busy machine even one in good order, when it
// has seen an answer and its own request is not yet noted as written; and the
// new one would not be authenticated.
type session struct {
	url  string
	conn *tls.Conn
	// answers reads from conn as much as limit allows.
	answers *bufio.Reader
	limit   *io.LimitedReader
	// authorization is the header of every request; empty where the connection
	// itself is authenticated.
	authorization string
	// refused explains a 401 answer to a request that carries authorization.
	refused func(reply) error
	lost    atomic.Bool
}

// newSession takes over conn.
func newSession(d *dialer, conn *tls.Conn) *session {
	limit := &io.LimitedReader{R: conn}
	return &session{
		url:  "https://" + net.JoinHostPort(d.host, strconv.Itoa(d.port)) + "/wsman",
		conn: conn, answers: bufio.NewReader(limit), limit: limit,
	}
}

// close ends the connection at once.
func (s *session) close() {
	s.lost.Store(true)
	_ = s.conn.Close() // nothing is left to lose
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
	// A request that was given up leaves the connection between two messages.
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	r, err := s.roundTrip(request)
	if err != nil {
		s.close()
	}
	if err != nil && ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	return r, err
}

func (s *session) roundTrip(request *http.Request) (reply, error) {
	switch {
	case s.broken():
		return reply{}, errClosed
	case s.answers.Buffered() > 0:
		return reply{}, &problem{kind: powershell.Garbled, err: errors.New("the server sent more than was asked for")}
	}
	s.limit.N = maxHead
	// A server that takes no more may have said why.
	sent := request.Write(s.conn)
	response, err := s.readHead(request)
	switch {
	case err != nil && sent != nil:
		return reply{}, sent
	case err != nil:
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or given up
	s.limit.N = maxAnswer + maxHead              // chunks have heads of their own
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case len(body) > maxAnswer, s.limit.N == 0:
		return reply{}, &problem{kind: powershell.Garbled, err: fmt.Errorf("an answer exceeds %d bytes", maxAnswer)}
	case err != nil:
		return reply{}, fmt.Errorf("read answer: %w", err)
	}
	if response.Close || sent != nil {
		s.close()
	}
	return reply{status: response.StatusCode, header: response.Header, body: body}, nil
}

// readHead reads up to the body of an answer, past those that only tell to
// wait (RFC 9110, 15.2).
func (s *session) readHead(request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(s.answers, request)
		switch {
		case err != nil && s.limit.N == 0:
			return nil, &problem{kind: powershell.Garbled, err: fmt.Errorf("the header of an answer exceeds %d bytes", maxHead)}
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errClosed
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, &problem{kind: powershell.Garbled, err: errors.New("the server changes to another protocol (HTTP 101)")}
		case response.StatusCode >= http.StatusOK:
			return response, nil
		}
	}
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
