package cert_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

const (
	day      = 24 * time.Hour
	leadTime = 30 * day
)

func TestJudge(t *testing.T) {
	t.Run("by time", func(t *testing.T) {
		bundle := loadBundle(t) // valid from 2025-09-01 to 2027-09-01, its chain too
		name := bundle.String()
		from, end := bundle.Certificate.NotBefore, bundle.Certificate.NotAfter
		for moment, c := range map[string]struct {
			now  time.Time
			want []string
		}{
			"in the middle":             {testTime, nil},
			"at its first second":       {from, nil},
			"before it":                 {from.Add(-time.Second), []string{"stop certificate-not-yet-valid: " + name + " is not valid before 2025-09-01 12:00 UTC: wait until then, or check the clock"}},
			"just before the lead time": {end.Add(-leadTime - time.Second), nil},
			"within the lead time": {end.Add(-leadTime), []string{
				"warn certificate-expires-soon: " + name + " expires on 2027-09-01 12:00 UTC, within the lead time: provide a certificate that is valid for longer",
				"warn chain-expires-soon: the CA CN=Issuing CA in the chain of " + name + " expires on 2027-09-01 12:00 UTC, within the lead time: provide a certificate from a CA that is valid for longer",
			}},
			"after it": {end.Add(time.Second), []string{
				"stop certificate-expired: " + name + " expired on 2027-09-01 12:00 UTC: provide a new certificate",
				"stop chain-expired: the CA CN=Issuing CA in the chain of " + name + " expired on 2027-09-01 12:00 UTC: provide the certificate with a chain that is valid",
			}},
		} {
			t.Run(moment, func(t *testing.T) {
				if diff := cmp.Diff(c.want, judgeBundle(bundle, c.now)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})

	t.Run("by key and signature", func(t *testing.T) {
		ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			key    crypto.Signer
			change func(*x509.Certificate)
			want   string
		}{
			"suitable": {rsaKey(), nil, ""},
			"ECDSA":    {ec, nil, "stop certificate-key-not-rsa: the key of %s is ECDSA, but S2S tokens are signed with RSA: provide a certificate with an RSA key of at least 2048 bits"},
			"RSA below 2048": {
				shortKey(), nil,
				"stop certificate-key-too-short: the RSA key of %s has 1024 bits: provide a certificate with an RSA key of at least 2048 bits",
			},
			"no key usage at all": {rsaKey(), func(c *x509.Certificate) { c.KeyUsage = 0 }, ""},
			"key usage without signing": {
				rsaKey(), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment },
				"warn certificate-cannot-sign: the key usage of %s does not allow digital signatures: have it issued with the key usage digital signature",
			},
			"signed with SHA-1": {
				rsaKey(), func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA },
				"warn certificate-weak-signature: CN=OOS S2S is signed with SHA1-RSA, which can be forged: have it issued with SHA-256",
			},
		} {
			t.Run(name, func(t *testing.T) {
				root := issueCertificate(t, "Root CA", authorityKey(), nil, makeAuthority)
				leaf := issueCertificate(t, "OOS S2S", c.key, root, c.change)
				bundle, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, root), []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				if c.want != "" {
					want = []string{strings.ReplaceAll(c.want, "%s", bundle.String())}
				}
				if diff := cmp.Diff(want, judgeBundle(bundle, testTime)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})

	t.Run("a root's own signature does not matter", func(t *testing.T) {
		weakRoot := func(c *x509.Certificate) {
			makeAuthority(c)
			c.SignatureAlgorithm = x509.SHA1WithRSA
		}
		root := issueCertificate(t, "Root CA", authorityKey(), nil, weakRoot)
		middle := issueCertificate(t, "Issuing CA", authorityKey(), root, weakRoot)
		for name, c := range map[string]struct {
			chain []*testIdentity
			want  []string
		}{
			"a root": {[]*testIdentity{root}, nil},
			"below a root": {[]*testIdentity{middle, root}, []string{
				"warn certificate-weak-signature: CN=Issuing CA is signed with SHA1-RSA, which can be forged: have it issued with SHA-256",
			}},
		} {
			t.Run(name, func(t *testing.T) {
				leaf := issueCertificate(t, "OOS S2S", rsaKey(), c.chain[0], nil)
				bundle, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, c.chain...), []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, judgeBundle(bundle, testTime)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})
}

func TestSelfSigned(t *testing.T) {
	t.Run("a new certificate is suitable", func(t *testing.T) {
		bundle, err := cert.SelfSigned("OOS S2S", testTime, 90*day, 2048)
		if err != nil {
			t.Fatal(err)
		}
		if got := judgeBundle(bundle, testTime); got != nil {
			t.Errorf("judged %v", got)
		}
		c := bundle.Certificate
		want := farm.Certificate{
			Subject: "CN=OOS S2S", Issuer: "CN=OOS S2S", SelfSigned: true, NotBefore: testTime, NotAfter: testTime.Add(90 * day),
			Thumbprint: farm.ThumbprintOf(c.DER), DER: c.DER,
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})

	t.Run("incomplete requests are refused", func(t *testing.T) {
		for name, make := range map[string]func() (*cert.Bundle, error){
			"no subject":  func() (*cert.Bundle, error) { return cert.SelfSigned("", testTime, day, 2048) },
			"no validity": func() (*cert.Bundle, error) { return cert.SelfSigned("OOS", testTime, 0, 2048) },
			"no key":      func() (*cert.Bundle, error) { return cert.SelfSigned("OOS", testTime, day, 0) },
		} {
			t.Run(name, func(t *testing.T) {
				if bundle, err := make(); err == nil {
					t.Errorf("made %v", bundle)
				}
			})
		}
	})
}

// judgeBundle returns the findings as one line each.
func judgeBundle(b *cert.Bundle, now time.Time) (lines []string) {
	for _, f := range cert.Judge(b, now, farm.CertificatePolicy{LeadTime: leadTime}) {
		lines = append(lines, fmt.Sprintf("%s %s: %s: %s", f.Severity, f.Code, f.Text, f.Remedy))
	}
	return lines
}
