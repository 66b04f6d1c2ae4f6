package cert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Identify returns what tells a certificate from others, from its DER form. The
// certificate need not be one that is trusted: a server shows it.
func Identify(der []byte) (farm.CertificateIdentity, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return farm.CertificateIdentity{}, fmt.Errorf("read a certificate's identity: %w", err)
	}
	sum := sha256.Sum256(der)
	return farm.CertificateIdentity{
		Thumbprint: farm.ThumbprintOf(der), SHA256: strings.ToUpper(hex.EncodeToString(sum[:])),
		Serial: farm.FormatSerial(c.SerialNumber), Subject: distinguishedName(c.RawSubject),
		Names: append([]string{c.Subject.CommonName}, c.DNSNames...), NotAfter: c.NotAfter.UTC(),
	}.Bounded(), nil
}
