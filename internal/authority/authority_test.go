package authority_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/authority"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/sshsig"
	"github.com/farmtrust/farmtrust/internal/token"
	"github.com/farmtrust/farmtrust/internal/token/tokentest"
)

// sealer seals with a key of the test.
type sealer struct{ key string }

func (s sealer) Seal(purpose string, content []byte) string {
	mac := hmac.New(sha256.New, []byte(s.key+purpose))
	mac.Write(content)
	return hex.EncodeToString(mac.Sum(nil))
}

func (s sealer) Check(purpose string, content []byte, seal string) error {
	if s.Seal(purpose, content) != seal {
		return errors.New("the seal does not fit")
	}
	return nil
}

// house is a worker's authority, and two persons with keys that OpenSSH made.
type house struct {
	*authority.Authority

	t    *testing.T
	now  time.Time
	keys map[string]string
}

func newHouse(t *testing.T, people ...config.Person) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC), keys: map[string]string{}}
	for i, p := range people {
		people[i].Keys = []sshsig.Key{h.makeKey(p.Name)}
	}
	h.Authority = &authority.Authority{
		Approvers: &config.Approvers{People: people}, Seals: sealer{"the worker's"}, Now: func() time.Time { return h.now },
		FourEyes: func(name string) bool { return name == "contoso" },
	}
	return h
}

func (h *house) makeKey(name string) sshsig.Key {
	h.t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		h.t.Skip("OpenSSH is not here: install openssh-client")
	}
	path := filepath.Join(h.t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	h.keys[name] = path
	line, err := os.ReadFile(path + ".pub")
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := sshsig.ParseKey(string(line))
	if err != nil {
		h.t.Fatal(err)
	}
	return key
}

// sign is what a person does: ssh-keygen signs the statement.
func (h *house) sign(name string, s farm.Statement, nonce string) *farm.Proof {
	h.t.Helper()
	cmd := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-n", farm.SignatureNamespace, "-f", h.keys[name])
	cmd.Stdin = strings.NewReader(s.Text(h.now, nonce))
	signature, err := cmd.Output()
	if err != nil {
		h.t.Fatal(err)
	}
	return &farm.Proof{At: h.now, Nonce: nonce, Signature: string(signature)}
}

func (h *house) authorize(s farm.Statement, p *farm.Proof, asked *farm.Authorization) (farm.Authorization, error) {
	return h.Authorize(context.Background(), s, p, asked, s.Run, "run/1")
}

const (
	nonce  = "00112233445566778899aabbccddeeff"
	nonce2 = "ffeeddccbbaa99887766554433221100"
	digest = "0123456789abcdef0123456789abcdef"
)

var (
	approval = farm.Decision{Choice: farm.Approve, Digest: digest, By: "anybody", Reason: "change 4711"}
	approve  = approval.State("contoso", "rotate/contoso", "run", false)
	ada      = config.Person{Name: "Ada", May: farm.Rights()}
	brun     = config.Person{Name: "Brun", May: farm.Rights()}
)

func assertRefused(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, farm.ErrNotAuthorized) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v; want a refusal that says %q", err, want)
	}
}

func TestASignedDecisionIsThePersonsWhoseKeyItIs(t *testing.T) {
	h := newHouse(t, ada, brun)
	given, err := h.authorize(approve, h.sign("Brun", approve, nonce), nil)
	if err != nil || given.By != "Brun" || !strings.HasPrefix(given.How, "SSH key: SHA256:") || !given.At.Equal(h.now) {
		t.Fatalf("got %+v, %v", given, err)
	}
	if err := h.Confirm(&given, approve, nil); err != nil {
		t.Errorf("what was found is not confirmed: %v", err)
	}
}

