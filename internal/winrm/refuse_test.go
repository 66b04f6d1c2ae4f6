package winrm_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

func TestWrongCredentialsAreDenied(t *testing.T) {
	t.Parallel()
	for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
		for name, change := range map[string]func(*winrm.Connection){
			"wrong password": func(c *winrm.Connection) { c.Password = inFile(t, "wrong") },
			"unknown user":   func(c *winrm.Connection) { c.User = "nobody" },
		} {
			t.Run(string(auth)+", "+name, func(t *testing.T) {
				t.Parallel()
				s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}})
				c := s.connection(t)
				c.Auth = auth
				change(&c)
				err := runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
				wantKind(t, err, powershell.Denied)
				if code := transportError(t, err).Code; code != http.StatusUnauthorized || !strings.Contains(err.Error(), "refuses user") {
					t.Errorf("got code %d: %v", code, err)
				}
				s.wantFreed(t)
			})
		}
	}
}

func TestAServerThatOffersOnlySomethingElseIsDenied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offers wsman.Auth
		auth   winrm.Auth
		want   string
	}{
		"weaker": {wsman.Basic, winrm.NTLM, "ntlm is configured, but the server offers only Basic"},
		"other":  {wsman.NTLM, winrm.Basic, "basic is configured, but the server offers only Negotiate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{c.offers}})
			connection := s.connection(t)
			connection.Auth = c.auth
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
			wantKind(t, err, powershell.Denied)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			if got := s.Stats(); got.Requests != 1 || len(got.Actions) != 0 {
				t.Errorf("went on after the refusal: %+v", got)
			}
		})
	}
}

func TestAnUnknownAuthenticationIsDenied(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.Auth = "digest"
	wantKind(t, runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{}), powershell.Denied)
}

func TestAPasswordThatCannotBeReadIsDenied(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.Password = "file:/nowhere/password"
	err := runner(t, c, zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
	wantKind(t, err, powershell.Denied)
	if !strings.Contains(err.Error(), "/nowhere/password") {
		t.Errorf("the error does not name the secret: %v", err)
	}
	s.wantFreed(t)
}

func TestAServerThatDoesNotProveItselfIsUntrusted(t *testing.T) {
	t.Parallel()
	_, otherCA := issue(t, serverName, newKey(t, elliptic.P256()))
	for name, c := range map[string]struct {
		ca   func(own []byte) []byte
		host string
	}{
		"authority of the system": {func([]byte) []byte { return nil }, serverName},
		"another authority":       {func([]byte) []byte { return otherCA }, serverName},
		"no authority at all":     {func([]byte) []byte { return []byte("not PEM") }, serverName},
		"another name":            {func(own []byte) []byte { return own }, "oos-02.contoso.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, echoing, wsman.Options{})
			connection := s.connection(t)
			connection.CA = c.ca(s.ca)
			target := s.target()
			target.Host = c.host
			err := runner(t, connection, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, powershell.Untrusted)
			if n := s.Stats().Requests; n != 0 {
				t.Errorf("sent %d requests", n)
			}
		})
	}
}

func TestAnUnverifiedServerMayBeAllowedButGetsNoSecrets(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	c := s.connection(t)
	c.CA, c.AllowUnverified = nil, true
	r := runner(t, c, zap.NewNop())
	if err := r.Run(t.Context(), s.target(), say(0), &echo{}); err != nil {
		t.Fatalf("without secrets: %v", err)
	}
	before := s.Stats().Requests
	wantKind(t, r.Run(t.Context(), s.target(), say(1), &echo{}), powershell.Untrusted)
	if after := s.Stats().Requests; after != before {
		t.Errorf("sent %d requests with a secret at hand", after-before)
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{PlainHTTP: true, Offers: []wsman.Auth{wsman.Basic, wsman.NTLM}})
	url := s.target()
	url.Address = s.URL()
	for name, target := range map[string]powershell.Target{"by address": s.target(), "by URL": url} {
		for _, unverified := range []bool{false, true} {
			c := s.connection(t)
			c.Auth, c.AllowUnverified = winrm.Basic, unverified
			err := runner(t, c, zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
			wantKind(t, err, powershell.Untrusted)
			if !strings.Contains(err.Error(), "never over plain HTTP") {
				t.Errorf("%s: the error does not say why: %v", name, err)
			}
		}
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("sent %d requests in clear", n)
	}
}

func TestAProofIsBoundToTheCertificateWhateverSignedIt(t *testing.T) {
	t.Parallel()
	_, noHash, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, authority := range map[string]crypto.Signer{
		"SHA-256":            newKey(t, elliptic.P256()),
		"SHA-384":            newKey(t, elliptic.P384()),
		"SHA-512":            newKey(t, elliptic.P521()),
		"no hash of its own": noHash,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate, ca := issue(t, serverName, authority)
			s := startAs(t, echoing, wsman.Options{Binding: wsman.Strict}, certificate, ca)
			if err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{}); err != nil {
				t.Fatal(err)
			}
			if n := s.Stats().Bound; n != 1 {
				t.Errorf("%d proofs were bound, want 1", n)
			}
		})
	}
}

func TestNoPasswordOrSecretIsLoggedOrInAnError(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}})
	const key = "-----BEGIN PRIVATE KEY-----"
	call := powershell.Call{Script: script, Params: struct{}{}, Secrets: [][]byte{[]byte(key)}}
	var texts []string
	for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
		for _, name := range []string{user, "nobody"} {
			c := s.connection(t)
			c.Auth, c.User = auth, name
			err := runner(t, c, zap.New(core)).Run(t.Context(), s.target(), call, &echo{})
			if (err != nil) != (name == "nobody") {
				t.Errorf("%s, %s: %v", auth, name, err)
			}
			texts = append(texts, fmt.Sprint(err))
		}
	}
	if logs.Len() != len(texts) {
		t.Fatalf("got %d log entries, want one for each call", logs.Len())
	}
	for _, entry := range logs.All() {
		texts = append(texts, fmt.Sprint(entry.Message, entry.ContextMap()))
	}
	for _, text := range texts {
		for _, secret := range []string{password, key, user + ":" + password, "nobody:" + password} {
			if strings.Contains(text, secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("a secret is in %q", text)
			}
		}
	}
}
