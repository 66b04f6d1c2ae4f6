package cert_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// testTime is the time of all tests, in the middle of the certificates' validity.
var testTime = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// password opens all PFX files of the tests.
const password = "opensesame"

// testIdentity is a certificate with its key.
type testIdentity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// rsaKey makes keys once: making them is slow.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

// authorityKey is the key of all CAs.
var authorityKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

// shortKey is too short for a farm.
var shortKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(1024) })

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// issueCertificate makes a certificate; without an issuer it is self-signed. The change
// may alter what is issued.
func issueCertificate(t testing.TB, name string, key crypto.Signer, issuer *testIdentity, change func(*x509.Certificate)) *testIdentity {
	t.Helper()
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: testTime.AddDate(-1, 0, 0), NotAfter: testTime.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &testIdentity{made, key}
}

// makeAuthority lets a certificate issue others.
func makeAuthority(c *x509.Certificate) {
	c.IsCA = true
	c.KeyUsage = x509.KeyUsageCertSign
}

// issueChain makes a certificate, the CA that issued it, and the root above.
func issueChain(t testing.TB, change func(*x509.Certificate)) (leaf, middle, root *testIdentity) {
	t.Helper()
	root = issueCertificate(t, "Root CA", authorityKey(), nil, makeAuthority)
	middle = issueCertificate(t, "Issuing CA", authorityKey(), root, makeAuthority)
	return issueCertificate(t, "OOS S2S", rsaKey(), middle, change), middle, root
}

// encodePFX encodes certificates in that order, with the key.
func encodePFX(t testing.TB, key crypto.Signer, first *testIdentity, others ...*testIdentity) []byte {
	t.Helper()
	var rest []*x509.Certificate
	for _, other := range others {
		rest = append(rest, other.cert)
	}
	der, err := pkcs12.Modern2023.Encode(key, first.cert, rest, password)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
