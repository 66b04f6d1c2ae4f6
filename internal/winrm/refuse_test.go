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

func TestRun_Credentials(t *testing.T) {
	t.Parallel()
	t.Run("wrong credentials are denied", func(t *testing.T) {
		t.Parallel()
		for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
			for name, change := range map[string]func(*winrm.Connection){
				"wrong password": func(c *winrm.Connection) { c.Password = secretFile(t, "wrong") },
				"unknown user":   func(c *winrm.Connection) { c.User = "nobody" },
			} {
				t.Run(string(auth)+", "+name, func(t *testing.T) {
					t.Parallel()
					s := startServer(t, echoHost, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}})
					c := s.connection(t)
					c.Auth = auth
					change(&c)
					err := newRunner(t, c, zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
					requireKind(t, err, powershell.Denied)
					if code := requireTransportError(t, err).Code; code != http.StatusUnauthorized || !strings.Contains(err.Error(), "refuses user") {
						t.Errorf("got code %d: %v", code, err)
					}
					s.assertFreed(t)
				})
			}
		}
	})

	t.Run("a server that offers only another scheme is denied", func(t *testing.T) {
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
				s := startServer(t, echoHost, wsman.Options{Offers: []wsman.Auth{c.offers}})
				connection := s.connection(t)
				connection.Auth = c.auth
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
				requireKind(t, err, powershell.Denied)
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %q, want %q in it", err, c.want)
				}
				if got := s.Stats(); got.Requests != 1 || len(got.Actions) != 0 {
					t.Errorf("went on after the refusal: %+v", got)
				}
			})
		}
	})

	t.Run("an unknown authentication is denied", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{})
		c := s.connection(t)
		c.Auth = "digest"
		requireKind(t, newRunner(t, c, zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Denied)
	})

	t.Run("a password that cannot be read is denied", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{})
		c := s.connection(t)
		c.Password = "file:/nowhere/password"
		err := newRunner(t, c, zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
		requireKind(t, err, powershell.Denied)
		if !strings.Contains(err.Error(), "/nowhere/password") {
			t.Errorf("the error does not name the secret: %v", err)
		}
		s.assertFreed(t)
	})

	t.Run("a proof is bound to the certificate, whatever signed it", func(t *testing.T) {
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
				certificate, ca := issueCertificate(t, serverName, authority)
				s := startServerAs(t, echoHost, wsman.Options{Binding: wsman.Strict}, certificate, ca)
				if err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{}); err != nil {
					t.Fatal(err)
				}
				if n := s.Stats().Bound; n != 1 {
					t.Errorf("%d proofs were bound, want 1", n)
				}
			})
		}
	})

	t.Run("no password or secret is in a log or an error", func(t *testing.T) {
		t.Parallel()
		core, logs := observer.New(zap.DebugLevel)
		s := startServer(t, echoHost, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}})
		const key = "-----BEGIN PRIVATE KEY-----"
		call := powershell.Call{Script: script, Params: struct{}{}, Secrets: [][]byte{[]byte(key)}}
		var texts []string
		for _, auth := range []winrm.Auth{winrm.NTLM, winrm.Basic} {
			for _, name := range []string{user, "nobody"} {
				c := s.connection(t)
				c.Auth, c.User = auth, name
				err := newRunner(t, c, zap.New(core)).Run(t.Context(), s.target(), call, &echo{})
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
	})
}

func TestRun_Trust(t *testing.T) {
	t.Parallel()
	t.Run("a server without a valid certificate is untrusted", func(t *testing.T) {
		t.Parallel()
		_, otherCA := issueCertificate(t, serverName, newKey(t, elliptic.P256()))
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
				s := startServer(t, echoHost, wsman.Options{})
				connection := s.connection(t)
				connection.CA = c.ca(s.ca)
				target := s.target()
				target.Host = c.host
				err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, powershell.Untrusted)
				if n := s.Stats().Requests; n != 0 {
					t.Errorf("sent %d requests", n)
				}
			})
		}
	})

	t.Run("a password is a secret too: basic goes to no unverified server", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{Offers: []wsman.Auth{wsman.Basic}})
		c := s.connection(t)
		c.CA, c.AllowUnverified, c.Auth, c.User = nil, true, winrm.Basic, "local"
		requireKind(t, newRunner(t, c, zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Untrusted)
		if n := s.Stats().Requests; n != 0 {
			t.Errorf("sent %d requests", n)
		}
	})

	t.Run("an unverified server may be allowed but gets no secrets", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{})
		c := s.connection(t)
		c.CA, c.AllowUnverified = nil, true
		r := newRunner(t, c, zap.NewNop())
		if err := r.Run(t.Context(), s.target(), newCall(0), &echo{}); err != nil {
			t.Fatalf("without secrets: %v", err)
		}
		before := s.Stats().Requests
		requireKind(t, r.Run(t.Context(), s.target(), newCall(1), &echo{}), powershell.Untrusted)
		if after := s.Stats().Requests; after != before {
			t.Errorf("sent %d requests with a secret at hand", after-before)
		}
	})

	t.Run("plain HTTP is refused", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{PlainHTTP: true, Offers: []wsman.Auth{wsman.Basic, wsman.NTLM}})
		url := s.target()
		url.Address = s.URL()
		for name, target := range map[string]powershell.Target{"by address": s.target(), "by URL": url} {
			for _, unverified := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, unverified %t", name, unverified), func(t *testing.T) {
					c := s.connection(t)
					c.Auth, c.AllowUnverified = winrm.Basic, unverified
					err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
					requireKind(t, err, powershell.Untrusted)
					if !strings.Contains(err.Error(), "never over plain HTTP") {
						t.Errorf("the error does not say why: %v", err)
					}
				})
			}
		}
		if n := s.Stats().Requests; n != 0 {
			t.Errorf("sent %d requests in clear", n)
		}
	})
}
