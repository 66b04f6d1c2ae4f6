package cert

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"
)

// SelfSigned makes a self-signed certificate with a new RSA key of that many
// bits. The subject is the common name alone; the validity begins at notBefore.
func SelfSigned(subject string, notBefore time.Time, validFor time.Duration, bits int) (*Bundle, error) {
	if subject == "" || validFor <= 0 {
		return nil, errors.New("make self-signed certificate: it needs a subject and a validity")
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make key of %d bits: %w", bits, err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: subject},
		NotBefore: notBefore.UTC().Truncate(time.Second),
		NotAfter:  notBefore.Add(validFor).UTC().Truncate(time.Second),
		KeyUsage:  x509.KeyUsageDigitalSignature,
		// Not a CA: to trust it as a root is to trust nothing else.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make self-signed certificate %q: %w", subject, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back self-signed certificate %q: %w", subject, err)
	}
	return newBundle(leaf, nil, key), nil
}
