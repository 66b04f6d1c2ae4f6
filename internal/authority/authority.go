// Package authority finds out who has decided, and whether the person may, from the
// worker's own configuration.
//
// It believes nothing that came through Temporal: a name is what a listed key or a token
// of the identity provider proves, and what an earlier step found counts with the worker's
// seal alone.
package authority

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/sshsig"
	"github.com/farmtrust/farmtrust/internal/token"
)

// Sealer seals what a worker is to believe later; package seal has the only one.
type Sealer interface {
	Seal(purpose string, content []byte) string
	// Check fails for a seal that no worker has put on this content.
	Check(purpose string, content []byte, seal string) error
}

// sealPurpose tells the seals of authorizations from all others.
const sealPurpose = "farmtrust authorization"

// maxAhead is how far the clock of who decides may be ahead of the worker's.
const maxAhead = 5 * time.Minute

// Authority is who may decide about a worker's farms. Several goroutines may use it.
type Authority struct {
	// Approvers are as configured; nil where nothing has to be proven.
	Approvers *config.Approvers
	// Tokens verifies the tokens of the identity provider; nil without one.
	Tokens *token.Verifier
	Seals  Sealer
	// FourEyes reports whether who approves for a farm must not be who asked.
	FourEyes func(farmName string) bool
	// Now is the worker's clock.
	Now func() time.Time

	used usedNonces
}

// New returns the authority of a configuration. Seals may be nil where it has no
// approvers.
func New(c *config.Config, seals Sealer) *Authority {
	a := &Authority{Approvers: c.Approvers, Seals: seals, Now: time.Now, FourEyes: func(name string) bool {
		f, err := c.Farm(name)
		return err == nil && f.Rotation.FourEyes
	}}
	if c.Approvers != nil && c.Approvers.Provider != nil {
		a.Tokens = token.New(token.Provider{Issuer: c.Approvers.Provider.Issuer, Audience: c.Approvers.Provider.Audience})
	}
	return a
}

// Authorize checks the proof of a statement that was just made. Use names what it is used
// for: a proof is used once, and again only for the same, as an activity that is retried
// does. Asked is what the person was found to be who asked for the run; nil where nobody
// did. FirstRun is for [farm.Authorization]. It returns what was found, sealed; nothing of a person where no approvers are
// configured.
//
// Its errors wrap [farm.ErrNotAuthorized], or [token.ErrUnreachable], after which another
// attempt may help.
func (a *Authority) Authorize(ctx context.Context, s farm.Statement, p *farm.Proof, asked *farm.Authorization, firstRun, use string) (farm.Authorization, error) {
	given := farm.Authorization{Statement: s, FirstRun: firstRun}
	if a.Approvers == nil {
		return given, nil
	}
	if p == nil {
		return farm.Authorization{}, refuse("%s: nothing proves who decides: add --sign-with KEY; docs/approvals.md has the other ways", s.Action)
	}
	if err := a.checkFresh(s, *p); err != nil {
		return farm.Authorization{}, err
	}
	person, how, err := a.identify(ctx, s, *p)
	if err != nil {
		return farm.Authorization{}, err
	}
	given.By, given.How, given.At, given.Nonce = person.Name, how, a.Now().UTC(), p.Nonce
	if err := a.checkRights(person, s); err != nil {
		return farm.Authorization{}, err
	}
	if err := a.checkFourEyes(given, asked); err != nil {
		return farm.Authorization{}, err
	}
	if !a.used.claim(p.Nonce, use, a.Now(), farm.ProofLife+maxAhead) {
		return farm.Authorization{}, refuse("%s: this proof was used already: decide again", s.Action)
	}
	given.Seal = a.Seals.Seal(sealPurpose, sealedContent(given))
	return given, nil
}

