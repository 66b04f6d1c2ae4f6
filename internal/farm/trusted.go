package farm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TrustKind is what a SharePoint farm trusts a certificate as.
type TrustKind string

// The kinds of trust. A token issuer lets who holds its key act as any user; a root
// authority vouches for the certificates of issuers.
const (
	TrustedIssuer TrustKind = "token issuer"
	TrustedRoot   TrustKind = "root authority"
)

// Trusted is a certificate that a SharePoint farm trusts.
type Trusted struct {
	FrontEnd string    `json:"frontEnd"`
	Kind     TrustKind `json:"kind"`
	Name     string    `json:"name"`
	// RegisteredName is of an issuer, in lower case.
	RegisteredName string     `json:"registeredName,omitempty"`
	Thumbprint     Thumbprint `json:"thumbprint"`
}

// IsOfProcedure reports whether it is one of the procedure's two issuers.
func (t Trusted) IsOfProcedure() bool {
	_, ok := IssuerByRegisteredName(t.RegisteredName)
	return t.Kind == TrustedIssuer && ok
}

// IsInPlaceOf reports whether it is the same issuer or root authority as another, whatever
// certificate it holds.
func (t Trusted) IsInPlaceOf(other Trusted) bool {
	t.Thumbprint = other.Thumbprint
	return t == other
}

// maxTrustedText bounds the names that a server gives, in bytes.
const maxTrustedText = 200

// TrustedBy lists what a SharePoint farm trusts, sorted.
func TrustedBy(f SharePointFarm) []Trusted {
	var all []Trusted
	for _, i := range f.Issuers {
		all = append(all, Trusted{FrontEnd: f.FrontEnd, Kind: TrustedIssuer, Name: cut(i.Name), RegisteredName: cut(i.RegisteredName), Thumbprint: i.Thumbprint})
	}
	for _, r := range f.RootAuthorities {
		all = append(all, Trusted{FrontEnd: f.FrontEnd, Kind: TrustedRoot, Name: cut(r.Name), Thumbprint: r.Thumbprint})
	}
	slices.SortFunc(all, func(a, b Trusted) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.RegisteredName, b.RegisteredName), cmp.Compare(a.Thumbprint, b.Thumbprint))
	})
	return slices.Compact(all)
}

func cut(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxTrustedText)], "")
}

// TrustLook is what the SharePoint farms of a farm were seen to trust.
type TrustLook struct {
	At time.Time `json:"at"`
	// Fingerprint is the same for the same trust on the same front ends.
	Fingerprint string `json:"fingerprint"`
	// Unchanged reports whether the trust is as it was when the look before was given its
	// fingerprint: it is then left out.
	Unchanged bool `json:"unchanged,omitempty"`
	// Trusted is what they trust, and OfSource the certificates in it that the farm's own
	// source has, or has issued its newest with.
	Trusted  []Trusted    `json:"trusted,omitempty"`
	OfSource []Thumbprint `json:"ofSource,omitempty"`
	// Unseen are the front ends that did not answer, and Problem says why.
	Unseen  []string `json:"unseen,omitempty"`
	Problem string   `json:"problem,omitempty"`
}

// FingerprintOf is the same for the same trust.
func FingerprintOf(trusted []Trusted, unseen []string) string {
	text, err := json.Marshal([]any{trusted, unseen})
	if err != nil {
		return "" // strings alone
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Incident is trust in a certificate that is none of the farm's.
type Incident struct {
	Trusted
	Since time.Time `json:"since"`
	// Why says what is wrong with it.
	Why string `json:"why"`
}

// Describe says in a line what is trusted where.
func (i Incident) Describe() string {
	return i.FrontEnd + ": " + string(i.Kind) + " " + strconv.Quote(i.Name) + " holds " + string(i.Thumbprint) + ": " + i.Why
}
