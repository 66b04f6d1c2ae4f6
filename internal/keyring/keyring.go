// Package keyring reads, follows and changes key rings: files with several keys of 256
// bits, of which the first one is used for what is new and all of them for what is old.
//
// It does not say what keys are for, and encrypts nothing.
package keyring

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// KeySize is the size of a key in bytes.
const KeySize = 32

// Key is one key of a ring. What is secret of it prints as nothing but its ID.
type Key struct {
	// ID names the key. It is not secret: it stands beside what the key has sealed or
	// encrypted.
	ID string

	value secret.Value
}

// String implements [fmt.Stringer].
func (k Key) String() string { return k.ID + " " + k.value.String() }

// Derive returns a key of its own for a purpose, by HKDF with SHA-256 (RFC 5869) and
// the purpose as info. Purposes that differ give keys of which none tells another.
func (k Key) Derive(purpose string) [KeySize]byte {
	derived, err := hkdf.Key(sha256.New, k.value.Bytes(), nil, purpose, KeySize)
	if err != nil {
		panic(err) // only for a length that no hash can give
	}
	return [KeySize]byte(derived)
}

// Fingerprint returns 16 hexadecimal digits that are the same for the same key, and
// tell nothing else about it. Two files that are meant to be copies are compared by it.
func (k Key) Fingerprint() string {
	derived := k.Derive("farmtrust key fingerprint")
	return hex.EncodeToString(derived[:8])
}

// newKey makes a random key, whose ID begins with the day.
func newKey(now time.Time) Key {
	value, id := make([]byte, KeySize), make([]byte, 3)
	// Neither returns an error: a system without randomness ends the program.
	_, _ = rand.Read(value)
	_, _ = rand.Read(id)
	return Key{ID: now.UTC().Format("20060102") + "-" + hex.EncodeToString(id), value: secret.FromBytes(value)}
}

// Ring is a key ring. One that was opened follows its file: what replaces it counts
// without a restart, and while it cannot be read, as in the middle of a copy, the keys
// before stay in use. It may be used from several goroutines.
type Ring struct {
	path string

	mu   sync.Mutex
	read os.FileInfo // of the file when it was read last
	keys []Key
	err  error
}

// Open reads the ring of a file. Its errors name the file, and the line where a line is
// wrong, and never what stands there.
func Open(path string) (*Ring, error) {
	r := &Ring{path: path}
	r.refresh()
	if r.err != nil {
		return nil, r.err
	}
	return r, nil
}

// Generated returns a ring of one random key that no file holds: what it seals or
// encrypts cannot be read by another process.
func Generated() *Ring { return &Ring{keys: []Key{newKey(time.Now())}} }

// First returns the key for what is new.
func (r *Ring) First() Key { return r.Keys()[0] }

// Find returns the key with an ID.
func (r *Ring) Find(id string) (Key, bool) {
	for _, k := range r.Keys() {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// Keys returns all keys, the first one first.
func (r *Ring) Keys() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.keys
}

// Err says why the keys are not those of the file now; nil when they are.
func (r *Ring) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.err
}

// refresh reads the file again if it is another one than before, or was written since.
// The caller holds the mutex, or has the ring alone.
func (r *Ring) refresh() {
	if r.path == "" {
		return
	}
	info, err := os.Stat(r.path)
	if err == nil && r.err == nil && r.read != nil && sameFile(r.read, info) {
		return
	}
	var f *file
	if err == nil {
		f, err = readFile(r.path)
	}
	if err != nil {
		r.err = fmt.Errorf("read key ring: %w", err)
		return
	}
	r.read, r.keys, r.err = info, f.keys(), nil
}

func sameFile(before, now os.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
