package intake

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// secrets are those that count at the same time.
type secrets struct{ *recent[[]secret.Value] }

func newSecrets(refs []secret.Ref, now func() time.Time) secrets {
	return secrets{&recent[[]secret.Value]{now: now, read: func() ([]secret.Value, error) { return resolveProofs(refs) }}}
}

// resolveProofs reads the secrets of a source. With an error it returns those that could
// be read.
func resolveProofs(refs []secret.Ref) (all []secret.Value, err error) {
	for _, ref := range refs {
		v, readErr := ref.ResolveProof()
		if readErr != nil {
			err = errors.Join(err, readErr)
			continue
		}
		all = append(all, v)
	}
	return all, err
}

// find reports whether a secret serves. A secret that cannot be read is an error only
// where none of the others serves, which may be because it is that one.
func (s secrets) find(serves func(secret []byte) bool) (bool, error) {
	all, err := s.get()
	found := false
	for _, v := range all {
		found = serves(v.Bytes()) || found
	}
	if found {
		return true, nil
	}
	return false, err
}

// match reports whether a text is one of the secrets.
func (s secrets) match(given string) (bool, error) {
	return s.find(func(secret []byte) bool { return sameText([]byte(given), secret) })
}

// sameText compares in a time that tells nothing, not even the length.
func sameText(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
