package intake

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/config"
)

// proveCertificate proves by a TLS client certificate of a CA that has one of the names.
// That the sender has its key was proven by the handshake.
func proveCertificate(c config.CertificateProof, now func() time.Time) (func(*http.Request) error, error) {
	roots := &recent[*x509.CertPool]{now: now, read: func() (*x509.CertPool, error) { return readPool(c.CA) }}
	if _, err := roots.get(); err != nil {
		return nil, fmt.Errorf("clientCertificate.ca: %w", err)
	}
	return func(r *http.Request) error {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			return refused("no client certificate: connect with one")
		}
		pool, err := roots.get()
		if err != nil {
			return err
		}
		return verifyClient(r.TLS.PeerCertificates, x509.VerifyOptions{
			Roots: pool, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, c.Names)
	}, nil
}

func readPool(path string) (*x509.CertPool, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	return pool, nil
}

func verifyClient(chain []*x509.Certificate, options x509.VerifyOptions, names []string) error {
	own := chain[0]
	options.Intermediates = x509.NewCertPool()
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := own.Verify(options); err != nil {
		return refused("the client certificate does not count: %v", err)
	}
	isNamed := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	if !slices.ContainsFunc(own.DNSNames, isNamed) && !isNamed(own.Subject.CommonName) {
		return refused("the client certificate of %.100q may not send here: list its name under clientCertificate.names", own.Subject.CommonName)
	}
	return nil
}
