package winrm

import (
	"context"
	"crypto"
	_ "crypto/sha256" // for channel bindings
	_ "crypto/sha512" // for channel bindings
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bodgit/ntlmssp"

	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// negotiate is the HTTP scheme under which Windows takes NTLM messages.
const negotiate = "Negotiate"

func newNTLMClient(user string, password secret.Value) (*ntlmssp.Client, error) {
	name, domain := user, ""
	if d, u, ok := strings.Cut(user, `\`); ok {
		name, domain = u, d
	}
	client, err := ntlmssp.NewClient(
		ntlmssp.SetUserInfo(name, string(password.Bytes())), ntlmssp.SetDomain(domain),
		ntlmssp.SetVersion(ntlmssp.DefaultVersion()))
	if err != nil {
		return nil, fmt.Errorf("prepare NTLM: %w", err)
	}
	return client, nil
}

// authenticateNTLM authenticates the connection itself, by two empty requests
// (MS-NLMP, RFC 4559). Messages are not sealed, as they must be over plain HTTP:
// TLS encrypts them.
func authenticateNTLM(ctx context.Context, s *session, user string, password secret.Value) error {
	client, err := newNTLMClient(user, password)
	if err != nil {
		return err
	}
	message, err := client.Authenticate(nil, nil)
	if err != nil {
		return fmt.Errorf("make NTLM negotiation: %w", err)
	}
	r, err := s.sendRequest(ctx, negotiateHeader(message), nil)
	if err != nil {
		return err
	}
	challenge, err := readChallenge(r, user)
	if err != nil {
		return err
	}
	bindings := channelBindings(s.conn.ConnectionState().PeerCertificates[0])
	if message, err = respondToChallenge(client, challenge, bindings); err != nil {
		return &problem{kind: powershell.Garbled, err: fmt.Errorf("answer NTLM challenge: %w", err)}
	}
	if r, err = s.sendRequest(ctx, negotiateHeader(message), nil); err != nil {
		return err
	}
	switch r.status {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return refusalProblem(r, user, NTLM, negotiate)
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

// respondToChallenge makes the message that proves the password. The library
// panics on some malformed challenges, for instance flags of less than four
// bytes.
func respondToChallenge(client *ntlmssp.Client, challenge []byte, bindings *ntlmssp.ChannelBindings) (message []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is malformed")
		}
	}()
	return client.Authenticate(challenge, bindings)
}

// negotiateHeader is the Authorization header that carries an NTLM message.
func negotiateHeader(message []byte) string {
	return negotiate + " " + base64.StdEncoding.EncodeToString(message)
}

// channelBindings ties a proof to the TLS connection that the server's
// certificate protects: the type tls-server-end-point of RFC 5929. Servers with
// CbtHardeningLevel=Strict demand it.
func channelBindings(certificate *x509.Certificate) *ntlmssp.ChannelBindings {
	h := bindingHash(certificate.SignatureAlgorithm).New()
	h.Write(certificate.Raw)
	return &ntlmssp.ChannelBindings{ApplicationData: h.Sum([]byte(ntlmssp.TLSServerEndPoint + ":"))}
}

// bindingHash is the hash of the certificate's own signature, but SHA-256 in
// place of MD5 and SHA-1 (RFC 5929, 4.1). The RFC defines none for signatures
// without a hash of their own; SHA-256 is used then, because an unbound proof
// could be relayed to another server.
func bindingHash(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}