func TestWhatWasNotSignedIsRefused(t *testing.T) {
	h := newHouse(t, ada)
	stranger := h.makeKey("a stranger")
	other := func(change func(*farm.Decision)) farm.Statement {
		d := approval
		change(&d)
		return d.State("contoso", "rotate/contoso", "run", false)
	}
	good := h.sign("Ada", approve, nonce)
	changed := func(change func(*farm.Proof)) *farm.Proof {
		p := *good
		change(&p)
		return &p
	}
	for name, c := range map[string]struct {
		statement farm.Statement
		proof     *farm.Proof
		want      string
	}{
		"nothing":                    {approve, nil, "nothing proves who decides"},
		"another digest":             {other(func(d *farm.Decision) { d.Digest = strings.Repeat("0", 32) }), good, "not of this text"},
		"another choice":             {other(func(d *farm.Decision) { d.Choice = farm.RollBack }), good, "not of this text"},
		"another reason":             {other(func(d *farm.Decision) { d.Reason = "none" }), good, "not of this text"},
		"forced":                     {other(func(d *farm.Decision) { d.Force = true }), good, "not of this text"},
		"another farm":               {approval.State("fabrikam", "rotate/contoso", "run", false), good, "not of this text"},
		"another workflow":           {approval.State("contoso", "rotate/fabrikam", "run", false), good, "not of this text"},
		"another run":                {approval.State("contoso", "rotate/contoso", "other", false), good, "not of this text"},
		"another time":               {approve, changed(func(p *farm.Proof) { p.At = p.At.Add(time.Second) }), "not of this text"},
		"another nonce":              {approve, changed(func(p *farm.Proof) { p.Nonce = nonce2 }), "not of this text"},
		"no nonce":                   {approve, changed(func(p *farm.Proof) { p.Nonce = "" }), "no nonce"},
		"both a signature and token": {approve, changed(func(p *farm.Proof) { p.Token = "x" }), "a signature or a token"},
		"neither":                    {approve, changed(func(p *farm.Proof) { p.Signature = "" }), "a signature or a token"},
		"a token":                    {approve, changed(func(p *farm.Proof) { p.Signature, p.Token = "", "x" }), "no identity provider"},
		"a stranger's key":           {approve, h.sign("a stranger", approve, nonce), stranger.Fingerprint() + " is of nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			given, err := h.authorize(c.statement, c.proof, nil)
			assertRefused(t, err, c.want)
			if given.Seal != "" || given.By != "" {
				t.Errorf("it found %+v", given)
			}
		})
	}
}

