package testfarm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// KeyPair is a certificate with its key and its issuers.
type KeyPair struct {
	Cert  *x509.Certificate
	Key   crypto.Signer
	Chain []*x509.Certificate
}

// Thumbprint is the thumbprint of the certificate.
func (p KeyPair) Thumbprint() farm.Thumbprint { return farm.ThumbprintOf(p.Cert.Raw) }

var (
	serial atomic.Int64
	// Keys are expensive to make, and no rule is about whose key it is.
	rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

// NewPair makes a certificate: self-signed, or issued by an issuer.
func NewPair(t testing.TB, name string, issuer *KeyPair) KeyPair {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	return pairWith(t, name, issuer, key)
}

func pairWith(t testing.TB, name string, issuer *KeyPair, key crypto.Signer) KeyPair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"Contoso"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := template, key
	var chain []*x509.Certificate
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
		chain = append([]*x509.Certificate{issuer.Cert}, issuer.Chain...)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return KeyPair{Cert: made, Key: key, Chain: chain}
}

// NewECPair makes a certificate with an elliptic-curve key.
func NewECPair(t testing.TB, name string, issuer *KeyPair) KeyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pairWith(t, name, issuer, key)
}

// Password is the password of every PFX.
const Password = "correct horse"

// PFX is a PFX that every Windows reads, and that names no provider.
func (p KeyPair) PFX(t testing.TB) []byte {
	t.Helper()
	made, err := pkcs12.LegacyDES.Encode(p.Key, p.Cert, p.Chain, Password)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// NamedPFX is a PFX that names the provider that S2S needs.
func (p KeyPair) NamedPFX(t testing.TB) []byte {
	t.Helper()
	bundle, err := cert.Load(t.Context(), p.PFX(t), []byte(Password))
	if err != nil {
		t.Fatal(err)
	}
	made, err := bundle.Encode(14393, farm.KeyProvider, []byte(Password))
	if err != nil {
		t.Fatal(err)
	}
	return made
}
