package cert_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestJudge_Policy(t *testing.T) {
	root := issueCertificate(t, "Root CA", authorityKey(), nil, makeAuthority)
	sum := sha256.Sum256(root.cert.Raw)
	fingerprint := hex.EncodeToString(sum[:])
	// The same name, of somebody else's CA.
	impostor := issueCertificate(t, "Root CA", shortKey(), nil, makeAuthority)
	usages := func(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
	}
	for name, c := range map[string]struct {
		issuer *testIdentity
		change func(*x509.Certificate)
		expect farm.Expectation
		// want are the findings, each by its severity, its code and a part of its text.
		want []string
	}{
		"nothing special":                 {issuer: root},
		"a self-signed CA":                {change: makeAuthority, want: []string{"stop certificate-is-ca: the certificate of a CA"}},
		"a self-signed one that is no CA": {},
		"self-signed, and may issue by its key usage": {
			change: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign },
			want:   []string{"stop certificate-is-ca: the certificate of a CA"},
		},
		"an issuing CA": {
			issuer: root, change: func(c *x509.Certificate) { makeAuthority(c); c.KeyUsage |= x509.KeyUsageDigitalSignature },
			want: []string{"stop certificate-is-ca: the certificate of a CA"},
		},
		"TLS and code signing": {
			issuer: root, change: usages(x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning),
			want: []string{"warn certificate-other-use: may be used for serverAuth and codeSigning as well"},
		},
		"TLS that is expected": {
			issuer: root, change: usages(x509.ExtKeyUsageServerAuth), expect: farm.Expectation{ExtendedKeyUsage: []string{"1.3.6.1.5.5.7.3.1"}},
		},
		"client authentication alone": {issuer: root, change: usages(x509.ExtKeyUsageClientAuth)},
		"a wildcard": {
			issuer: root, change: func(c *x509.Certificate) { c.DNSNames = []string{"www.contoso.com", "*.contoso.com"} },
			want: []string{"warn certificate-wildcard: is for *.contoso.com"},
		},
		"the expected issuer, by fingerprint": {issuer: root, expect: farm.Expectation{Issuer: strings.ToUpper(fingerprint)}},
		"the expected issuer, by thumbprint":  {issuer: root, expect: farm.Expectation{Issuer: string(farm.ThumbprintOf(root.cert.Raw))}},
		"the expected issuer, by name":        {issuer: root, expect: farm.Expectation{Issuer: "CN=Root CA"}},
		"another CA of the same name": {
			issuer: impostor, expect: farm.Expectation{Issuer: fingerprint},
			want: []string{"stop certificate-unexpected: is issued by CN=Root CA, not by " + fingerprint},
		},
		"no CA at all": {
			expect: farm.Expectation{Issuer: fingerprint},
			want:   []string{"stop certificate-unexpected: is issued by CN=OOS S2S, not by " + fingerprint},
		},
		"the expected subject": {issuer: root, expect: farm.Expectation{Subject: "CN=OOS *"}},
		"another subject": {
			issuer: root, expect: farm.Expectation{Subject: "CN=Other *"},
			want: []string{"stop certificate-unexpected: is not for the subject CN=Other *"},
		},
		"a subject with more parts": {
			issuer: root, change: func(c *x509.Certificate) { c.Subject.Organization = []string{"Somebody"} }, expect: farm.Expectation{Subject: "CN=OOS *"},
			want: []string{"stop certificate-unexpected: is not for the subject CN=OOS *"},
		},
		"the expected usages": {
			issuer: root, change: usages(x509.ExtKeyUsageClientAuth),
			expect: farm.Expectation{KeyUsage: []string{"digitalSignature"}, ExtendedKeyUsage: []string{"clientAuth"}},
		},
		"more usages than expected": {
			issuer: root,
			change: func(c *x509.Certificate) {
				c.KeyUsage |= x509.KeyUsageDataEncipherment
				c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}}
			},
			expect: farm.Expectation{KeyUsage: []string{"digitalSignature"}, ExtendedKeyUsage: []string{"clientAuth"}},
			want: []string{"stop certificate-unexpected: has the key usage digitalSignature, dataEncipherment, not digitalSignature; " +
				"it has the extended key usage 1.2.3, not clientAuth"},
		},
		"no usages at all": {
			issuer: root, expect: farm.Expectation{ExtendedKeyUsage: []string{"clientAuth"}},
			want: []string{"stop certificate-unexpected: has the extended key usage none, not clientAuth"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := issueCertificate(t, "OOS S2S", rsaKey(), c.issuer, c.change)
			var chain []*testIdentity
			if c.issuer != nil {
				chain = append(chain, c.issuer)
			}
			bundle, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, chain...), []byte(password))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range cert.Judge(bundle, testTime, farm.CertificatePolicy{LeadTime: leadTime, Expect: c.expect}) {
				text := strings.TrimPrefix(f.Text, bundle.String()+" ")
				if f.Code == cert.CodeCannotSign {
					continue // it is about something else
				}
				got = append(got, string(f.Severity)+" "+f.Code+": "+text)
			}
			if diff := cmp.Diff(len(c.want), len(got)); diff != "" {
				t.Fatalf("got %q; want %q", got, c.want)
			}
			for i, want := range c.want {
				severity, text, _ := strings.Cut(want, ": ")
				if !strings.HasPrefix(got[i], severity+": ") || !strings.Contains(got[i], text) {
					t.Errorf("got\n%s\nwant\n%s", got[i], want)
				}
			}
		})
	}
}
