package wsman

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Auth is a way to authenticate.
type Auth string

const (
	// Basic is name and password with each request.
	Basic Auth = "basic"
	// NTLM is NTLMv2 under the Negotiate scheme, once for each connection,
	// without the SPNEGO wrapping that only Windows clients use.
	NTLM Auth = "ntlm"
)

// principal is who sent a request.
type principal struct {
	user string
	auth Auth
}

// session is the state of one TCP connection. A connection's requests are
// handled one after the other, so it needs no lock.
type session struct {
	acceptor *acceptor
	// who is set once NTLM has succeeded, and holds for the requests that
	// follow without a header [MS-NTHT].
	who *principal
}

type sessionKey struct{}

func withSession(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, sessionKey{}, &session{})
}

func sessionOf(r *http.Request) *session {
	return r.Context().Value(sessionKey{}).(*session)
}

// authenticateRequest says who sent r, or answers 401 and returns nil.
func (e *Endpoint) authenticateRequest(w http.ResponseWriter, r *http.Request, body []byte) *principal {
	s := sessionOf(r)
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Basic") && e.offersAuth(Basic):
		if who := e.checkBasic(r); who != nil {
			return who
		}
	case strings.EqualFold(scheme, "Negotiate") && e.offersAuth(NTLM):
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
		if err != nil {
			break
		}
		if challenge := e.negotiate(s, raw); challenge != nil {
			w.Header().Set("WWW-Authenticate", "Negotiate "+base64.StdEncoding.EncodeToString(challenge))
			e.unauthorized(w, body)
			return nil
		}
		if s.who != nil {
			return s.who
		}
	case scheme == "" && s.who != nil && len(body) > 0:
		return s.who
		// An empty request without a header asks to authenticate again
		// (assumed: masterzen's sealing client depends on it).
	}
	e.sendChallenge(w, body)
	return nil
}

func (e *Endpoint) offersAuth(a Auth) bool { return slices.Contains(e.options.Offers, a) }

// sendChallenge answers 401 with what the server offers.
func (e *Endpoint) sendChallenge(w http.ResponseWriter, body []byte) {
	for _, a := range e.options.Offers {
		switch a {
		case Basic:
			w.Header().Add("WWW-Authenticate", `Basic realm="WSMAN"`)
		case NTLM:
			w.Header().Add("WWW-Authenticate", "Negotiate")
		}
	}
	e.unauthorized(w, body)
}

func (e *Endpoint) unauthorized(w http.ResponseWriter, body []byte) {
	e.stats.updateStats(func(s *Stats) {
		s.Unauthorized++
		if len(body) > 0 {
			s.BodiesBeforeAuthentication++
		}
	})
	w.WriteHeader(http.StatusUnauthorized)
}

func (e *Endpoint) checkBasic(r *http.Request) *principal {
	user, password, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	// RFC 7617 leaves the encoding open: pywinrm sends Latin-1, Go UTF-8
	// (assumed: Windows takes both).
	user, password = fromLatin1(user), fromLatin1(password)
	want, known := e.options.Password(user)
	if !known {
		return nil
	}
	if !hmac.Equal([]byte(want), []byte(password)) {
		e.options.Refused(user)
		return nil
	}
	return &principal{user: user, auth: Basic}
}

// fromLatin1 reads a text that is not UTF-8 as Latin-1.
func fromLatin1(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range runes {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// negotiate takes one NTLM message. It returns the challenge if the message
// opens a handshake, which may happen at any time on a connection; otherwise
// it leaves in the session whether the handshake succeeded.
func (e *Endpoint) negotiate(s *session, message []byte) []byte {
	s.who = nil
	if opening, err := parseNegotiate(message); err == nil {
		s.acceptor = newAcceptor(e.options.Name, opening)
		return s.acceptor.challenge
	}
	if s.acceptor == nil {
		return nil
	}
	user, err := s.acceptor.acceptToken(message, e.options.Password)
	if err == nil {
		err = e.checkBinding(s.acceptor)
	}
	if errors.Is(err, errPassword) {
		e.options.Refused(user)
	}
	if err != nil {
		// Windows does not tell the client why, either.
		s.acceptor = nil
		return nil
	}
	s.who = &principal{user: user, auth: NTLM}
	return nil
}

var errBinding = errors.New("the channel binding token is missing or wrong")

// checkBinding compares the token with our certificate (documentation,
// CbtHardeningLevel; Relaxed refuses a token that is there and wrong).
func (e *Endpoint) checkBinding(a *acceptor) error {
	if e.options.PlainHTTP {
		return nil
	}
	if !a.bound {
		if e.options.Binding == Strict {
			return errBinding
		}
		return nil
	}
	if !hmac.Equal(a.binding[:], e.binding) {
		return errBinding
	}
	e.stats.updateStats(func(s *Stats) { s.Bound++ })
	return nil
}

// channelBinding is the token of type tls-server-end-point for a certificate
// [RFC 5929 4.1, MS-NLMP 2.2.2.1 MsvAvChannelBindings, RFC 2744 3.11].
func channelBinding(certificate tls.Certificate) ([]byte, error) {
	if len(certificate.Certificate) == 0 {
		return nil, nil // plain HTTP has nothing to bind to
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("read the server's certificate: %w", err)
	}
	hash := sha256.New() // MD5 and SHA-1 signatures are bound by SHA-256 too
	switch leaf.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = sha512.New()
	}
	hash.Write(leaf.Raw)
	data := hash.Sum([]byte("tls-server-end-point:"))
	// Initiator and acceptor address, type and length each, are all zero.
	return md5Sum(binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data))), data), nil
}
