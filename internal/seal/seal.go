// Package seal proves that a worker wrote what comes back to it: a message
// authentication code, by a key that only workers hold.
//
// It hides nothing, and does not know what it seals, nor whether that still holds: who
// checks a seal says what it must be of.
package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// The errors of [Sealer.Check], which wraps them.
var (
	// ErrMissing means that there is no seal.
	ErrMissing = errors.New("it is not sealed")
	// ErrUnknownKey means that it was sealed with a key that is not in the ring.
	ErrUnknownKey = errors.New("it is sealed with a key that this worker does not have")
	// ErrAltered means that it is not what was sealed.
	ErrAltered = errors.New("it is not what a worker sealed")
)

// Sealer seals with the first key of a ring, and checks with all of them. It may be used
// concurrently.
type Sealer struct{ ring *keyring.Ring }

// New returns what seals with a key ring.
func New(ring *keyring.Ring) *Sealer { return &Sealer{ring} }

// Seal returns the seal of a content, "KEY:BASE64". What is sealed for one purpose does
// not count for another.
func (s *Sealer) Seal(purpose string, content []byte) string {
	key := s.ring.First()
	return key.ID + ":" + base64.RawStdEncoding.EncodeToString(authenticate(key, purpose, content))
}

// Check reports with an error that a seal is not of this content and purpose: it wraps
// [ErrMissing], [ErrUnknownKey] or [ErrAltered].
func (s *Sealer) Check(purpose string, content []byte, seal string) error {
	if seal == "" {
		return ErrMissing
	}
	id, encoded, _ := strings.Cut(seal, ":")
	key, ok := s.ring.Find(id)
	if !ok {
		return fmt.Errorf("%w (%.40q)", ErrUnknownKey, id)
	}
	code, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	if err != nil || !hmac.Equal(code, authenticate(key, purpose, content)) {
		return ErrAltered
	}
	return nil
}

// SealValue seals a value, as JSON.
func SealValue[T any](s *Sealer, purpose string, v T) (string, error) {
	content, err := encode(v)
	if err != nil {
		return "", err
	}
	return s.Seal(purpose, content), nil
}

// CheckValue checks the seal that [SealValue] made of a value, as [Sealer.Check] does.
func CheckValue[T any](s *Sealer, purpose string, v T, seal string) error {
	content, err := encode(v)
	if err != nil {
		return err
	}
	return s.Check(purpose, content, seal)
}

// encode writes a value as JSON. It does so twice, with a decoding in between, as what
// passes through Temporal is: bytes that are no text change on the way, once.
func encode[T any](v T) ([]byte, error) {
	first, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode what is sealed: %w", err)
	}
	var decoded T
	if err := json.Unmarshal(first, &decoded); err != nil {
		return nil, fmt.Errorf("decode what is sealed: %w", err)
	}
	return json.Marshal(decoded)
}

// authenticate returns the code of a content. The length of the purpose comes before it,
// so that no content makes one purpose look like another.
func authenticate(key keyring.Key, purpose string, content []byte) []byte {
	secret := key.Derive("farmtrust seal")
	mac := hmac.New(sha256.New, secret[:])
	fmt.Fprintf(mac, "%d:%s:", len(purpose), purpose) //nolint:errcheck // a hash takes everything
	mac.Write(content)
	return mac.Sum(nil)
}
