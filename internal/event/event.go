// Package event decodes what any source sends into expiry events.
//
// It decides nothing: an expiry event is a reason to inspect a farm, and the farm's
// own state decides what follows. It opens no port and authenticates no sender.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Kind is what an event says about a certificate.
type Kind string

const (
	// NearExpiry means that it expires soon. Key Vault sends this 30 days before,
	// by default, with the version that expires.
	NearExpiry Kind = "near expiry"
	// Expired means that it has expired.
	Expired Kind = "expired"
	// NewVersion means that a newer version exists, which is named.
	NewVersion Kind = "new version"
)

// ParseKind reads the name of a kind, in either case and with spaces, dashes or
// underscores between its words.
func ParseKind(name string) (Kind, bool) {
	k := Kind(strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(name)))
	return k, k == NearExpiry || k == Expired || k == NewVersion
}

// Expiry is one event about a certificate. What the source does not send is empty.
type Expiry struct {
	// ID is unique within Source; both are always set. A source may deliver one
	// event several times, with the same ID.
	ID     string `json:"id"`
	Source string `json:"source"`
	Kind   Kind   `json:"kind"`
	// Time is when it happened, according to the source.
	Time time.Time `json:"time,omitzero"`
	// Vault and Certificate are matched against a farm's events: the Key Vault
	// and the certificate's name in it, or for other sources the source and the
	// subject of the event.
	Vault       string `json:"vault,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// Version is the Key Vault version that the event is about.
	Version    string          `json:"version,omitempty"`
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	// SHA256 is the other thumbprint: 64 upper-case hexadecimal digits.
	SHA256 string `json:"sha256,omitempty"`
	// Serials are what the serial number may be, as farm.ParseSerial returns it.
	Serials []string `json:"serials,omitempty"`
	// ARN is that of AWS Certificate Manager.
	ARN string `json:"arn,omitempty"`
	// Subject is a distinguished name as the source spells it. Names are the common
	// name and the subject alternative names.
	Subject string   `json:"subject,omitempty"`
	Names   []string `json:"names,omitempty"`
	// Labels are what the source says besides, for a configuration to match.
	Labels   map[string]string `json:"labels,omitempty"`
	NotAfter time.Time         `json:"notAfter,omitzero"`
	// Farm is the farm that the event names, if any.
	Farm string `json:"farm,omitempty"`
}

// String returns what happened to which certificate, with the event's ID; reports
// show it as the reason of a rotation. Names are the sender's and are truncated.
func (e Expiry) String() string {
	name := "certificate"
	switch {
	case e.Certificate != "":
		name = e.Certificate
	case e.Thumbprint != "":
		name = e.Thumbprint.Short()
	case e.SHA256 != "":
		name = e.SHA256[:8]
	case len(e.Names) > 0:
		name = e.Names[0]
	case e.Subject != "":
		name = e.Subject
	case e.ARN != "":
		name = e.ARN
	case len(e.Serials) > 0:
		name = "serial number " + e.Serials[0]
	}
	if e.Vault != "" {
		name += " in " + e.Vault
	}
	what := string(e.Kind)
	if e.Kind == Expired {
		what = "expiry"
	}
	return fmt.Sprintf("%s of %.100s (event %.100s)", what, name, e.ID)
}

// Key is the same for every delivery of an event. It is short and of fixed length,
// whatever source and ID look like, so that many can be kept.
func (e Expiry) Key() string {
	sum := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	return hex.EncodeToString(sum[:16])
}
