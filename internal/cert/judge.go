package cert

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// The codes of the findings of [Judge].
const (
	CodeNotYetValid      = "certificate-not-yet-valid"
	CodeExpired          = "certificate-expired"
	CodeExpiresSoon      = "certificate-expires-soon"
	CodeNotRSA           = "certificate-key-not-rsa"
	CodeKeyTooShort      = "certificate-key-too-short"
	CodeWeakSignature    = "certificate-weak-signature"
	CodeCannotSign       = "certificate-cannot-sign"
	CodeChainExpired     = "chain-expired"
	CodeChainExpiresSoon = "chain-expires-soon"
)

// minBits is the shortest RSA key that is accepted. CAs have not issued shorter
// ones since 2014 (CA/Browser Forum, Baseline Requirements, 6.1.5).
const minBits = 2048

// question is what a check is asked: is this certificate suitable at that time?
type question struct {
	bundle *Bundle
	now    time.Time
	policy farm.CertificatePolicy
}

// check returns a finding if one particular thing is wrong, else nil.
type check func(question) *farm.Finding

// allChecks lists the checks. None depends on another.
func allChecks() []check {
	return []check{
		certificateNotYetValid, certificateExpired, certificateExpiresSoon,
		keyNotRSA, keyTooShort, weakSignature, cannotSign,
		chainExpired, chainExpiresSoon,
		isCA, unexpected, otherUse, wildcard,
	}
}

// Judge returns what is wrong with a certificate at the time now, by any clock.
// Findings of severity [farm.Stop] make it unsuitable. That it expires within the
// policy's lead time of now is only a warning, because there may be no better one.
func Judge(b *Bundle, now time.Time, policy farm.CertificatePolicy) []farm.Finding {
	var findings []farm.Finding
	for _, find := range allChecks() {
		if finding := find(question{b, now, policy}); finding != nil {
			findings = append(findings, *finding)
		}
	}
	return findings
}

func certificateNotYetValid(q question) *farm.Finding {
	from := q.bundle.Certificate.NotBefore
	if !q.now.Before(from) {
		return nil
	}
	return &farm.Finding{
		Code: CodeNotYetValid, Severity: farm.Stop,
		Text:   fmt.Sprintf("%s is not valid before %s", q.bundle, farm.FormatTime(from)),
		Remedy: "wait until then, or check the clock",
	}
}

func certificateExpired(q question) *farm.Finding {
	end := q.bundle.Certificate.NotAfter
	if !q.now.After(end) {
		return nil
	}
	return &farm.Finding{
		Code: CodeExpired, Severity: farm.Stop,
		Text:   fmt.Sprintf("%s expired on %s", q.bundle, farm.FormatTime(end)),
		Remedy: "provide a new certificate",
	}
}

func certificateExpiresSoon(q question) *farm.Finding {
	end := q.bundle.Certificate.NotAfter
	if q.now.After(end) || q.now.Add(q.policy.LeadTime).Before(end) {
		return nil
	}
	return &farm.Finding{
		Code: CodeExpiresSoon, Severity: farm.Warn,
		Text:   fmt.Sprintf("%s expires on %s, within the lead time", q.bundle, farm.FormatTime(end)),
		Remedy: "provide a certificate that is valid for longer",
	}
}

// keyNotRSA: S2S tokens are signed with RS256.
//
// Source: Microsoft, "Create and use access tokens in provider-hosted
// high-trust SharePoint Add-ins"; that another key cannot work is inferred.
func keyNotRSA(q question) *farm.Finding {
	if _, ok := q.bundle.leaf.PublicKey.(*rsa.PublicKey); ok {
		return nil
	}
	return &farm.Finding{
		Code: CodeNotRSA, Severity: farm.Stop,
		Text:   fmt.Sprintf("the key of %s is %s, but S2S tokens are signed with RSA", q.bundle, q.bundle.leaf.PublicKeyAlgorithm),
		Remedy: "provide a certificate with an RSA key of at least 2048 bits",
	}
}

func keyTooShort(q question) *farm.Finding {
	key, ok := q.bundle.leaf.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() >= minBits {
		return nil
	}
	return &farm.Finding{
		Code: CodeKeyTooShort, Severity: farm.Stop,
		Text:   fmt.Sprintf("the RSA key of %s has %d bits", q.bundle, key.N.BitLen()),
		Remedy: "provide a certificate with an RSA key of at least 2048 bits",
	}
}

// weakSignature ignores the signatures of self-signed certificates, which prove
// nothing. Whether SharePoint refuses weak ones is not known.
func weakSignature(q question) *farm.Finding {
	for _, c := range append([]*x509.Certificate{q.bundle.leaf}, q.bundle.chain...) {
		if isSelfSigned(c) || !isWeakAlgorithm(c.SignatureAlgorithm) {
			continue
		}
		return &farm.Finding{
			Code: CodeWeakSignature, Severity: farm.Warn,
			Text:   fmt.Sprintf("%s is signed with %s, which can be forged", distinguishedName(c.RawSubject), c.SignatureAlgorithm),
			Remedy: "have it issued with SHA-256",
		}
	}
	return nil
}

func isWeakAlgorithm(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	default:
		return false
	}
}

// cannotSign is only a warning: whether the products check the key usage is not
// documented.
func cannotSign(q question) *farm.Finding {
	usage := q.bundle.leaf.KeyUsage
	if usage == 0 || usage&x509.KeyUsageDigitalSignature != 0 {
		return nil
	}
	return &farm.Finding{
		Code: CodeCannotSign, Severity: farm.Warn,
		Text:   fmt.Sprintf("the key usage of %s does not allow digital signatures", q.bundle),
		Remedy: "have it issued with the key usage digital signature",
	}
}

// chainExpired: SharePoint validates the whole chain (event 8311).
func chainExpired(q question) *farm.Finding {
	for _, c := range q.bundle.chain {
		if q.now.After(c.NotAfter) {
			return &farm.Finding{
				Code: CodeChainExpired, Severity: farm.Stop,
				Text: fmt.Sprintf("the CA %s in the chain of %s expired on %s",
					distinguishedName(c.RawSubject), q.bundle, farm.FormatTime(c.NotAfter)),
				Remedy: "provide the certificate with a chain that is valid",
			}
		}
	}
	return nil
}

func chainExpiresSoon(q question) *farm.Finding {
	for _, c := range q.bundle.chain {
		if !q.now.After(c.NotAfter) && !q.now.Add(q.policy.LeadTime).Before(c.NotAfter) {
			return &farm.Finding{
				Code: CodeChainExpiresSoon, Severity: farm.Warn,
				Text: fmt.Sprintf("the CA %s in the chain of %s expires on %s, within the lead time",
					distinguishedName(c.RawSubject), q.bundle, farm.FormatTime(c.NotAfter)),
				Remedy: "provide a certificate from a CA that is valid for longer",
			}
		}
	}
	return nil
}
