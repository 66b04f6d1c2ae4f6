package winrm

import (
	"crypto"
	_ "crypto/sha256" // for channel bindings
	_ "crypto/sha512" // for channel bindings
	"crypto/x509"
)

// channelBindings ties a proof to the TLS connection that the server's
// certificate protects: the type tls-server-end-point of RFC 5929. Servers with
// CbtHardeningLevel=Strict demand it.
func channelBindings(certificate *x509.Certificate) []byte {
	h := bindingHash(certificate.SignatureAlgorithm).New()
	h.Write(certificate.Raw)
	return h.Sum([]byte("tls-server-end-point:"))
}

// bindingHash is the hash of the certificate's own signature, but SHA-256 in
// place of MD5 and SHA-1 (RFC 5929, 4.1). The RFC defines none for signatures
// without a hash of their own; SHA-256 is used then, because an unbound proof
// could be relayed to another server.
func bindingHash(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}
