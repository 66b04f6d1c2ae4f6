package winrm

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// maxBody bounds the body of one response, in bytes: more than the envelope size that
// requests ask for. Reading the XML of a hostile one takes some forty times as much.
const maxBody = 256 << 10

// maxHeader bounds a response's status line and header, in bytes: errors repeat
// some of it.
const maxHeader = 64 << 10

// errClosed is a connection that ended where a response should begin.
var errClosed = errors.New("the connection was closed by the server")

// session is one connection, authenticated once. Requests follow one another;
// when the connection is lost, so is the session.
//
// It speaks HTTP/1.1 on the connection itself. An [http.Transport] replaces
// connections as it sees fit, on a busy machine even one in good order (when it
// has seen a response before its own request is noted as written), and the new
// one would not be authenticated.
type session struct {
	url  string
	conn *tls.Conn
	// incoming reads from conn as much as limit allows.
	incoming *bufio.Reader
	limit    *io.LimitedReader
	// authorization is the header of every request; empty where the connection
	// itself is authenticated.
	authorization string
	// explainRefusal explains a 401 response to a request that carries
	// authorization; nil where the connection itself is authenticated.
	explainRefusal func(httpResponse) error
	// logon is the attempt that the first answer settles; nil where the connection itself
	// is authenticated.
	logon *logon
	lost  atomic.Bool
}

// newSession takes over conn, a connection to url.
func newSession(url string, conn *tls.Conn) *session {
	limit := &io.LimitedReader{R: conn}
	return &session{
		url: url, conn: conn, incoming: bufio.NewReader(limit), limit: limit,
	}
}

// close ends the connection at once.
func (s *session) close() {
	s.lost.Store(true)
	_ = s.conn.Close() // nothing is left to lose
}

// endLogon ends an attempt that no answer has settled.
func (s *session) endLogon() {
	if s.logon != nil {
		s.logon.abandoned()
	}
}

// isBroken reports whether no further request can be sent.
func (s *session) isBroken() bool { return s.lost.Load() }

// httpResponse is an HTTP response with its whole body.
type httpResponse struct {
	status int
	header http.Header
	body   []byte
}

// sendRequest sends one request and reads its response. It follows no redirect:
// that could lead to a place where nothing is encrypted. Its errors are those of
// the network or of ctx.
func (s *session) sendRequest(ctx context.Context, authorization string, body []byte) (httpResponse, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return httpResponse{}, err
	}
	request.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	request.Header.Set("User-Agent", "farmtrust")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	// A request that is abandoned leaves the connection in the middle of a message.
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	r, err := s.roundTrip(request)
	if err != nil {
		s.close()
		s.endLogon()
	}
	if err != nil && ctx.Err() != nil {
		return httpResponse{}, ctx.Err()
	}
	return r, err
}

func (s *session) roundTrip(request *http.Request) (httpResponse, error) {
	switch {
	case s.isBroken():
		return httpResponse{}, errClosed
	case s.incoming.Buffered() > 0:
		return httpResponse{}, &problem{kind: powershell.Garbled, err: errors.New("the server sent more than it was asked for")}
	}
	s.limit.N = maxHeader
	// A server that reads no further may still have said why.
	writeErr := request.Write(s.conn)
	response, err := s.readHeader(request)
	switch {
	case err != nil && writeErr != nil:
		return httpResponse{}, writeErr
	case err != nil:
		return httpResponse{}, err
	}
	defer func() { _ = response.Body.Close() }() // read to its end, or abandoned
	s.limit.N = maxBody + maxHeader              // chunks have headers of their own
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case len(body) > maxBody, s.limit.N == 0:
		return httpResponse{}, oversizedProblem("a response", maxBody)
	case err != nil:
		return httpResponse{}, fmt.Errorf("read response: %w", err)
	}
	if response.Close || writeErr != nil {
		s.close()
	}
	return httpResponse{status: response.StatusCode, header: response.Header, body: body}, nil
}

// readHeader reads up to the body of a response, past interim ones (RFC 9110,
// 15.2).
func (s *session) readHeader(request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(s.incoming, request)
		switch {
		case err != nil && s.limit.N == 0:
			return nil, oversizedProblem("the header of a response", maxHeader)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errClosed
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, &problem{kind: powershell.Garbled, err: errors.New("the server switches to another protocol (HTTP 101)")}
		case response.StatusCode >= http.StatusOK:
			return response, nil
		}
	}
}

// statusProblem explains an HTTP status that comes without a SOAP envelope.
// otherwise is the kind of all that do not concern credentials.
func statusProblem(r httpResponse, otherwise powershell.Kind) error {
	p := &problem{kind: otherwise, code: uint32(r.status)} //nolint:gosec // three digits
	switch r.status {
	case http.StatusUnauthorized:
		p.kind, p.err = powershell.Denied, errors.New("the server no longer accepts the credentials (HTTP 401)")
	case http.StatusForbidden:
		p.kind, p.err = powershell.Forbidden, errors.New("the account may not use WinRM (HTTP 403)")
	case http.StatusNotFound:
		p.err = errors.New("there is no WinRM at this address (HTTP 404)")
	case http.StatusRequestEntityTooLarge:
		p.err = fmt.Errorf("the server does not accept messages of up to %d KiB; raise its MaxEnvelopeSizekb (HTTP 413)", envelopeSize>>10)
	case http.StatusServiceUnavailable:
		p.err = errors.New("the WinRM service is not running (HTTP 503)")
	default:
		p.err = fmt.Errorf("unexpected response: HTTP %d %s", r.status, http.StatusText(r.status))
	}
	return p
}
