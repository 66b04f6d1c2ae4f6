// Package token verifies the ID tokens of an identity provider that speaks OpenID Connect.
//
// It does not ask for tokens, and says nothing about what the person whom a token names
// may do.
package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// MaxSize is the largest token that is read, in bytes: one with hundreds of groups has
	// about that.
	MaxSize = 16 << 10
	// maxAnswer is the largest answer of a provider that is read, in bytes. Its list of
	// keys has a few KB.
	maxAnswer = 1 << 20
	// answerTimeout is how long a provider may take for an answer.
	answerTimeout = 10 * time.Second
)

// algorithms are those of signatures by a key that only the provider has. "none" is none,
// and HS256 and its kind are by a secret that others share.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// ErrUnreachable is the error where a provider does not answer, so that nothing is known
// about a token; trying again may help. ErrInvalid is for a token that proves nothing.
var (
	ErrUnreachable = errors.New("the identity provider does not answer")
	ErrInvalid     = errors.New("the token is not valid")
)

// Provider is an identity provider, and whom its tokens must be for.
type Provider struct {
	// Issuer is its URL, exactly as its tokens have it, and Audience the ID under which it
	// knows farmtrust.
	Issuer, Audience string
	// Client connects to it; nil is one that trusts the system's CAs.
	Client *http.Client
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Verifier verifies the tokens of one provider, whose keys it remembers until a token
// names another one.
type Verifier struct {
	provider Provider

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
}

// New returns a verifier. It asks the provider for nothing before the first token.
func New(p Provider) *Verifier {
	client := http.Client{Timeout: answerTimeout}
	if p.Client != nil {
		client = *p.Client
	}
	client.Transport = &boundedTransport{next: client.Transport}
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Scheme != "https" {
			return errors.New("it redirects to what is not https")
		}
		return nil
	}
	p.Client = &client
	return &Verifier{provider: p}
}

// Claims are what a valid token says.
type Claims struct {
	// Subject is the provider's name for the person, Nonce what the token was asked for
	// with; empty if it was asked for without.
	Subject, Nonce string
	// IssuedAt and Expires are when it became valid and when that ends.
	IssuedAt, Expires time.Time

	all map[string]any
}

// Text returns a claim that is a string; empty where the token has none of that name.
func (c Claims) Text(name string) string {
	text, _ := c.all[name].(string)
	return text
}

// Verify returns what a token says if the provider has signed it for the audience, and it
// has not expired. Its errors wrap [ErrInvalid] or [ErrUnreachable], and never hold the
// token.
func (v *Verifier) Verify(ctx context.Context, raw string) (Claims, error) {
	if len(raw) > MaxSize {
		return Claims{}, fmt.Errorf("%w: it has more than %d bytes", ErrInvalid, MaxSize)
	}
	verifier, err := v.discover(ctx)
	if err != nil {
		return Claims{}, err
	}
	var unreachable error
	verified, err := verifier.Verify(context.WithValue(ctx, failureKey{}, &unreachable), raw)
	switch {
	case unreachable != nil:
		return Claims{}, v.explainUnreachable(unreachable)
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %.200s", ErrInvalid, err.Error())
	}
	claims := Claims{Subject: verified.Subject, Nonce: verified.Nonce, IssuedAt: verified.IssuedAt, Expires: verified.Expiry}
	var content json.RawMessage
	if err := verified.Claims(&content); err != nil {
		return Claims{}, fmt.Errorf("%w: its claims cannot be read", ErrInvalid)
	}
	if err := json.Unmarshal(content, &claims.all); err != nil {
		return Claims{}, fmt.Errorf("%w: its claims are no object", ErrInvalid)
	}
	if party := claims.Text("azp"); party != "" && len(verified.Audience) > 1 && party != v.provider.Audience {
		return Claims{}, fmt.Errorf("%w: it was issued to another program", ErrInvalid)
	}
	return claims, nil
}

// discover asks the provider, once, where its keys are.
func (v *Verifier) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.verifier != nil {
		return v.verifier, nil
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.provider.Client), v.provider.Issuer)
	if err != nil {
		return nil, v.explainUnreachable(err)
	}
	var found struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&found); err != nil {
		return nil, v.explainUnreachable(err)
	}
	set := keySet{oidc.NewRemoteKeySet(oidc.ClientContext(ctx, v.provider.Client), found.Keys)}
	v.verifier = oidc.NewVerifier(v.provider.Issuer, set, &oidc.Config{
		ClientID: v.provider.Audience, SupportedSigningAlgs: slices.Clone(algorithms), Now: v.provider.Now,
	})
	return v.verifier, nil
}

func (v *Verifier) explainUnreachable(err error) error {
	return fmt.Errorf("%w: %s: %.200s", ErrUnreachable, v.provider.Issuer, err.Error())
}

// keySet is the provider's keys. The library's verifier drops the reason why they could
// not be fetched, which is therefore noted beside it.
type keySet struct{ oidc.KeySet }

// failureKey is where a context has what keySet notes, a *error.
type failureKey struct{}

// VerifySignature implements [oidc.KeySet].
func (k keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	if _, failed := errors.AsType[*url.Error](err); failed {
		*ctx.Value(failureKey{}).(*error) = err
	}
	return payload, err
}

// boundedTransport cuts answers off that are larger than a provider's are, and takes none
// but good ones.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, errors.Join(fmt.Errorf("it answers %s", response.Status), response.Body.Close())
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}
