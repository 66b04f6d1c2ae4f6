package preflight

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxCAs is the largest file of CAs that is read, in bytes; the list of all public ones
// has a quarter of that.
const maxCAs = 1 << 20

// readAllCertificates returns what it has read if that is nothing but certificates.
func readAllCertificates(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxCAs+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case len(content) > maxCAs:
		return nil, errors.New("is larger than 1 MiB")
	}
	found := false
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("holds a %s", strings.ToLower(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("holds a damaged certificate: %w", err)
		}
		found = true
	}
	if !found {
		return nil, errors.New("holds no PEM certificate")
	}
	return content, nil
}
