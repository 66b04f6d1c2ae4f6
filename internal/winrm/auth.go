package winrm

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// authenticator proves who we are on a fresh connection. It may send empty
// requests, and set the session's authorization; no SOAP message leaves before
// it is done. An authenticator serves one session.
type authenticator interface {
	authenticate(ctx context.Context, s *session) error
}

// authenticatorFor returns what makes the authenticator of each new session.
// The password is read only then.
func authenticatorFor(c Connection) (func() (authenticator, error), error) {
	var with func(user string, password secret.Value) (authenticator, error)
	switch c.Auth {
	case Basic:
		with = newBasic
	case NTLM:
		with = newNTLM
	default:
		return nil, &problem{kind: powershell.Denied, err: fmt.Errorf("authentication %q is not one of %s, %s", c.Auth, Basic, NTLM)}
	}
	return func() (authenticator, error) {
		password, err := c.Password.Resolve()
		if err != nil {
			return nil, &problem{kind: powershell.Denied, err: err}
		}
		return with(c.User, password)
	}, nil
}

// basic puts user and password on every request (RFC 7617), the first
// included: TLS has proven the server by then.
type basic struct{ user, authorization string }

func newBasic(user string, password secret.Value) (authenticator, error) {
	credentials := append([]byte(user+":"), password.Bytes()...)
	return basic{user, "Basic " + base64.StdEncoding.EncodeToString(credentials)}, nil
}

func (b basic) authenticate(_ context.Context, s *session) error {
	s.authorization = b.authorization
	s.refused = func(r reply) error { return refused(r, b.user, Basic, "Basic") }
	return nil
}

// offers lists the authentication schemes of a 401 answer, without their
// parameters.
func offers(r reply) []string {
	var schemes []string
	for _, value := range r.header.Values("WWW-Authenticate") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if scheme = printable(scheme); scheme != "" && !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// offered says whether scheme is among schemes.
func offered(schemes []string, scheme string) bool {
	return slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
}

// refused explains a 401 answer to authentication that uses scheme. A server
// that does not even offer the scheme is told from one that refuses the
// credentials.
func refused(r reply, user string, configured Auth, scheme string) error {
	p := &problem{kind: powershell.Denied, code: http.StatusUnauthorized}
	schemes := offers(r)
	switch {
	case offered(schemes, scheme):
		p.err = fmt.Errorf("the server refuses user %q and its password (HTTP 401)", user)
	case len(schemes) == 0:
		p.err = fmt.Errorf("%s is configured, but the server offers no authentication", configured)
	default:
		p.err = fmt.Errorf("%s is configured, but the server offers only %s; nothing weaker is used in its place",
			configured, printable(strings.Join(schemes, ", ")))
	}
	return p
}
