package powershell_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

const pfxPassword = "p\u00e4ss\u2019word\"$(1)"

var (
	notBefore = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC)
)

// testCertificate is a self-signed certificate with its key. The PFX names the
// provider that Office Online Server needs.
type testCertificate struct {
	der, pfx   []byte
	thumbprint string
	subject    string
}

func newCertificate(t *testing.T, name string) testCertificate {
	t.Helper()
	return newCertificateFor(t, name, farm.KeyProvider)
}

// newCertificateFor makes one whose PFX names a provider.
func newCertificateFor(t *testing.T, name, provider string, hosts ...string) testCertificate {
	t.Helper()
	c := newCertificateIn(t, name, pkcs12.Modern, pfxPassword, hosts...)
	bundle, err := cert.Load(t.Context(), c.pfx, []byte(pfxPassword))
	if err != nil {
		t.Fatal(err)
	}
	if c.pfx, err = bundle.Encode(build2019, provider, []byte(pfxPassword)); err != nil {
		t.Fatal(err)
	}
	return c
}

// newCertificateIn makes one whose PFX names no provider.
func newCertificateIn(t *testing.T, name string, encoder *pkcs12.Encoder, password string, hosts ...string) testCertificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: notBefore, NotAfter: notAfter,
		DNSNames: hosts,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := encoder.Encode(key, parsed, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return testCertificate{der: der, pfx: pfx, thumbprint: string(farm.ThumbprintOf(der)), subject: "CN=" + name}
}

// withKey is the certificate in a store with its key.
func (c testCertificate) withKey(friendlyName string) storeEntry {
	return storeEntry{certificate: c, friendlyName: friendlyName, hasKey: true}
}

// withoutKey is the certificate in a store without its key.
func (c testCertificate) withoutKey(friendlyName string) storeEntry {
	return storeEntry{certificate: c, friendlyName: friendlyName}
}

// newPrivateForms returns a key in both of its forms, and the beginning of a
// PKCS #7 message that is as long as a certificate.
func newPrivateForms(t *testing.T) (pkcs8, pkcs1, pkcs7 []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	content := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}, make([]byte, 489)...)
	return pkcs8, x509.MarshalPKCS1PrivateKey(key), append([]byte{0x30, 0x82, 0x01, 0xf4}, content...)
}

func b64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
