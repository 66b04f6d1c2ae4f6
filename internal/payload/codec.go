// Package payload encrypts what Temporal stores: inputs, results, signals, updates,
// queries, and the texts of failures.
//
// It does not hide what Temporal itself needs, such as workflow IDs, types and search
// attributes, and it does not say that a payload stands where it was written: anybody who can
// write to Temporal can put an old payload in another place.
package payload

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/farmtrust/farmtrust/internal/keyring"
)

// The metadata of an encrypted payload. Temporal's UI and its samples know the same
// encoding.
//
// Source: temporalio/samples-go, encryption/data_converter.go.
const (
	encodingEncrypted = "binary/encrypted"
	metadataKeyID     = "encryption-key-id"
)

// maxSize is the largest payload that is decrypted, in bytes, once it is decompressed.
// Temporal takes 2 MiB, which hold less than a tenth of this in real payloads.
const maxSize = 32 << 20

// How the plaintext of an encrypted payload goes on after its first byte.
const (
	asIs     = 0
	deflated = 1
)

// purpose separates the keys for payloads from all others of a ring, and this format
// from later ones.
const purpose = "farmtrust payload 1"

// Options say how payloads are written and read.
type Options struct {
	// Keys encrypt and decrypt. Without them payloads are written in clear, and encrypted
	// ones cannot be read.
	Keys *keyring.Ring
	// AcceptClear also reads payloads in clear although there are keys: for the time in
	// which workflows run that began without.
	AcceptClear bool
}

// Errors that callers may test for.
var (
	// ErrClear means that a payload is not encrypted although it must be.
	ErrClear = errors.New("the payload is not encrypted, and is refused: anybody who reaches Temporal can write one. " +
		"While workflows run that began without encryption, workers need -accept-clear-payloads")
	// ErrNoKeys means that a payload is encrypted and no keys are configured.
	ErrNoKeys = errors.New("no key ring for payloads is configured: name it with keys.payloads in a worker's configuration, elsewhere with FARMTRUST_PAYLOAD_KEYS=FILE")
	// ErrUnknownKey means that a key ring lacks the key of a payload.
	ErrUnknownKey = errors.New("the key ring does not hold it: bring the newest key ring here (farmtrust keys list FILE); nothing is lost meanwhile")
	// ErrAltered means that a payload was not encrypted with the key that it names, or
	// was changed since.
	ErrAltered = errors.New("the payload was altered, or not encrypted with the key that it names")
)

// KeyError is a payload that cannot be decrypted.
type KeyError struct {
	// KeyID names the key that the payload says it is encrypted with.
	KeyID string
	Err   error
}

// Error names the key and the remedy. The ID is quoted: anybody may have written it.
func (e *KeyError) Error() string {
	return fmt.Sprintf("decrypt a payload (key %.80q): %v", e.KeyID, e.Err)
}

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// codec encrypts payloads with AES-256-GCM and a random nonce of 96 bits, which stands in
// front. The ID of the key is authenticated with them. A payload is compressed first:
// encrypted ones do not shrink, and Temporal's limits count encrypted bytes.
type codec struct{ Options }

// NewCodec returns what encrypts and decrypts payloads.
func NewCodec(o Options) converter.PayloadCodec { return codec{o} }

// Encode implements [converter.PayloadCodec].
func (c codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if c.Keys == nil {
		return payloads, nil
	}
	encrypted := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if encrypted[i], err = encrypt(c.Keys.First(), p); err != nil {
			return nil, fmt.Errorf("encrypt a payload: %w", err)
		}
	}
	return encrypted, nil
}

// Decode implements [converter.PayloadCodec]. It returns [ErrClear] or a [*KeyError]
// for a payload that it does not accept.
func (c codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decrypted := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if decrypted[i], err = c.decode(p); err != nil {
			return nil, err
		}
	}
	return decrypted, nil
}

func (c codec) decode(p *commonpb.Payload) (*commonpb.Payload, error) {
	if string(p.GetMetadata()[converter.MetadataEncoding]) != encodingEncrypted {
		if c.Keys != nil && !c.AcceptClear {
			return nil, ErrClear
		}
		return p, nil
	}
	id := string(p.GetMetadata()[metadataKeyID])
	if c.Keys == nil {
		return nil, &KeyError{KeyID: id, Err: ErrNoKeys}
	}
	key, ok := c.Keys.Find(id)
	if !ok {
		return nil, &KeyError{KeyID: id, Err: errors.Join(ErrUnknownKey, c.Keys.Err())}
	}
	plain, err := decrypt(key, p.GetData())
	if err != nil {
		return nil, &KeyError{KeyID: id, Err: err}
	}
	return plain, nil
}

func encrypt(k keyring.Key, p *commonpb.Payload) (*commonpb.Payload, error) {
	content, err := proto.Marshal(p)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(k)
	if err != nil {
		return nil, err
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingEncrypted), metadataKeyID: []byte(k.ID)},
		Data:     aead.Seal(nil, nil, compress(content), []byte(k.ID)), //nolint:gosec // the cipher makes the nonce
	}, nil
}

func decrypt(k keyring.Key, data []byte) (*commonpb.Payload, error) {
	aead, err := newAEAD(k)
	if err != nil {
		return nil, err
	}
	packed, err := aead.Open(nil, nil, data, []byte(k.ID))
	if err != nil {
		return nil, ErrAltered // the reason tells nothing more
	}
	content, err := decompress(packed)
	if err != nil {
		return nil, err
	}
	p := &commonpb.Payload{}
	if err := proto.Unmarshal(content, p); err != nil {
		return nil, fmt.Errorf("read the decrypted payload: %w", err)
	}
	return p, nil
}

func newAEAD(k keyring.Key) (cipher.AEAD, error) {
	derived := k.Derive(purpose)
	block, err := aes.NewCipher(derived[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// compress puts before content the byte that says how it goes on.
func compress(content []byte) []byte {
	packed := bytes.NewBuffer([]byte{deflated})
	w, _ := flate.NewWriter(packed, flate.DefaultCompression) // no error for a level of its own
	_, _ = w.Write(content)                                   // nor for a buffer
	_ = w.Close()
	if packed.Len() > len(content) {
		return append([]byte{asIs}, content...)
	}
	return packed.Bytes()
}

func decompress(packed []byte) ([]byte, error) {
	switch {
	case len(packed) > 0 && packed[0] == asIs:
		return packed[1:], nil
	case len(packed) > 0 && packed[0] == deflated:
		content, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed[1:])), maxSize+1))
		if err != nil {
			return nil, fmt.Errorf("decompress a payload: %w", err)
		}
		if len(content) > maxSize {
			return nil, fmt.Errorf("decompress a payload: it has more than %d bytes", maxSize)
		}
		return content, nil
	default:
		return nil, errors.New("the payload was written by a later version of farmtrust")
	}
}
