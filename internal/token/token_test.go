package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/token"
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

// wanted is a token that PyJWT is to make.
type wanted struct {
	Claims    map[string]any `json:"claims"`
	Algorithm string         `json:"algorithm"`
	Key       string         `json:"key"`
}

// issue has PyJWT make keys and tokens.
func (p *provider) issue(t *testing.T, all ...wanted) []string {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has Debian's python3-jwt
	if exec.Command(python, "-c", "import jwt, cryptography").Run() != nil {
		t.Skip("PyJWT is not here: install python3-jwt")
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/issue.py")
	var problems strings.Builder
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(input)), &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var issued struct {
		Keys   json.RawMessage
		Tokens []string
	}
	if err := json.Unmarshal(out, &issued); err != nil {
		t.Fatal(err)
	}
	p.keys = issued.Keys
	return issued.Tokens
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
	for _, raw := range p.issue(t, wanted{p.claims(nil), "RS256", ""}, wanted{p.claims(map[string]any{"aud": []string{"x", "farmtrust"}, "azp": "farmtrust"}), "ES256", ""}) {
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
	cases := map[string]wanted{
		"by another key":       {p.claims(nil), "RS256", "other"},
		"by a shared secret":   {p.claims(nil), "HS256", ""},
		"unsigned":             {p.claims(nil), "none", ""},
		"of another provider":  {p.claims(map[string]any{"iss": "https://login.example"}), "RS256", ""},
		"for another audience": {p.claims(map[string]any{"aud": "payroll"}), "RS256", ""},
		"to another program":   {p.claims(map[string]any{"aud": []string{"payroll", "farmtrust"}, "azp": "payroll"}), "RS256", ""},
		"expired":              {p.claims(map[string]any{"exp": now.Add(-time.Second).Unix()}), "RS256", ""},
		"without an end":       {p.claims(map[string]any{"exp": nil}), "RS256", ""},
		"not valid yet":        {p.claims(map[string]any{"nbf": now.Add(time.Hour).Unix()}), "RS256", ""},
	}
	var names []string
	var all []wanted
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
	raw := p.issue(t, wanted{p.claims(nil), "RS256", ""})[0]
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
	raw = p.issue(t, wanted{p.claims(nil), "RS256", ""})[0]
	p.down = true
	check("when it has new keys and is down", token.ErrUnreachable)
	p.down = false
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
