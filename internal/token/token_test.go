package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/token"
	"github.com/farmtrust/farmtrust/internal/token/tokentest"
)

// provider serves what a provider publishes.
type provider struct {
	*httptest.Server
	keys  json.RawMessage
	down  bool
	asked int
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case p.down:
			http.Error(w, strings.Repeat("secret detail ", 1000), http.StatusBadGateway)
		case r.URL.Path == "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
		case r.URL.Path == "/keys":
			p.asked++
			_, _ = w.Write(p.keys)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) verifier(now time.Time) *token.Verifier {
	return token.New(token.Provider{Issuer: p.URL, Audience: "farmtrust", Client: p.Client(), Now: func() time.Time { return now }})
}

// issue has PyJWT make keys and tokens.
func (p *provider) issue(t *testing.T, all ...tokentest.Token) (tokens []string) {
	t.Helper()
	p.keys, tokens = tokentest.Issue(t, all...)
	return tokens
}

var now = time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)

func (p *provider) claims(change map[string]any) map[string]any {
	all := map[string]any{
		"iss": p.URL, "aud": "farmtrust", "sub": "7c1f", "email": "ada@contoso.com", "nonce": "n1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, change)
	return all
}

func TestATokenOfTheProviderSaysWhoItIs(t *testing.T) {
	p := startProvider(t)
	for _, raw := range p.issue(t, tokentest.Token{Claims: p.claims(nil)}, tokentest.Token{Claims: p.claims(map[string]any{"aud": []string{"x", "farmtrust"}, "azp": "farmtrust"}), Algorithm: "ES256"}) {
		got, err := p.verifier(now).Verify(t.Context(), raw)
		if err != nil || got.Subject != "7c1f" || got.Nonce != "n1" || got.Text("email") != "ada@contoso.com" || !got.IssuedAt.Equal(now) || !got.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got.Text("iat") != "" || got.Text("groups") != "" {
			t.Errorf("a claim that is no string, or missing, is %q, %q", got.Text("iat"), got.Text("groups"))
		}
	}
}

func TestATokenThatProvesNothingIsRefused(t *testing.T) {
	p := startProvider(t)
	cases := map[string]tokentest.Token{
		"by another key":       {Claims: p.claims(nil), Key: "other"},
		"by a shared secret":   {Claims: p.claims(nil), Algorithm: "HS256"},
		"unsigned":             {Claims: p.claims(nil), Algorithm: "none"},
		"of another provider":  {Claims: p.claims(map[string]any{"iss": "https://login.example"})},
		"for another audience": {Claims: p.claims(map[string]any{"aud": "payroll"})},
		"to another program":   {Claims: p.claims(map[string]any{"aud": []string{"payroll", "farmtrust"}, "azp": "payroll"})},
		"expired":              {Claims: p.claims(map[string]any{"exp": now.Add(-time.Second).Unix()})},
		"without an end":       {Claims: p.claims(map[string]any{"exp": nil})},
		"not valid yet":        {Claims: p.claims(map[string]any{"nbf": now.Add(time.Hour).Unix()})},
	}
	var names []string
	var all []tokentest.Token
	for name, c := range cases {
		names, all = append(names, name), append(all, c)
	}
	tokens := p.issue(t, all...)
	tokens = append(tokens, "", "a.b.c", strings.Repeat("a", token.MaxSize+1), tokens[0][:len(tokens[0])/2])
	names = append(names, "nothing", "dots", "huge", "cut")
	verifier := p.verifier(now)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			_, err := verifier.Verify(t.Context(), tokens[i])
			if !errors.Is(err, token.ErrInvalid) {
				t.Fatalf("got %v; want ErrInvalid", err)
			}
			if len(err.Error()) > 400 || tokens[i] != "" && strings.Contains(err.Error(), tokens[i]) {
				t.Errorf("the error is %q", err)
			}
		})
	}
}

func TestAProviderThatIsDownIsNoRefusal(t *testing.T) {
	p := startProvider(t)
	raw := p.issue(t, tokentest.Token{Claims: p.claims(nil)})[0]
	verifier := p.verifier(now)
	check := func(when string, want error) {
		t.Helper()
		_, err := verifier.Verify(t.Context(), raw)
		if !errors.Is(err, want) || err != nil && (!strings.Contains(err.Error(), p.URL) || len(err.Error()) > 400) {
			t.Errorf("%s: %v; want %v", when, err, want)
		}
	}
	p.down = true
	check("before the first token", token.ErrUnreachable)
	p.down = false
	check("once it answers", nil)
	p.down = true
	check("while its keys are remembered", nil)
	p.down = false
	raw = p.issue(t, tokentest.Token{Claims: p.claims(nil)})[0]
	p.down = true
	check("when it has new keys and is down", token.ErrUnreachable)
	p.down = false
	// For a moment after an answer has come, go-oidc gives it to who asks next as well.
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(time.Millisecond) {
		if _, err := verifier.Verify(t.Context(), raw); !errors.Is(err, token.ErrUnreachable) {
			break
		}
	}
	check("when it has new keys", nil)
	if p.asked != 2 {
		t.Errorf("its keys were read %d times", p.asked)
	}
}

func TestAProviderIsAskedOverHTTPSOnly(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	redirects := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(redirects.Close)
	v := token.New(token.Provider{Issuer: redirects.URL, Audience: "farmtrust", Client: redirects.Client()})
	if _, err := v.Verify(context.Background(), "a.b.c"); !errors.Is(err, token.ErrUnreachable) || !strings.Contains(err.Error(), "not https") {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	p := &provider{keys: json.RawMessage(`{"keys":[]}`)}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write(p.keys)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	}))
	f.Cleanup(p.Close)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	v := p.verifier(now)
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := v.Verify(context.Background(), raw); err == nil {
			t.Errorf("%q is valid", raw)
		}
	})
}