func TestAProofIsGoodForMinutesAndOnce(t *testing.T) {
	h := newHouse(t, ada)
	proof := h.sign("Ada", approve, nonce)
	signed := h.now
	h.now = signed.Add(farm.ProofLife + time.Second)
	_, err := h.authorize(approve, proof, nil)
	assertRefused(t, err, "decide again")
	h.now = signed.Add(-6 * time.Minute)
	_, err = h.authorize(approve, proof, nil)
	assertRefused(t, err, "set the clock")
	h.now = signed.Add(farm.ProofLife - time.Second)
	for range 2 { // an activity whose result was lost asks again
		if _, err := h.authorize(approve, proof, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err = h.Authorize(t.Context(), approve, proof, nil, "run", "run/2")
	assertRefused(t, err, "used already")
}

func TestAPersonMayWhatTheConfigurationGrants(t *testing.T) {
	h := newHouse(t,
		config.Person{Name: "Ada", May: []farm.Right{farm.RightApprove}},
		config.Person{Name: "Brun", May: []farm.Right{farm.RightOperate, farm.RightDelete}, Farms: []string{"contoso"}})
	state := func(d farm.Decision, farmName string, retires bool) farm.Statement {
		d.Reason = "r"
		return d.State(farmName, "w", "run", retires)
	}
	for name, c := range map[string]struct {
		who       string
		statement farm.Statement
		want      string
	}{
		"she approves a cutover":        {"Ada", state(approval, "contoso", false), ""},
		"she approves no deletion":      {"Ada", state(approval, "contoso", true), "does not grant delete"},
		"she skips nothing":             {"Ada", state(farm.Decision{Choice: farm.Skip, Server: "x"}, "contoso", false), "does not grant skip"},
		"he deletes":                    {"Brun", state(approval, "contoso", true), ""},
		"he tries again":                {"Brun", state(farm.Decision{Choice: farm.Retry}, "contoso", false), ""},
		"he accepts nothing":            {"Brun", state(farm.Decision{Choice: farm.Retry, Accept: []string{"pending-reboot"}}, "contoso", false), "does not grant accept"},
		"he decides about one farm":     {"Brun", state(farm.Decision{Choice: farm.Retry}, "fabrikam", false), "for fabrikam"},
		"what needs no right is none's": {"Brun", farm.Statement{Farm: "contoso", Action: "conjure"}, "nobody may"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.authorize(c.statement, h.sign(c.who, c.statement, strings.ReplaceAll(nonce, "0", string(rune('a'+len(name)%6)))), nil)
			if c.want == "" && err != nil && !strings.Contains(err.Error(), "used already") {
				t.Errorf("refused: %v", err)
			} else if c.want != "" {
				assertRefused(t, err, c.want)
			}
		})
	}
}

func TestFourEyesSeeAnApproval(t *testing.T) {
	h := newHouse(t, ada, brun)
	rotate := farm.Statement{Farm: "contoso", Workflow: "farm/contoso", Action: "rotate", Content: "{}", Needs: []farm.Right{farm.RightOperate}}
	asked, err := h.authorize(rotate, h.sign("Ada", rotate, nonce), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.authorize(approve, h.sign("Ada", approve, nonce2), &asked)
	assertRefused(t, err, "somebody else must approve")
	given, err := h.authorize(approve, h.sign("Brun", approve, nonce2), &asked)
	if err != nil {
		t.Fatal(err)
	}
	forged := asked
	forged.By = "Brun"
	assertRefused(t, h.Confirm(&given, approve, &forged), "no worker has found out")
	if err := h.Confirm(&given, approve, &asked); err != nil {
		t.Error(err)
	}
	elsewhere := approval.State("fabrikam", "rotate/fabrikam", "run", false)
	if _, err := h.authorize(elsewhere, h.sign("Ada", elsewhere, strings.Repeat("1", 32)), &asked); err != nil {
		t.Errorf("where four eyes are not asked for: %v", err)
	}
}

// What a worker found is looked at again when something is done because of it.
func TestWhatIsConfirmedIsWhatWasFound(t *testing.T) {
	h := newHouse(t, ada, brun)
	given, err := h.authorize(approve, h.sign("Ada", approve, nonce), nil)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*farm.Authorization)) *farm.Authorization {
		c := given
		change(&c)
		return &c
	}
	want := func(change func(*farm.Statement)) farm.Statement {
		s := approve
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		given *farm.Authorization
		want  farm.Statement
		text  string
	}{
		"nothing":          {nil, approve, "nobody who may"},
		"without a seal":   {edit(func(a *farm.Authorization) { a.Seal = "" }), approve, "no worker has found out"},
		"another person":   {edit(func(a *farm.Authorization) { a.By = "Brun" }), approve, "no worker has found out"},
		"another digest":   {edit(func(a *farm.Authorization) { a.Statement.Digest = "x" }), approve, "no worker has found out"},
		"more rights":      {edit(func(a *farm.Authorization) { a.Statement.Needs = farm.Rights() }), approve, "no worker has found out"},
		"of another farm":  {&given, want(func(s *farm.Statement) { s.Farm = "fabrikam" }), "something else"},
		"of another run":   {&given, want(func(s *farm.Statement) { s.Run = "other" }), "something else"},
		"of other changes": {&given, want(func(s *farm.Statement) { s.Digest = "x" }), "something else"},
		"a deletion":       {&given, want(func(s *farm.Statement) { s.Needs = []farm.Right{farm.RightDelete} }), "something else"},
	} {
		t.Run(name, func(t *testing.T) { assertRefused(t, h.Confirm(c.given, c.want, nil), c.text) })
	}
	h.now = h.now.Add(90 * 24 * time.Hour) // a window may be far away
	if err := h.Confirm(&given, approve, nil); err != nil {
		t.Errorf("later: %v", err)
	}
	h.Approvers.People = h.Approvers.People[1:]
	assertRefused(t, h.Confirm(&given, approve, nil), "not configured to decide any more")
}

