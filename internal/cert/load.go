package cert

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// The reasons why a PFX is unusable. Each needs an operator: reading it again gives
// the same result.
var (
	// ErrUnreadable: not a PFX, damaged, or with unusual algorithms.
	ErrUnreadable = errors.New("unreadable PFX")
	// ErrPassword: the password does not open it.
	ErrPassword = errors.New("wrong password for the PFX")
	// ErrNoKey: it holds no private key, or no certificate for the key.
	ErrNoKey = errors.New("no private key for a certificate of the PFX")
	// ErrNoChain: it does not hold every issuer up to a self-signed root.
	ErrNoChain = errors.New("incomplete chain in the PFX")
	// ErrManyLeaves: it holds several certificates that are not CAs.
	ErrManyLeaves = errors.New("more than one certificate in the PFX")
)

// Load reads a certificate with its key and complete chain from a PFX. Its error
// wraps one of the errors above and names the remedy, or is that of ctx, which ends it
// before the work that opens the PFX: at most [maxIterations] for each of its parts.
func Load(ctx context.Context, pfx, password []byte) (*Bundle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A PFX holds passwords as 16-bit characters.
	if bytes.ContainsFunc(password, func(r rune) bool { return r > 0xffff }) {
		return nil, fmt.Errorf("%w: it holds characters that such a password cannot have: correct the password that the configuration names", ErrPassword)
	}
	keys, err := countKeys(pfx)
	if err != nil {
		return nil, unreadableError(err)
	}
	ordered, err := putKeyFirst(pfx, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, fmt.Errorf("%w: correct the password that the configuration names", ErrPassword)
	case err != nil:
		return nil, unreadableError(err)
	case keys == 0:
		return nil, fmt.Errorf("%w: export it again with its private key", ErrNoKey)
	case keys > 1:
		return nil, fmt.Errorf("%w: it holds %d private keys: export one certificate to one file", ErrManyLeaves, keys)
	}
	private, first, others, err := pkcs12.DecodeChain(ordered, string(password))
	if err != nil {
		return nil, unreadableError(err)
	}
	key, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: the key cannot sign: use an RSA key", ErrNoKey)
	}
	return assembleBundle(key, append([]*x509.Certificate{first}, others...))
}

func unreadableError(cause error) error {
	return fmt.Errorf("%w: %w: export it again with its key and its chain", ErrUnreadable, cause)
}

// assembleBundle finds the key's certificate and its chain among all. It does not
// guess when there are several candidates.
func assembleBundle(key crypto.Signer, all []*x509.Certificate) (*Bundle, error) {
	var leaf *x509.Certificate
	rest := all[:0:0]
	for _, c := range all {
		switch {
		case !isKeyOf(key, c):
			rest = append(rest, c)
		case leaf == nil:
			leaf = c
		case !bytes.Equal(leaf.Raw, c.Raw):
			return nil, manyLeaves(leaf, c)
		}
	}
	if leaf == nil {
		return nil, fmt.Errorf("%w: the key belongs to none of %s: export the certificate with its own key", ErrNoKey, joinSubjects(all))
	}
	chain, ok := chainOf(leaf, rest)
	if !ok {
		last := leaf
		if len(chain) > 0 {
			last = chain[len(chain)-1]
		}
		return nil, fmt.Errorf("%w: the issuer %s is missing: export it again with all certificates of the chain",
			ErrNoChain, distinguishedName(last.RawIssuer))
	}
	for _, c := range rest {
		if !c.IsCA && !containsCertificate(chain, c) {
			return nil, manyLeaves(leaf, c)
		}
	}
	return newBundle(leaf, chain, key), nil
}

func manyLeaves(a, b *x509.Certificate) error {
	return fmt.Errorf("%w: %s: export one certificate to one file", ErrManyLeaves, joinSubjects([]*x509.Certificate{a, b}))
}

func isKeyOf(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

func joinSubjects(all []*x509.Certificate) string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = distinguishedName(c.RawSubject)
	}
	return strings.Join(names, " and ")
}
