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

// checkAuth refuses what [authenticateSession] does not know, before anything is sent.
func checkAuth(auth Auth) error {
	if auth != Basic && auth != NTLM {
		return &problem{kind: powershell.Denied, err: fmt.Errorf("authentication %q is not one of %s, %s", auth, Basic, NTLM)}
	}
	return nil
}

// authenticateSession proves to the server who we are, with a password that is read
// only now. It may send empty requests; no SOAP message leaves before it is
// done.
func authenticateSession(ctx context.Context, s *session, d *dialer) error {
	password, err := d.connection.Password.Resolve()
	if err != nil {
		return &problem{kind: powershell.Denied, err: err}
	}
	if d.connection.Auth == NTLM {
		return authenticateNTLM(ctx, s, d, password)
	}
	return authenticateBasic(ctx, s, d, password)
}

// authenticateBasic puts user and password on every request (RFC 7617), the
// first included: TLS has authenticated the server by then. The server says with its
// first answer whether it accepts them.
func authenticateBasic(ctx context.Context, s *session, d *dialer, password secret.Value) error {
	user := d.connection.User
	attempt, err := d.logons.begin(ctx, d.host, user, password)
	if err != nil {
		return err
	}
	credentials := append([]byte(user+":"), password.Bytes()...)
	s.authorization = "Basic " + base64.StdEncoding.EncodeToString(credentials)
	s.logon = attempt
	s.explainRefusal = func(r httpResponse) error {
		refusal := refusalProblem(r, user, Basic, "Basic")
		if !containsScheme(offeredSchemes(r), "Basic") {
			return refusal // the server did not look at the password
		}
		return refusedProblem(refusal, attempt)
	}
	return nil
}

// refusedProblem ends a logon that the server has refused, and returns the refusal with how
// it goes on.
func refusedProblem(refusal error, attempt *logon) error {
	return &problem{kind: powershell.Denied, code: http.StatusUnauthorized, err: fmt.Errorf("%w: %s", refusal, attempt.refused())}
}

// refusalProblem explains a 401 response to authentication that uses scheme. It
// tells a server that does not even offer the scheme from one that refuses the
// credentials.
func refusalProblem(r httpResponse, user string, configured Auth, scheme string) error {
	p := &problem{kind: powershell.Denied, code: http.StatusUnauthorized}
	schemes := offeredSchemes(r)
	switch {
	case containsScheme(schemes, scheme):
		p.err = fmt.Errorf("the server refuses user %s and its password (HTTP 401)", user)
	case len(schemes) == 0:
		p.err = fmt.Errorf("%s is configured, but the server offers no authentication", configured)
	default:
		p.err = fmt.Errorf("%s is configured, but the server offers only %s; nothing weaker is used in its place",
			configured, printableText(strings.Join(schemes, ", ")))
	}
	return p
}

// offeredSchemes lists the authentication schemes of a 401 response, without
// their parameters.
func offeredSchemes(r httpResponse) []string {
	var schemes []string
	for _, value := range r.header.Values("WWW-Authenticate") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if scheme = printableText(scheme); scheme != "" && !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// containsScheme reports whether scheme is among schemes, in any case.
func containsScheme(schemes []string, scheme string) bool {
	return slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
}
