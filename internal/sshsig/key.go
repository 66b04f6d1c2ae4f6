// Package sshsig verifies the signatures that OpenSSH makes of texts, as "ssh-keygen -Y
// sign" does with a key in a file, in an agent or on a security key.
//
// It makes none, and knows no certificates of SSH: a key is listed, or it counts for
// nothing. The format is that of OpenSSH's PROTOCOL.sshsig.
package sshsig

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// minRSABits is the size that NIST SP 800-57, Part 1, gives 128 bits of security.
const minRSABits = 3072

// algorithms are those of the keys that are taken. DSA is broken, and certificates would
// bring a CA's decisions in.
var algorithms = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSA,
}

// Key is somebody's public key. The zero Key has signed nothing.
type Key struct{ public ssh.PublicKey }

// ParseKey reads a key as a line of a .pub file has it; a comment is ignored. It refuses
// what does not prove who signed: RSA keys of less than 3072 bits, DSA, and options as an
// authorized_keys file has them, which would mean nothing here.
func ParseKey(line string) (Key, error) {
	public, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil && strings.Contains(line, "PRIVATE KEY"):
		return Key{}, errors.New("it is a private key, which must not be here")
	case err != nil || len(strings.TrimSpace(string(rest))) > 0:
		return Key{}, errors.New("it is not one line of a public key file, which begins as ssh-ed25519 AAAA does")
	case len(options) > 0:
		return Key{}, errors.New("it has options, which mean nothing here")
	case !slices.Contains(algorithms, public.Type()):
		return Key{}, fmt.Errorf("keys of type %s are not taken: use ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256 or ssh-rsa", public.Type())
	}
	if held, ok := public.(ssh.CryptoPublicKey); ok {
		if key, isRSA := held.CryptoPublicKey().(*rsa.PublicKey); isRSA && key.N.BitLen() < minRSABits {
			return Key{}, fmt.Errorf("an RSA key of %d bits is too weak: it must have %d", key.N.BitLen(), minRSABits)
		}
	}
	return Key{public}, nil
}

// Fingerprint is how OpenSSH names the key: "SHA256:" and 43 characters.
func (k Key) Fingerprint() string { return ssh.FingerprintSHA256(k.public) }

// String is the key as a .pub file has it, without a comment.
func (k Key) String() string {
	if k.public == nil {
		return ""
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.public)))
}

// MarshalText implements encoding.TextMarshaler: a configuration that has another key is
// another one.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Equal reports whether two keys are the same.
func (k Key) Equal(other Key) bool { return k.String() == other.String() }