func TestWhatWasAskedForBeginsOnce(t *testing.T) {
	h := newHouse(t, ada)
	rotate := farm.Statement{Farm: "contoso", Workflow: "farm/contoso", Action: "rotate", Content: "{}", Needs: []farm.Right{farm.RightCompromised}}
	asked, err := h.authorize(rotate, h.sign("Ada", rotate, nonce), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.ConfirmAsked(&asked, rotate, "run 1", 24*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	assertRefused(t, h.ConfirmAsked(&asked, rotate, "run 2", 24*time.Hour), "has begun already")
	h.now = h.now.Add(25 * time.Hour)
	assertRefused(t, h.ConfirmAsked(&asked, rotate, "run 1", 24*time.Hour), "too long ago")
}

func TestWithoutApproversNothingIsVerified(t *testing.T) {
	a := authority.New(&config.Config{}, nil)
	given, err := a.Authorize(t.Context(), approve, nil, nil, "run", "x")
	if err != nil || given.By != "" || given.How != "" {
		t.Errorf("got %+v, %v", given, err)
	}
	if err := errors.Join(a.Confirm(nil, approve, nil), a.ConfirmAsked(nil, approve, "x", time.Hour)); err != nil {
		t.Error(err)
	}
}

// PyJWT makes the tokens; package token has the tests of what is wrong with one.
func TestATokenIsForOneDecision(t *testing.T) {
	h := newHouse(t)
	var keys json.RawMessage
	var provider *httptest.Server
	provider = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write(keys)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": provider.URL, "jwks_uri": provider.URL + "/keys"})
	}))
	t.Cleanup(provider.Close)
	claims := func(change string, value any) tokentest.Token {
		c := map[string]any{
			"iss": provider.URL, "aud": "farmtrust", "sub": "x", "oid": "7c1f", "nonce": approve.TokenNonce(h.now, nonce),
			"iat": h.now.Unix(), "exp": h.now.Add(time.Hour).Unix(),
		}
		c[change] = value
		return tokentest.Token{Claims: c}
	}
	keys, tokens := tokentest.Issue(t, claims("aud", "farmtrust"), claims("nonce", nonce), claims("oid", "0000"), claims("oid", nil), claims("aud", "payroll"))
	h.Approvers.People = []config.Person{{Name: "Ada", Subject: "7c1f", May: farm.Rights()}}
	h.Approvers.Provider = &config.IdentityProvider{Issuer: provider.URL, Audience: "farmtrust", Claim: "oid"}
	h.Tokens = token.New(token.Provider{Issuer: provider.URL, Audience: "farmtrust", Client: provider.Client(), Now: func() time.Time { return h.now }})
	for i, want := range []string{"", "not asked for with the nonce", `"0000", in the claim oid`, `"", in the claim oid`, "expected audience"} {
		given, err := h.authorize(approve, &farm.Proof{At: h.now, Nonce: nonce, Token: tokens[i]}, nil)
		if want != "" {
			assertRefused(t, err, want)
		} else if err != nil || given.By != "Ada" || given.How != "token: "+provider.URL {
			t.Errorf("got %+v, %v", given, err)
		}
	}
	provider.Close()
	h.Tokens = token.New(token.Provider{Issuer: provider.URL, Audience: "farmtrust", Client: provider.Client()})
	if _, err := h.authorize(approve, &farm.Proof{At: h.now, Nonce: nonce2, Token: tokens[0]}, nil); !errors.Is(err, token.ErrUnreachable) || errors.Is(err, farm.ErrNotAuthorized) {
		t.Errorf("a provider that is down: %v", err)
	}
}