// nonces are 128 bits in hexadecimal.
var noncePattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// checkFresh checks that a proof is of now, and of one kind.
func (a *Authority) checkFresh(s farm.Statement, p farm.Proof) error {
	switch now := a.Now(); {
	case !noncePattern.MatchString(p.Nonce):
		return refuse("%s: the proof has no nonce of 32 hexadecimal digits", s.Action)
	case (p.Signature == "") == (p.Token == ""):
		return refuse("%s: a proof is a signature or a token", s.Action)
	case p.At.After(now.Add(maxAhead)):
		return refuse("%s: it was decided at %s, and this worker's clock says %s: set the clock of who decides", s.Action, farm.FormatTime(p.At), farm.FormatTime(now))
	case p.At.Before(now.Add(-farm.ProofLife)):
		return refuse("%s: it was decided at %s, and a proof is good for %s: decide again", s.Action, farm.FormatTime(p.At), farm.FormatDuration(farm.ProofLife))
	}
	return nil
}

// identify returns the person whom a proof is of, and what proves it in words.
func (a *Authority) identify(ctx context.Context, s farm.Statement, p farm.Proof) (config.Person, string, error) {
	if p.Token != "" {
		return a.identifyByToken(ctx, s, p)
	}
	key, err := sshsig.Verify([]byte(s.Text(p.At, p.Nonce)), farm.SignatureNamespace, p.Signature)
	if err != nil {
		return config.Person{}, "", refuse("%s: %v", s.Action, err)
	}
	for _, person := range a.Approvers.People {
		if slices.ContainsFunc(person.Keys, key.Equal) {
			return person, "SSH key: " + key.Fingerprint(), nil
		}
	}
	return config.Person{}, "", refuse("%s: the key %s is of nobody who is configured to decide", s.Action, key.Fingerprint())
}

func (a *Authority) identifyByToken(ctx context.Context, s farm.Statement, p farm.Proof) (config.Person, string, error) {
	if a.Tokens == nil {
		return config.Person{}, "", refuse("%s: no identity provider is configured", s.Action)
	}
	claims, err := a.Tokens.Verify(ctx, p.Token)
	switch {
	case isUnreachable(err):
		return config.Person{}, "", err
	case err != nil:
		return config.Person{}, "", refuse("%s: %v", s.Action, err)
	case claims.Nonce != s.TokenNonce(p.At, p.Nonce):
		return config.Person{}, "", refuse("%s: the token was not asked for with the nonce of this decision", s.Action)
	}
	provider := a.Approvers.Provider
	subject := claims.Text(provider.Claim)
	for _, person := range a.Approvers.People {
		if subject != "" && person.Subject == subject {
			return person, "token: " + provider.Issuer, nil
		}
	}
	return config.Person{}, "", refuse("%s: %.100q, in the claim %s of the token, is nobody who is configured to decide", s.Action, subject, provider.Claim)
}

// checkRights checks that a person has every right that a statement needs.
func (a *Authority) checkRights(person config.Person, s farm.Statement) error {
	var missing []string
	for _, right := range s.Needs {
		if !person.MayDecide(right, s.Farm) {
			missing = append(missing, string(right))
		}
	}
	switch {
	case len(s.Needs) == 0:
		return refuse("%s: nobody may decide that", s.Action)
	case len(missing) > 0:
		return refuse("%s: %s may not: the configuration does not grant %s for %s", s.Action, person.Name, strings.Join(missing, " and "), s.Farm)
	}
	return nil
}

// checkFourEyes checks that who approves is not who asked.
func (a *Authority) checkFourEyes(given farm.Authorization, asked *farm.Authorization) error {
	approves := slices.Contains(given.Statement.Needs, farm.RightApprove) || slices.Contains(given.Statement.Needs, farm.RightDelete)
	if asked == nil || !approves || !a.FourEyes(given.Statement.Farm) {
		return nil
	}
	if err := a.checkSeal(*asked); err != nil {
		return err
	}
	if asked.By == given.By {
		return refuse("%s: %s asked for the run, and somebody else must approve it", given.Statement.Action, given.By)
	}
	return nil
}

// sealedContent is what the seal of an authorization is over.
func sealedContent(a farm.Authorization) []byte {
	a.Seal = ""
	content, err := json.Marshal(a)
	if err != nil {
		panic(err) // it holds nothing that JSON cannot
	}
	return content
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{farm.ErrNotAuthorized}, args...)...)
}
