package wsman

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// answer is what a request gets: an envelope and its HTTP status.
type answer struct {
	status int
	body   []byte
	// drop cuts the connection in the middle of it.
	drop bool
}

// serveRequest handles one HTTP request.
func (e *Endpoint) serveRequest(w http.ResponseWriter, r *http.Request) {
	if !e.open.TryRLock() {
		panic(http.ErrAbortHandler) // closing
	}
	defer e.open.RUnlock()
	e.stats.updateStats(func(s *Stats) { s.Requests++ })
	w.Header().Set("Server", "Microsoft-HTTPAPI/2.0") // captured
	if r.URL.Path != "/wsman" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed) // assumed
		return
	}
	// A body is read before authentication, as by Windows: otherwise the
	// connection, which is what NTLM authenticates, could not be kept.
	body, fits, err := e.readBody(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	who := e.authenticateRequest(w, r, body)
	if who == nil {
		return
	}
	if !fits {
		// Windows answers a bare 413, no SOAP fault (masterzen/winrm #156,
		// ansible.windows #391 and #620).
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if len(body) == 0 {
		w.WriteHeader(http.StatusOK) // clients open their session with it
		return
	}
	sealed := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/encrypted")
	if sealed {
		if body, err = e.unsealBody(sessionOf(r), body); err != nil {
			// Sealed for another connection, among others (ansible's comment).
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	} else if e.options.PlainHTTP {
		w.WriteHeader(http.StatusInternalServerError) // AllowUnencrypted=false
		return
	}
	if len(body) > e.maxEnvelope() {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if a := e.handleEnvelope(w, r, who, body); a != nil {
		e.sendAnswer(w, r, a, sealed)
	}
}

func (e *Endpoint) maxEnvelope() int { return e.options.MaxEnvelopeKB * 1024 }

// readBody reads a body up to the largest that can hold an allowed envelope, sealed
// or not, and reports whether it was within the limit.
func (e *Endpoint) readBody(r *http.Request) (body []byte, fits bool, err error) {
	limit := int64(e.maxEnvelope()) + 1024
	body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil || int64(len(body)) <= limit {
		return body, true, err
	}
	// The rest is read away, so that the answer reaches the client and not a
	// reset; no client sends the simulator more than this by accident.
	_, err = io.CopyN(io.Discard, r.Body, 64<<20)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return body[:limit], false, err
}

func (e *Endpoint) unsealBody(s *session, body []byte) ([]byte, error) {
	if s.who == nil || !s.acceptor.channel.canSeal() {
		return nil, errSealed
	}
	sealed, err := unwrapSealed(body)
	if err != nil {
		return nil, err
	}
	message, err := s.acceptor.channel.openMessage(sealed)
	if err != nil {
		// The streams of the ciphers have parted: nothing more can be read.
		*s = session{}
		return nil, err
	}
	e.stats.updateStats(func(s *Stats) { s.Sealed++ })
	return message, nil
}

// handleEnvelope carries an envelope out. It returns nil if it has answered itself.
func (e *Endpoint) handleEnvelope(w http.ResponseWriter, r *http.Request, who *principal, body []byte) *answer {
	req, err := parseRequest(body)
	if err != nil {
		return e.faultAnswer(&request{}, invalidXML())
	}
	e.stats.countAction(req.verb())
	d := e.options.Disrupt(Point{Stage: Requesting, Action: req.verb(), User: who.user, Line: e.shells.commandLine(req)})
	if a, done := e.disruptRequest(w, r, req, d); done {
		return a
	}
	o := e.performAction(r, who, req)
	if errors.As(o.err, &d) {
		// What the host did with the command disturbs this very answer.
		if a, done := e.disruptRequest(w, r, req, d); done {
			return a
		}
	}
	a := e.concludeRequest(req, o)
	a.drop = d.Kind == Dropped
	return a
}

// disruptRequest carries out a disruption that takes the place of the answer; done
// is false if the request goes on, perhaps later.
func (e *Endpoint) disruptRequest(w http.ResponseWriter, r *http.Request, req *request, d Disruption) (a *answer, done bool) {
	switch d.Kind {
	case Refused:
		panic(http.ErrAbortHandler)
	case Unauthorized:
		e.sendChallenge(w, nil)
		return nil, true
	case SOAPFault:
		if d.Fault == nil {
			return e.faultAnswer(req, InternalError(d)), true
		}
		return e.faultAnswer(req, d.Fault), true
	}
	if !d.waitOut(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	return nil, false
}

func (e *Endpoint) faultAnswer(r *request, f *Fault) *answer {
	return &answer{status: f.httpStatus(), body: f.faultEnvelope(r, e.options.Name)}
}

// outcome is what an action came to: an envelope, an error, or an envelope
// with the [Disruption] that its answer meets.
type outcome struct {
	envelope []byte
	err      error
}

func (e *Endpoint) concludeRequest(r *request, o outcome) *answer {
	if o.envelope != nil {
		return &answer{status: http.StatusOK, body: o.envelope}
	}
	var f *Fault
	if !errors.As(o.err, &f) {
		f = InternalError(o.err)
	}
	return e.faultAnswer(r, f)
}

// performAction carries out what the request asks for.
func (e *Endpoint) performAction(r *http.Request, who *principal, req *request) outcome {
	timeout, bad := req.receiveTimeout(e.options.OperationTimeout)
	if bad != nil {
		return outcome{err: bad}
	}
	switch req.Header.Resource {
	case shellResource:
	case configResource:
		if req.Header.Action != actionGet {
			return outcome{err: unknownAction()}
		}
		return outcome{envelope: req.respond(e.configResponse())}
	default:
		return outcome{err: unknownResource(req.Header.Resource)}
	}
	switch req.Header.Action {
	case actionCreate:
		return e.shells.createShell(req, who, clientIP(r), e.URL())
	case actionGet:
		return e.shells.getShell(req, who)
	case actionDelete:
		return e.shells.deleteShell(req, who)
	case actionCommand:
		return e.shells.startCommand(req, who)
	case actionSend:
		return e.shells.sendInput(req, who)
	case actionSignal:
		return e.shells.signalCommand(req, who)
	case actionReceive:
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		return e.shells.receiveOutput(ctx, req, who)
	}
	return outcome{err: unknownAction()}
}

func clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// sendInput writes the answer, sealed if the request was.
func (e *Endpoint) sendAnswer(w http.ResponseWriter, r *http.Request, a *answer, sealed bool) {
	body, kind := a.body, soapType
	if sealed {
		body, kind = wrapSealed(sessionOf(r).acceptor.channel.sealMessage(body), len(body)), sealedType
	}
	w.Header().Set("Content-Type", kind)
	if a.drop {
		sendHalf(w, a.status, body)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	// A client that is gone by now has lost its answer, as it would have.
	_, _ = w.Write(body)
}
