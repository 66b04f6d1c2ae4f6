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

// ntlm authenticates the connection itself, by two empty requests (MS-NLMP,
// RFC 4559). Messages are not sealed: that serves plain HTTP, and here TLS does it.
type ntlm struct {
	user   string
	client *ntlmssp.Client
}

func newNTLM(user string, password secret.Value) (authenticator, error) {
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
	return &ntlm{user: user, client: client}, nil
}

func (n *ntlm) authenticate(ctx context.Context, s *session) error {
	message, err := n.client.Authenticate(nil, nil)
	if err != nil {
		return fmt.Errorf("make NTLM negotiation: %w", err)
	}
	r, err := s.post(ctx, token(message), nil)
	if err != nil {
		return err
	}
	challenge, err := n.challenge(r)
	if err != nil {
		return err
	}
	if message, err = n.respond(challenge, bindings(s.conn.ConnectionState().PeerCertificates[0])); err != nil {
		return &problem{kind: powershell.Garbled, err: fmt.Errorf("answer NTLM challenge: %w", err)}
	}
	if r, err = s.post(ctx, token(message), nil); err != nil {
		return err
	}
	switch r.status {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		return refused(r, n.user, NTLM, negotiate)
	default:
		return statusProblem(r, powershell.Unreachable)
	}
}

// challenge finds the server's NTLM challenge.
func (n *ntlm) challenge(r reply) ([]byte, error) {
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
	if offered(offers(r), negotiate) {
		// The password was not asked for, so it is not what the server minds.
		return nil, &problem{kind: powershell.Denied, code: http.StatusUnauthorized, err: fmt.Errorf(
			"ntlm is configured, but the server offers %s and takes up no NTLM under it", negotiate)}
	}
	return nil, refused(r, n.user, NTLM, negotiate)
}

// respond answers a challenge. The library panics at some malformed challenges,
// for instance flags of less than four bytes.
func (n *ntlm) respond(challenge []byte, bound *ntlmssp.ChannelBindings) (message []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is malformed")
		}
	}()
	return n.client.Authenticate(challenge, bound)
}

func token(message []byte) string {
	return negotiate + " " + base64.StdEncoding.EncodeToString(message)
}

// bindings ties a proof to the TLS connection that server's certificate
// protects: the type tls-server-end-point of RFC 5929. Servers that are set to
// CbtHardeningLevel=Strict demand it.
func bindings(certificate *x509.Certificate) *ntlmssp.ChannelBindings {
	h := bindingHash(certificate.SignatureAlgorithm).New()
	h.Write(certificate.Raw)
	return &ntlmssp.ChannelBindings{ApplicationData: h.Sum([]byte(ntlmssp.TLSServerEndPoint + ":"))}
}

// bindingHash is the hash of the certificate's own signature, but SHA-256 in
// place of MD5 and SHA-1 (RFC 5929, 4.1). The RFC defines none for signatures
// without a hash of their own: SHA-256 then, since whoever shows us such a
// certificate could pass a proof that is not bound on to another server.
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
