package cert

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
)

// chainOf finds the issuers of leaf up to a self-signed root, nearest first. If no
// root is reached, ok is false and chain goes as far as it can.
func chainOf(leaf *x509.Certificate, candidates []*x509.Certificate) (chain []*x509.Certificate, ok bool) {
	if isSelfSigned(leaf) {
		return nil, true
	}
	return climbToRoot(leaf, slices.Clone(candidates))
}

// climbToRoot tries each issuer of c, self-signed ones first: a root ends the chain
// even if it is among the candidates cross-signed as well. A candidate that leads
// to no root is removed, so that each is tried once.
func climbToRoot(c *x509.Certificate, candidates []*x509.Certificate) (longest []*x509.Certificate, complete bool) {
	issuers := slices.DeleteFunc(slices.Clone(candidates), func(i *x509.Certificate) bool { return i == nil || !hasSigned(i, c) })
	slices.SortStableFunc(issuers, func(a, b *x509.Certificate) int { return issuerRank(a) - issuerRank(b) })
	for _, issuer := range issuers {
		if isSelfSigned(issuer) {
			return []*x509.Certificate{issuer}, true
		}
		at := slices.Index(candidates, issuer)
		if at < 0 {
			continue
		}
		candidates[at] = nil
		above, complete := climbToRoot(issuer, candidates)
		path := append([]*x509.Certificate{issuer}, above...)
		if complete {
			return path, true
		}
		if len(path) > len(longest) {
			longest = path
		}
	}
	return longest, false
}

func issuerRank(c *x509.Certificate) int {
	if isSelfSigned(c) {
		return 0
	}
	return 1
}

// hasSigned reports whether issuer signed c. Go no longer verifies signatures with
// MD5: then the names decide, and [Judge] warns about the algorithm.
func hasSigned(issuer, c *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, c.RawIssuer) || (issuer.BasicConstraintsValid && !issuer.IsCA) {
		return false
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}

// isSelfSigned reports whether c signed itself. It need not be a CA: the
// self-signed certificates that Windows makes are not.
func isSelfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}

func containsCertificate(chain []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(chain, func(other *x509.Certificate) bool { return other.Equal(c) })
}
