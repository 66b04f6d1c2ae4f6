package sshsig

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

const (
	// MaxSize is the largest signature that is read, in bytes. One by an RSA key of 16384
	// bits, the largest that OpenSSH makes, has 6 KB.
	MaxSize = 16 << 10

	magic   = "SSHSIG"
	version = 1
	armor   = "SSH SIGNATURE"
)

// ErrInvalid is the error for what is no signature, and ErrForged for one that its own key
// did not make of this text in this namespace.
var (
	ErrInvalid = errors.New("not a signature by ssh-keygen -Y sign")
	ErrForged  = errors.New("the signature is not of this text")
)

// blob is what the armor holds, after its magic.
type blob struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// signed is what the signature is of, after its magic.
type signed struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// Verify returns the key that has signed a text in a namespace. Whose key that is, the
// caller knows: anybody can sign anything with a key of their own. Its errors wrap
// [ErrInvalid] or [ErrForged].
func Verify(text []byte, namespace, signature string) (Key, error) {
	b, err := decode(signature)
	if err != nil {
		return Key{}, err
	}
	public, err := ssh.ParsePublicKey(b.PublicKey)
	if err != nil {
		return Key{}, fmt.Errorf("%w: its key cannot be read", ErrInvalid)
	}
	// Read once more, so that what is refused in a list is refused here.
	key, err := ParseKey(string(ssh.MarshalAuthorizedKey(public)))
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	digest, err := hash(b.Hash, text)
	if err != nil {
		return Key{}, err
	}
	if b.Namespace != namespace {
		return Key{}, fmt.Errorf("%w: it was made for %.40q: sign with -n %s", ErrForged, b.Namespace, namespace)
	}
	var made ssh.Signature
	if err := ssh.Unmarshal(b.Signature, &made); err != nil {
		return Key{}, fmt.Errorf("%w: its inner part cannot be read", ErrInvalid)
	}
	if made.Format == ssh.KeyAlgoRSA { // with SHA-1, which PROTOCOL.sshsig forbids
		return Key{}, fmt.Errorf("%w: it was made with SHA-1", ErrInvalid)
	}
	content := append([]byte(magic), ssh.Marshal(signed{Namespace: b.Namespace, Reserved: b.Reserved, Hash: b.Hash, Digest: digest})...)
	if err := public.Verify(content, &made); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return key, nil
}

// decode reads what the armor holds.
func decode(signature string) (blob, error) {
	if len(signature) > MaxSize {
		return blob{}, fmt.Errorf("%w: it has more than %d bytes", ErrInvalid, MaxSize)
	}
	block, rest := pem.Decode([]byte(signature))
	if block == nil || block.Type != armor || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return blob{}, fmt.Errorf("%w: it must be all of what that writes", ErrInvalid)
	}
	content, found := bytes.CutPrefix(block.Bytes, []byte(magic))
	var b blob
	if err := ssh.Unmarshal(content, &b); !found || err != nil {
		return blob{}, fmt.Errorf("%w: its content cannot be read", ErrInvalid)
	}
	if b.Version != version {
		return blob{}, fmt.Errorf("%w: version %d is not known", ErrInvalid, b.Version)
	}
	return b, nil
}

// hash returns the digest of a text. OpenSSH makes these two.
func hash(algorithm string, text []byte) ([]byte, error) {
	switch algorithm {
	case "sha512":
		sum := sha512.Sum512(text)
		return sum[:], nil
	case "sha256":
		sum := sha256.Sum256(text)
		return sum[:], nil
	}
	return nil, fmt.Errorf("%w: the hash %.20q is not known", ErrInvalid, algorithm)
}
