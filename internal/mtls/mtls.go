// Package mtls makes the certificates by which the parts of one Temporal server and
// its clients know each other.
//
// It keeps no certification authority: the key that signs them is gone when they are
// made, so that nobody can make another. To replace one is to replace them all.
package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Validity is how long the certificates count. It only has to outlast the server that
// they were made for; what ends their use is that they are made again.
const Validity = 10 * 365 * 24 * time.Hour

// backdate makes up for clocks that are slow.
const backdate = time.Hour

// Pair is a certificate and its private key, each in PEM.
type Pair struct{ Certificate, Key []byte }

// String keeps the key out of logs and errors.
func (Pair) String() string { return "[redacted]" }

// GoString keeps the key out of %#v.
func (p Pair) GoString() string { return p.String() }

// Set is what one server and its clients need.
type Set struct {
	// Authority is the certificate, in PEM, that all of them trust.
	Authority []byte
	// Server is for every service of the server, which are clients of each other too.
	Server Pair
	// Clients are for those who use the server, by their names.
	Clients map[string]Pair
}

// New makes a set for a server that is reached under these DNS names and addresses,
// and for these clients, whose names are the subjects of their certificates.
func New(server []string, clients ...string) (Set, error) {
	authority, err := newAuthority(time.Now())
	if err != nil {
		return Set{}, fmt.Errorf("make a certification authority: %w", err)
	}
	s := Set{Authority: authority.pem, Clients: map[string]Pair{}}
	if s.Server, err = authority.issue("temporal", server, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth); err != nil {
		return Set{}, fmt.Errorf("make the server's certificate: %w", err)
	}
	for _, name := range clients {
		if s.Clients[name], err = authority.issue(name, nil, x509.ExtKeyUsageClientAuth); err != nil {
			return Set{}, fmt.Errorf("make the certificate of %s: %w", name, err)
		}
	}
	return s, nil
}

// authority signs certificates, as long as it is in memory.
type authority struct {
	certificate *x509.Certificate
	pem         []byte
	key         *ecdsa.PrivateKey
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := newTemplate("farmtrust: this Temporal server", now)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.MaxPathLenZero, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate: certificate, pem: encode("CERTIFICATE", der), key: key}, err
}

// newTemplate returns what all certificates have in common.
func newTemplate(subject string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: subject},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(Validity), BasicConstraintsValid: true,
	}, err
}

// issue makes a certificate for names, each of which is a DNS name or an IP address.
func (a *authority) issue(subject string, names []string, usages ...x509.ExtKeyUsage) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template, err := newTemplate(subject, a.certificate.NotBefore.Add(backdate))
	if err != nil {
		return Pair{}, err
	}
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, usages
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return Pair{Certificate: encode("CERTIFICATE", der), Key: encode("PRIVATE KEY", pkcs8)}, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ServerTLS returns the settings of a service that accepts those who have a
// certificate of the set, and nobody else.
func (s Set) ServerTLS() (*tls.Config, error) {
	c, err := s.config(s.Server)
	if err != nil {
		return nil, err
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, c.RootCAs
	return c, nil
}

// ClientTLS returns the settings of a client with this certificate, for a server that
// is reached under a name that the set was made for.
func (s Set) ClientTLS(own Pair, server string) (*tls.Config, error) {
	c, err := s.config(own)
	if err != nil {
		return nil, err
	}
	c.ServerName = server
	return c, nil
}

// config has what both sides need. gRPC asks for HTTP/2 by its name.
func (s Set) config(own Pair) (*tls.Config, error) {
	certificate, err := tls.X509KeyPair(own.Certificate, own.Key)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.Authority)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: trusted,
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
	}, nil
}
