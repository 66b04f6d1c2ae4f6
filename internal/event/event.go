// Package event turns any source's body into expiry events.
//
// It decides nothing: an expiry event is a hint that a certificate deserves a
// look, and the farm's own state says what follows. It opens no port and
// checks no sender.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Kind is what an event says of a certificate.
type Kind string

// The kinds.
const (
	// NearExpiry: it ends soon. Key Vault says so 30 days before by default,
	// and names the version that ends.
	NearExpiry Kind = "near expiry"
	// Expired: it has ended.
	Expired Kind = "expired"
	// NewVersion: a newer one exists, and is named.
	NewVersion Kind = "new version"
)

// Expiry is one event about a certificate. What the source does not say is
// left empty.
type Expiry struct {
	// ID is unique within Source; both are always set. A source may deliver
	// one event several times, with the same ID.
	ID     string `json:"id"`
	Source string `json:"source"`
	Kind   Kind   `json:"kind"`
	// Time is when the source says that it happened.
	Time time.Time `json:"time,omitzero"`
	// Vault and Certificate are matched against a farm's events: the Key
	// Vault and the certificate's name in it, or for other kinds of events
	// the source and the event's subject.
	Vault       string `json:"vault,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	// Version is the Key Vault version that the event is about.
	Version    string          `json:"version,omitempty"`
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	NotAfter   time.Time       `json:"notAfter,omitzero"`
	// Farm is the farm that the event names itself.
	Farm string `json:"farm,omitempty"`
}

// String says in a few words what happened to which certificate, with the
// event's ID; it is the reason that people read in reports. Names are the
// sender's, and are cut where they are long.
func (e Expiry) String() string {
	name := "certificate"
	switch {
	case e.Certificate != "":
		name = e.Certificate
	case e.Thumbprint != "":
		name = e.Thumbprint.Short()
	}
	if e.Vault != "" {
		name += " in " + e.Vault
	}
	return fmt.Sprintf("%s of %.100s (event %.100s)", e.Kind, name, e.ID)
}

// Key is the same for every delivery of one event, whatever sender and ID look
// like, and short enough to be remembered.
func (e Expiry) Key() string {
	sum := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	return hex.EncodeToString(sum[:16])
}
