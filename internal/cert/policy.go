package cert

import (
	"crypto/sha1" //nolint:gosec // Thumbprints of Windows are SHA-1.
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// The codes of the findings about what a certificate may be.
const (
	CodeIsCA       = "certificate-is-ca"
	CodeUnexpected = "certificate-unexpected"
	CodeOtherUse   = "certificate-other-use"
	CodeWildcard   = "certificate-wildcard"
)

// oidExtendedKeyUsage is the extension with the extended key usages; RFC 5280.
var oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// isCA: the services of office servers can read its key, and a self-signed one goes to
// Trusted Root: any of them could issue certificates that those machines trust.
func isCA(q question) *farm.Finding {
	leaf := q.bundle.leaf
	if !leaf.IsCA && leaf.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil
	}
	return &farm.Finding{
		Code: CodeIsCA, Severity: farm.Stop,
		Text:   fmt.Sprintf("%s is the certificate of a CA: who gets its key can issue certificates for anything, and a self-signed one is trusted as a root", q.bundle),
		Remedy: "provide one with the basic constraint CA:FALSE and without the key usage certificate signing",
	}
}

// unexpected compares with what the configuration pins.
func unexpected(q question) *farm.Finding {
	var wrong []string
	want, leaf := q.policy.Expect, q.bundle.leaf
	if want.Issuer != "" && !q.bundle.isIssuedBy(want.Issuer) {
		wrong = append(wrong, fmt.Sprintf("is issued by %s, not by %s", q.bundle.Certificate.Issuer, want.Issuer))
	}
	if want.Subject != "" && !matchesName(want.Subject, q.bundle.Certificate.Subject) {
		wrong = append(wrong, fmt.Sprintf("is not for the subject %s", want.Subject))
	}
	if got := keyUsages(leaf.KeyUsage); len(want.KeyUsage) > 0 && !sameWords(want.KeyUsage, got) {
		wrong = append(wrong, fmt.Sprintf("has the key usage %s, not %s", orNone(got), strings.Join(want.KeyUsage, ", ")))
	}
	if got := extendedKeyUsages(leaf); len(want.ExtendedKeyUsage) > 0 && !sameWords(namedUsages(want.ExtendedKeyUsage), got) {
		wrong = append(wrong, fmt.Sprintf("has the extended key usage %s, not %s", orNone(got), strings.Join(want.ExtendedKeyUsage, ", ")))
	}
	if len(wrong) == 0 {
		return nil
	}
	return &farm.Finding{
		Code: CodeUnexpected, Severity: farm.Stop,
		Text:   fmt.Sprintf("%s %s, as certificate.expect of the farm demands", q.bundle, strings.Join(wrong, "; it ")),
		Remedy: "find out who put it into the farm's certificate source, and take it away; or correct certificate.expect",
	}
}

// otherUse: anybody who gets the S2S key, which many services can read, gets those uses too.
func otherUse(q question) *farm.Finding {
	pinned := namedUsages(q.policy.Expect.ExtendedKeyUsage)
	var other []string
	for _, usage := range extendedKeyUsages(q.bundle.leaf) {
		if slices.Contains([]string{"serverAuth", "codeSigning", "anyExtendedKeyUsage"}, usage) && !slices.Contains(pinned, usage) {
			other = append(other, usage)
		}
	}
	if len(other) == 0 {
		return nil
	}
	return &farm.Finding{
		Code: CodeOtherUse, Severity: farm.Warn,
		Text:   fmt.Sprintf("%s may be used for %s as well: anybody who gets the S2S key, which every office server has, can do that too", q.bundle, strings.Join(other, " and ")),
		Remedy: "have it issued for S2S alone; or name that use in certificate.expect.extendedKeyUsage",
	}
}

// wildcard: such a certificate is made for many hosts, and belongs to their TLS.
func wildcard(q question) *farm.Finding {
	leaf := q.bundle.leaf
	for _, name := range append([]string{leaf.Subject.CommonName}, leaf.DNSNames...) {
		if strings.HasPrefix(name, "*.") {
			return &farm.Finding{
				Code: CodeWildcard, Severity: farm.Warn,
				Text:   fmt.Sprintf("%s is for %s: it is made for the TLS of many hosts, and its key is on others than the office servers", q.bundle, name),
				Remedy: "provide a certificate for S2S alone",
			}
		}
	}
	return nil
}

// isIssuedBy reports whether its issuer has that name, or a CA above it that
// fingerprint.
func (b *Bundle) isIssuedBy(issuer string) bool {
	for _, c := range b.chain {
		short, long := sha1.Sum(c.Raw), sha256.Sum256(c.Raw) //nolint:gosec // see above
		if strings.EqualFold(issuer, hex.EncodeToString(short[:])) || strings.EqualFold(issuer, hex.EncodeToString(long[:])) {
			return true
		}
	}
	return b.Certificate.Issuer == issuer
}

// matchesName compares a distinguished name with a pattern, in which * stands for any
// text within one part of the name.
func matchesName(pattern, name string) bool {
	expression := "^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, "[^,]*") + "$"
	matched, err := regexp.MatchString(expression, name)
	return err == nil && matched
}

// keyUsages are the words for the bits of a key usage.
func keyUsages(usage x509.KeyUsage) (all []string) {
	for bit, word := range farm.KeyUsages {
		if usage&(1<<bit) != 0 {
			all = append(all, word)
		}
	}
	return all
}

// extendedKeyUsages are the words for what a certificate says that it may be used for;
// the OID where there is no word.
func extendedKeyUsages(c *x509.Certificate) []string {
	for _, extension := range c.Extensions {
		var ids []asn1.ObjectIdentifier
		if !extension.Id.Equal(oidExtendedKeyUsage) || unmarshalExactly(extension.Value, &ids) != nil {
			continue
		}
		var all []string
		for _, id := range ids {
			all = append(all, id.String())
		}
		return namedUsages(all)
	}
	return nil
}

// namedUsages replaces OIDs by words where there are any.
func namedUsages(all []string) []string {
	named := slices.Clone(all)
	for i, usage := range named {
		for word, id := range farm.ExtendedKeyUsages {
			if usage == id {
				named[i] = word
			}
		}
	}
	return named
}

func sameWords(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
