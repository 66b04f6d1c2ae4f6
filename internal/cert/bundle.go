// Package cert loads a certificate with its key and chain from a PFX, judges
// whether it is suitable for server-to-server trust, and encodes it for a version
// of Windows.
//
// It decides nothing about a farm, reads no file and no clock, and keeps private
// keys where printers, loggers and marshallers do not reach them.
package cert

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// ErrStays means that a Bundle was about to be marshalled. Private keys leave this
// process only through [Bundle.Encode].
var ErrStays = errors.New("a certificate with its private key must not be marshalled: use its Certificate")

// Bundle is a certificate with its private key and its chain. It prints as its
// thumbprint and refuses to be marshalled; its Certificate field is public.
type Bundle struct {
	// Certificate is the public part with its chain. Its FriendlyName is empty:
	// a certificate gets one when it is imported.
	Certificate farm.Certificate
	// Origin is where it was read from, such as the name of a file, for messages; empty
	// where it was made here.
	Origin string

	leaf *x509.Certificate
	// chain holds the issuers, nearest first, the root last.
	chain []*x509.Certificate
	// key holds the private key in a closure, which printers that walk into
	// unexported fields cannot open.
	key func() (crypto.Signer, error)
}

// newBundle derives the public part.
func newBundle(leaf *x509.Certificate, chain []*x509.Certificate, key crypto.Signer) *Bundle {
	public := farm.Certificate{
		Thumbprint: farm.ThumbprintOf(leaf.Raw),
		Subject:    distinguishedName(leaf.RawSubject),
		Issuer:     distinguishedName(leaf.RawIssuer),
		NotBefore:  leaf.NotBefore,
		NotAfter:   leaf.NotAfter,
		SelfSigned: isSelfSigned(leaf),
		DER:        leaf.Raw,
	}
	for _, issuer := range chain {
		public.Chain = append(public.Chain, farm.ChainCertificate{
			Thumbprint: farm.ThumbprintOf(issuer.Raw),
			Subject:    distinguishedName(issuer.RawSubject),
			NotAfter:   issuer.NotAfter,
			DER:        issuer.Raw,
		})
	}
	return &Bundle{Certificate: public, leaf: leaf, chain: chain, key: func() (crypto.Signer, error) { return key, nil }}
}

// Deferred returns the certificate and its chain without the key, which load reads
// again when the bundle is encoded: a key that is not needed is not kept.
func (b Bundle) Deferred(load func() (*Bundle, error)) *Bundle {
	b.key = func() (crypto.Signer, error) {
		loaded, err := load()
		if err != nil {
			return nil, err
		}
		if loaded.Certificate.Thumbprint != b.Certificate.Thumbprint {
			return nil, fmt.Errorf("%s is no longer there: %s is in its place", b, loaded)
		}
		return loaded.key()
	}
	return &b
}

// String returns the certificate's short thumbprint, its subject and its origin.
func (b Bundle) String() string {
	text := fmt.Sprintf("certificate %s (%s)", b.Certificate.Thumbprint.Short(), b.Certificate.Subject)
	if b.Origin != "" {
		text += " in " + b.Origin
	}
	return text
}

// Format prints as [Bundle.String] does, for every verb and flag.
func (b Bundle) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, b.String()) }

// MarshalJSON refuses with [ErrStays].
func (Bundle) MarshalJSON() ([]byte, error) { return nil, ErrStays }

// MarshalText refuses with [ErrStays].
func (Bundle) MarshalText() ([]byte, error) { return nil, ErrStays }

// GobEncode refuses with [ErrStays].
func (Bundle) GobEncode() ([]byte, error) { return nil, ErrStays }
