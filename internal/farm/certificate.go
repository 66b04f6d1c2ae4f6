package farm

import (
	"crypto/sha1" //nolint:gosec // Windows names certificates by their SHA-1 thumbprint.
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Thumbprint is the SHA-1 hash of a certificate's DER form as Windows shows
// it: 40 upper-case hexadecimal digits.
type Thumbprint string

// ThumbprintOf computes the thumbprint of a DER certificate.
func ThumbprintOf(der []byte) Thumbprint {
	sum := sha1.Sum(der) //nolint:gosec // see import
	return Thumbprint(strings.ToUpper(hex.EncodeToString(sum[:])))
}

// ParseThumbprint accepts a thumbprint as it is pasted: in either case, with
// spaces, colons or dashes, and with the invisible left-to-right mark (U+200E)
// that the Windows certificate dialog puts in front. It fails unless exactly 40
// hexadecimal digits remain.
func ParseThumbprint(s string) (Thumbprint, error) {
	cleaned := cleanHex(s)
	if raw, err := hex.DecodeString(cleaned); err != nil || len(raw) != sha1.Size {
		return "", fmt.Errorf("thumbprint %q is not 40 hexadecimal digits", s)
	}
	return Thumbprint(cleaned), nil
}

// Short returns the thumbprint's first eight digits, enough to tell the
// certificates of one farm apart.
func (t Thumbprint) Short() string {
	if len(t) < 8 {
		return string(t)
	}
	return string(t[:8])
}

// Certificate is the public part of an S2S certificate with its chain.
type Certificate struct {
	Thumbprint Thumbprint `json:"thumbprint"`
	// Subject and Issuer are distinguished names as Windows writes them.
	Subject    string    `json:"subject"`
	Issuer     string    `json:"issuer"`
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
	SelfSigned bool      `json:"selfSigned"`
	// FriendlyName is the name by which Office Online Server selects the
	// certificate. It is pinned once the farm has been observed; see [Desire].
	FriendlyName string `json:"friendlyName"`
	DER          []byte `json:"der"`
	// Chain holds the certificates of the issuing CAs, nearest first, the root
	// last; empty when self-signed.
	Chain []ChainCertificate `json:"chain,omitempty"`
}

// ChainCertificate is the certificate of an issuing CA.
type ChainCertificate struct {
	Thumbprint Thumbprint `json:"thumbprint"`
	Subject    string     `json:"subject"`
	NotAfter   time.Time  `json:"notAfter"`
	DER        []byte     `json:"der"`
}

// Intermediates returns the chain without its root.
func (c Certificate) Intermediates() []ChainCertificate {
	if len(c.Chain) == 0 {
		return nil
	}
	return c.Chain[:len(c.Chain)-1]
}

// RootAuthorities returns the certificates that SharePoint must hold as trusted
// root authorities: the certificate itself when it is self-signed, otherwise
// every certificate of its chain.
//
// Source: Microsoft, "Creating SharePoint Add-ins that use high-trust
// authorization": all certificates in the chain must be in SharePoint's list
// of trusted root authorities.
func (c Certificate) RootAuthorities() []ChainCertificate {
	if c.SelfSigned {
		return []ChainCertificate{{Thumbprint: c.Thumbprint, Subject: c.Subject, NotAfter: c.NotAfter, DER: c.DER}}
	}
	return c.Chain
}
