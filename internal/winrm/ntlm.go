package winrm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/farmtrust/farmtrust/internal/ntlm"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// negotiate is the HTTP scheme under which Windows takes NTLM messages.
const negotiate = "Negotiate"

// authenticateNTLM authenticates the connection itself, by two empty requests
// (MS-NLMP, RFC 4559). Messages are not sealed, as they must be over plain HTTP:
// TLS encrypts them.
func authenticateNTLM(ctx context.Context, s *session, d *dialer, password secret.Value) error {
	user := d.connection.User
	offer := ntlm.Negotiate()
	r, err := d.sendNTLM(ctx, s, offer)
	if err != nil {
		return err
	}
	challenge, err := readChallenge(r, user)
	if err != nil {
		return err
	}
	proof, err := ntlm.Authenticate(offer, challenge, ntlm.Client{
		User: user, Password: password.Bytes(), Target: "HTTP/" + d.host,
		Bindings: channelBindings(s.conn.ConnectionState().PeerCertificates[0]),
	})
	if err != nil {
		return &problem{kind: powershell.Garbled, err: fmt.Errorf("answer NTLM challenge: %w", err)}
	}
	attempt, err := d.logons.begin(ctx, d.host, user, password)
	if err != nil {
		return err
	}
	defer attempt.abandoned()
	if r, err = d.sendNTLM(ctx, s, proof); err != nil {
		return err
	}
	switch r.status {
	case http.StatusOK:
		attempt.accepted()
		return nil
	case http.StatusUnauthorized:
		return refusedProblem(refusalProblem(r, user, NTLM, negotiate), attempt)
	default:
		return statusProblem(r, powershell.Unreachable)
	}
}

// readChallenge finds the server's NTLM challenge in a response.
func readChallenge(r httpResponse, user string) ([]byte, error) {
	switch r.status {
	case http.StatusUnauthorized:
	case http.StatusOK:
		return nil, &problem{kind: powershell.Denied, err: errors.New("ntlm is configured, but the server asks for no authentication")}
	default:
		return nil, statusProblem(r, powershell.Unreachable)
	}
	for _, value := range r.header.Values("WWW-Authenticate") {
		scheme, encoded, ok := strings.Cut(strings.TrimSpace(value), " ")
		if !ok || !strings.EqualFold(scheme, negotiate) {
			continue
		}
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil {
			return nil, &problem{kind: powershell.Garbled, err: fmt.Errorf("decode NTLM challenge: %w", err)}
		}
		return challenge, nil
	}
	if containsScheme(offeredSchemes(r), negotiate) {
		// The server did not ask for the password, so the password is not wrong.
		return nil, &problem{kind: powershell.Denied, code: http.StatusUnauthorized, err: fmt.Errorf(
			"ntlm is configured, but the server offers %s and accepts no NTLM within it", negotiate)}
	}
	return nil, refusalProblem(r, user, NTLM, negotiate)
}

// sendNTLM sends an NTLM message in an empty request, and returns the answer.
func (d *dialer) sendNTLM(ctx context.Context, s *session, message []byte) (httpResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Connect)
	defer cancel()
	return s.sendRequest(ctx, negotiate+" "+base64.StdEncoding.EncodeToString(message), nil)
}
