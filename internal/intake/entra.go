package intake

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/token"
)

// entra proves by an access token of Microsoft Entra ID, which Event Grid gets for the
// application that protects its webhook.
//
// Source: Microsoft, "Deliver events to Microsoft Entra protected endpoints", and
// "Access tokens in the Microsoft identity platform" for the two versions of tokens:
// which one comes depends on the application's accessTokenAcceptedVersion.
type entra struct {
	client    string
	verifiers map[string]issuer
}

// issuer is who issues tokens of one version.
type issuer struct {
	*token.Verifier
	// client is the claim that has the application to which a token was issued.
	client string
}

func proveEntra(o Options, c config.EntraProof) func(*http.Request) error {
	e := entra{client: c.Client, verifiers: map[string]issuer{}}
	client := newOutside(o)
	for address, claim := range map[string]string{
		"https://sts.windows.net/" + c.Tenant + "/":               "appid", // version 1.0
		"https://login.microsoftonline.com/" + c.Tenant + "/v2.0": "azp",   // version 2.0
	} {
		e.verifiers[address] = issuer{token.New(token.Provider{Issuer: address, Audience: c.Audience, Client: client, Now: o.Now}), claim}
	}
	return e.prove
}

func (e entra) prove(r *http.Request) error {
	given, err := readBearer(r)
	if err != nil {
		return err
	}
	from, known := e.verifiers[issuerOf(given)]
	if !known {
		return refused("the token is not one of the tenant that is configured (entra.tenant)")
	}
	ctx, cancel := context.WithTimeout(r.Context(), outsideTimeout)
	defer cancel()
	claims, err := from.Verify(ctx, given)
	switch {
	case errors.Is(err, token.ErrInvalid):
		return refused("%v", err)
	case err != nil:
		return fmt.Errorf("check a token of Entra ID: %w", err)
	case !strings.EqualFold(claims.Text(from.client), e.client):
		return refused("the token was issued to application %.80q, not to entra.client", claims.Text(from.client))
	}
	return nil
}

// issuerOf returns who issued a token, according to itself. It only says by whose keys
// to verify it.
func issuerOf(raw string) string {
	parts := strings.Split(raw, ".")
	if len(raw) > token.MaxSize || len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
