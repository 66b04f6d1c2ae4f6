package farmsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// certificateAuthority is a throw-away certificate authority of two tiers. It issues the
// servers' WinRM certificates and the S2S certificates.
type certificateAuthority struct {
	root, issuing       *x509.Certificate
	rootKey, issuingKey *ecdsa.PrivateKey
	// serverKey is shared by all servers: they are one process.
	serverKey *ecdsa.PrivateKey
	serial    int64
}

const tenYears = 10 * 365 * 24 * time.Hour

func newCertificateAuthority(now time.Time) (*certificateAuthority, error) {
	a := &certificateAuthority{}
	for _, key := range []**ecdsa.PrivateKey{&a.rootKey, &a.issuingKey, &a.serverKey} {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a certificate authority: %w", err)
		}
		*key = made
	}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name, Organization: []string{"Contoso"}}, IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: now.Add(-oneYear), NotAfter: now.Add(tenYears),
		}
	}
	var err error
	root := template("Contoso Root CA")
	if a.root, err = a.signCertificate(root, root, a.rootKey.Public(), a.rootKey); err != nil {
		return nil, err
	}
	a.issuing, err = a.signCertificate(template("Contoso Issuing CA 1"), a.root, a.issuingKey.Public(), a.rootKey)
	return a, err
}

func (a *certificateAuthority) signCertificate(template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) (*x509.Certificate, error) {
	a.serial++
	template.SerialNumber = big.NewInt(a.serial)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", template.Subject, err)
	}
	return x509.ParseCertificate(der)
}

func (a *certificateAuthority) rootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// serverCertificate issues the certificate of a server's WinRM listener. It names the
// loopback address too, for clients that cannot connect elsewhere than to the
// name they verify.
func (a *certificateAuthority) serverCertificate(host string) (tls.Certificate, error) {
	cert, err := a.signCertificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: a.root.NotBefore, NotAfter: a.root.NotAfter,
	}, a.issuing, a.serverKey.Public(), a.issuingKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw, a.issuing.Raw}, PrivateKey: a.serverKey, Leaf: cert}, nil
}

// generation is one S2S certificate with its key.
type generation struct {
	cert  *x509.Certificate
	key   *rsa.PrivateKey
	chain []*x509.Certificate
}

// s2sKeys holds the key of each generation, by its number. The simulations of a
// process share them: making keys took a quarter of the time of some tests.
var s2sKeys sync.Map

func keyOfGeneration(number int) (*rsa.PrivateKey, error) {
	const bits = 2048
	key, _ := s2sKeys.LoadOrStore(number, sync.OnceValues(func() (*rsa.PrivateKey, error) {
		return rsa.GenerateKey(rand.Reader, bits)
	}))
	return key.(func() (*rsa.PrivateKey, error))()
}

// s2sSubject is the subject of every generation: a renewal keeps it.
const s2sSubject = "oos-s2s.contoso.com"

// issueS2S issues an S2S certificate.
func (a *certificateAuthority) issueS2S(number int, notBefore, notAfter time.Time, o Options) (generation, error) {
	key, err := keyOfGeneration(number)
	if err != nil {
		return generation{}, fmt.Errorf("make an S2S key: %w", err)
	}
	name := s2sSubject
	if o.DistinctSubjects {
		name = fmt.Sprintf("oos-s2s-%d.contoso.com", number)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: name, Organization: []string{"Contoso"}},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, NotBefore: notBefore, NotAfter: notAfter,
	}
	if o.SelfSigned {
		cert, err := a.signCertificate(template, template, key.Public(), key)
		return generation{cert: cert, key: key}, err
	}
	cert, err := a.signCertificate(template, a.issuing, key.Public(), a.issuingKey)
	return generation{cert: cert, key: key, chain: []*x509.Certificate{a.issuing, a.root}}, err
}

func (g generation) thumbprint() farm.Thumbprint { return farm.ThumbprintOf(g.cert.Raw) }

// pfx encodes a generation with algorithms of today, which Server 2016 cannot
// read: it must be encoded again for those.
func (g generation) pfx(password string) ([]byte, error) {
	return pkcs12.Modern2023.Encode(g.key, g.cert, g.chain, password)
}

// legacyPFX encodes it so that every Windows can read it.
func (g generation) legacyPFX(password string) ([]byte, error) {
	return pkcs12.LegacyDES.Encode(g.key, g.cert, g.chain, password)
}
