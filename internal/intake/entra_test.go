package intake_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/token/tokentest"
)

const (
	tenant   = "3c0e9d0a-6b57-4c1e-9a53-0d2b8c2f1a11"
	audience = "api://farmtrust-door"
	sending  = "4962773b-9cdb-44cf-a8bf-237846a00ab7"
	issuerV1 = "https://sts.windows.net/" + tenant + "/"
	issuerV2 = "https://login.microsoftonline.com/" + tenant + "/v2.0"
)

// issueTokens has PyJWT issue tokens, and the world publish their keys as Entra ID does.
func (w *world) issueTokens(t *testing.T, all ...map[string]any) []string {
	t.Helper()
	issued := make([]tokentest.Token, len(all))
	for i, claims := range all {
		issued[i] = tokentest.Token{Claims: claims}
	}
	published, tokens := tokentest.Issue(t, issued...)
	const keys = "https://login.microsoftonline.com/" + tenant + "/discovery/keys"
	w.set(keys, string(published))
	w.set(issuerV1+".well-known/openid-configuration", `{"issuer":"`+issuerV1+`","jwks_uri":"`+keys+`","id_token_signing_alg_values_supported":["RS256"]}`)
	w.set(issuerV2+"/.well-known/openid-configuration", `{"issuer":"`+issuerV2+`","jwks_uri":"`+keys+`","id_token_signing_alg_values_supported":["RS256"]}`)
	return tokens
}

func TestProof_OfEntra(t *testing.T) {
	w := newWorld(t, "sts.windows.net", "login.microsoftonline.com")
	now := time.Now()
	claims := func(change map[string]any) map[string]any {
		all := map[string]any{
			"iss": issuerV1, "aud": audience, "appid": sending, "sub": "s", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}
		maps.Copy(all, change)
		return all
	}
	tokens := w.issueTokens(
		t, claims(nil), claims(map[string]any{"iss": issuerV2, "appid": nil, "azp": strings.ToUpper(sending)}),
		claims(map[string]any{"appid": "other"}), claims(map[string]any{"iss": issuerV2}), claims(map[string]any{"aud": "other"}),
		claims(map[string]any{"iss": "https://sts.windows.net/other/"}), claims(map[string]any{"exp": now.Add(-time.Hour).Unix()}),
	)
	entra := sender("entra", config.Proof{Entra: &config.EntraProof{Tenant: tenant, Audience: audience, Client: sending}})
	clock := newClock()
	d := openDoor(t, []config.Sender{entra}, w.outside, func(o *intake.Options) { o.Now = clock.now })
	for i, c := range []struct {
		claim  string
		status int
		text   string
	}{
		{"version 1.0", 202, ""},
		{"version 2.0", 202, ""},
		{"issued to another application", 401, `the token was issued to application \"other\", not to entra.client`},
		{"version 2.0, with the claim of the other", 401, "the token was issued to application"},
		{"for another audience", 401, "the token is not valid"},
		{"of another tenant", 401, "is not one of the tenant that is configured"},
		{"expired", 401, "the token is not valid"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			d.post(t, "entra", cloudEvent("1"), withToken(tokens[i])...).require(t, c.status, c.text)
			clock.pass(time.Second)
		})
	}
	t.Run("altered", func(t *testing.T) {
		head, rest, _ := strings.Cut(tokens[0], ".")
		d.post(t, "entra", cloudEvent("1"), withToken(head+"."+rest[:len(rest)-8]+"AAAAAAAA")...).require(t, 401, "the token is not valid")
	})
	t.Run("none", func(t *testing.T) {
		d.post(t, "entra", cloudEvent("1"), withToken("x")...).require(t, 401, "is not one of the tenant")
		d.post(t, "entra", cloudEvent("1")).require(t, 401, "no bearer token")
	})

	t.Run("a flood of unknown keys asks Entra ID for its keys but now and then, and known ones still serve", func(t *testing.T) {
		unknown := newWorld(t, "sts.windows.net").issueTokens(t, claims(nil))[0]
		before := len(w.all())
		for range 50 {
			if got := d.post(t, "entra", cloudEvent("1"), withToken(unknown)...).status; got != 401 && got != 503 {
				t.Fatalf("got %d", got)
			}
		}
		if asked := len(w.all()) - before; asked > 4 {
			t.Errorf("Entra ID was asked %d times", asked)
		}
		d.post(t, "entra", cloudEvent("2"), withToken(tokens[0])...).require(t, 202, "")
	})
}

func TestProof_OfEntra_WhereItDoesNotAnswer(t *testing.T) {
	w := newWorld(t, "sts.windows.net")
	raw := w.issueTokens(t, map[string]any{"iss": issuerV1, "aud": audience, "appid": sending, "exp": time.Now().Add(time.Hour).Unix()})[0]
	w.mu.Lock()
	clear(w.pages)
	w.mu.Unlock()
	entra := sender("entra", config.Proof{Entra: &config.EntraProof{Tenant: tenant, Audience: audience, Client: sending}})
	d := openDoor(t, []config.Sender{entra}, w.outside)
	if got := d.post(t, "entra", cloudEvent("1"), withToken(raw)...); got.status != 503 || got.retryAfter == "" {
		t.Errorf("got %+v, want 503 and when to send again", got)
	}
}
