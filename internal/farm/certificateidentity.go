package farm

import (
	"slices"
	"strings"
	"time"
)

// CertificateIdentity is what tells a certificate from others, wherever an event about it
// was made: no source of events carries all of it.
type CertificateIdentity struct {
	Thumbprint Thumbprint `json:"thumbprint"`
	// SHA256 is the SHA-256 hash of its DER form in 64 upper-case hexadecimal digits, and
	// Serial its serial number in upper-case hexadecimal digits without leading zeros. Both
	// are empty where only the thumbprint was seen.
	SHA256 string `json:"sha256,omitempty"`
	Serial string `json:"serial,omitempty"`
	// Subject is its distinguished name as Windows writes it.
	Subject string `json:"subject,omitempty"`
	// Names are its common name and the names of its subjectAltName.
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"notAfter,omitzero"`
}

// What is kept of a certificate's subject, in bytes, and of its names: a controller shows
// them to those who look for farms, and a server may show anything. DNS permits 253 bytes.
const (
	maxIdentitySubject = 1000
	maxIdentityNames   = 10
	maxIdentityName    = 253
)

// Bounded returns the identity without what is longer than any real certificate's.
func (c CertificateIdentity) Bounded() CertificateIdentity {
	if len(c.Subject) > maxIdentitySubject {
		c.Subject = ""
	}
	var names []string
	for _, name := range c.Names {
		if name != "" && len(name) <= maxIdentityName && len(names) < maxIdentityNames && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	c.Names = names
	return c
}

// IdentityOf returns what a Windows certificate store shows of a certificate's identity.
func IdentityOf(c StoreCertificate) CertificateIdentity {
	return CertificateIdentity{
		Thumbprint: c.Thumbprint, Subject: c.Subject, Names: commonNames(c.Subject), NotAfter: c.NotAfter,
	}.Bounded()
}

// IssuerCertificate returns a certificate in DER form that a token issuer of SharePoint
// was seen to hold; nil where none does.
func (o Observed) IssuerCertificate(t Thumbprint) []byte {
	for _, f := range o.SharePoint {
		for _, i := range f.Issuers {
			if i.Thumbprint == t {
				return i.Certificate
			}
		}
	}
	return nil
}

// EventMatch matches the expiry events of one certificate. Empty fields match
// anything; at least one is set.
type EventMatch struct {
	// Vault is the Key Vault, or the source of another kind of event.
	Vault string `json:"vault,omitempty"`
	// Certificate is the certificate's name there.
	Certificate string `json:"certificate,omitempty"`
	// ARN is the Amazon Resource Name of the certificate.
	ARN string `json:"arn,omitempty"`
	// Thumbprint is a SHA-1 or SHA-256 hash: 40 or 64 upper-case hexadecimal digits.
	Thumbprint string `json:"thumbprint,omitempty"`
	// Serials are the readings of a serial number, which may be decimal or hexadecimal, in
	// upper-case hexadecimal digits without leading zeros.
	Serials []string `json:"serials,omitempty"`
	// Subject is a distinguished name, Name a common name or one of subjectAltName.
	Subject string `json:"subject,omitempty"`
	Name    string `json:"name,omitempty"`
	// Source is the name of the configured source that brings the event.
	Source string `json:"source,omitempty"`
	// Labels are labels of the event; all must be there.
	Labels map[string]string `json:"labels,omitempty"`
}

// IsZero reports whether a match would match every event.
func (m EventMatch) IsZero() bool {
	return m.Vault == "" && m.Certificate == "" && m.ARN == "" && m.Thumbprint == "" && len(m.Serials) == 0 &&
		m.Subject == "" && m.Name == "" && m.Source == "" && len(m.Labels) == 0
}

// SameSubject reports whether two distinguished names have the same parts, no matter who
// wrote them: in Windows' order or that of RFC 4514, with OpenSSL's slashes, in either case.
func SameSubject(a, b string) bool {
	parts := splitSubject(a)
	return len(parts) > 0 && slices.Equal(parts, splitSubject(b))
}

// SubjectKey is one text for all spellings of a distinguished name that [SameSubject] takes
// for the same; empty for what is none.
func SubjectKey(name string) string { return strings.Join(splitSubject(name), "\n") }

// commonNames are the common names in a distinguished name, in lower case.
func commonNames(subject string) (names []string) {
	for _, part := range splitSubject(subject) {
		if name, ok := strings.CutPrefix(part, "cn="); ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// openSSLKeys are the keys that OpenSSL and RFC 4514 write otherwise than Windows does.
//
// Source: openssl, crypto/objects; Microsoft, CertNameToStrW, CERT_X500_NAME_STR.
var openSSLKeys = map[string]string{"st": "s", "emailaddress": "e"}

// splitSubject returns the parts of a distinguished name in lower case, sorted.
func splitSubject(name string) (parts []string) {
	separators := ",+;"
	if strings.HasPrefix(name, "/") {
		name, separators = name[1:], "/"
	}
	for _, part := range splitUnquoted(name, separators) {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil // not a distinguished name
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if windows, known := openSSLKeys[key]; known {
			key = windows
		}
		parts = append(parts, key+"="+strings.ToLower(strings.TrimSpace(value)))
	}
	slices.Sort(parts)
	return parts
}

// splitUnquoted splits a text at separators that are neither in quotes nor after a
// backslash, and takes quotes and backslashes out of the parts.
func splitUnquoted(text, separators string) (parts []string) {
	var part strings.Builder
	quoted, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			part.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case !quoted && strings.ContainsRune(separators, r):
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(parts, part.String())
}
