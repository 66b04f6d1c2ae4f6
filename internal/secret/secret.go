// Package secret names secrets and resolves them at the last moment, into
// values that print, log and marshal as "[redacted]".
//
// It does not store, encrypt or cache secrets, and it cannot wipe them from memory:
// Go's runtime may have copied them.
package secret

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// MaxSize is the largest secret that [Ref.Resolve] accepts, in bytes. Secrets are
// passwords here; a larger file is the wrong file.
const MaxSize = 64 << 10

const (
	filePrefix = "file:"
	envPrefix  = "env:"
)

// Errors that callers may test for.
var (
	// ErrRef means that a text does not name a secret: the configuration is wrong.
	ErrRef = errors.New("not the name of a secret")
	// ErrMissing means that the named secret does not exist or is empty.
	ErrMissing = errors.New("secret is missing or empty")
	// ErrTooLarge means that the named secret exceeds [MaxSize].
	ErrTooLarge = errors.New("secret is too large")
	// ErrTooShort means that the named secret is no proof of who has it.
	ErrTooShort = errors.New("secret is too short")
)

// Ref names a secret: "file:/path" is the content of a file without one newline at
// its end, "env:NAME" is an environment variable. A Ref is not secret itself. The
// zero Ref names nothing.
type Ref string

// Parse checks that s names a secret. Its error wraps [ErrRef] and never repeats s:
// what is written here by mistake is usually the secret itself.
func Parse(s string) (Ref, error) {
	name, isFile := strings.CutPrefix(s, filePrefix)
	variable, isEnv := strings.CutPrefix(s, envPrefix)
	switch {
	case isFile && name == "":
		return "", fmt.Errorf("%w: file: lacks its path", ErrRef)
	case isEnv && (variable == "" || strings.ContainsAny(variable, "=\x00")):
		return "", fmt.Errorf("%w: env: lacks the name of a variable", ErrRef)
	case isFile || isEnv:
		return Ref(s), nil
	default:
		return "", fmt.Errorf("%w: write file:/path/of/the/secret or env:NAME_OF_A_VARIABLE", ErrRef)
	}
}

// Resolve reads the secret; a file must be kept from others, see [CheckPrivate]. Its
// errors name the reference, never the content, and wrap [ErrRef], [ErrMissing],
// [ErrTooLarge], [ErrExposed] or the file system's error.
func (r Ref) Resolve() (Value, error) {
	if _, err := Parse(string(r)); err != nil {
		return Value{}, err
	}
	read := readFile
	name, isFile := strings.CutPrefix(string(r), filePrefix)
	if !isFile {
		name, read = strings.TrimPrefix(string(r), envPrefix), readEnv
	}
	content, err := read(name)
	switch {
	case err != nil:
		return Value{}, fmt.Errorf("read secret %s: %w", r, err)
	case len(content) == 0:
		return Value{}, fmt.Errorf("read secret %s: %w", r, ErrMissing)
	case len(content) > MaxSize:
		return Value{}, fmt.Errorf("read secret %s: %w: more than %d bytes", r, ErrTooLarge, MaxSize)
	}
	return FromBytes(content), nil
}

// MinProof is the shortest secret that proves who has it, in bytes: a shorter one can be
// guessed over a network.
const MinProof = 16

// ResolveProof is [Ref.Resolve] for a secret by which somebody proves over a network who
// they are. A shorter one than [MinProof] wraps [ErrTooShort].
func (r Ref) ResolveProof() (Value, error) {
	v, err := r.Resolve()
	if err == nil && len(v.Bytes()) < MinProof {
		return Value{}, fmt.Errorf("read secret %s: %w: it has less than %d characters; make one with openssl rand -hex 32", r, ErrTooShort, MinProof)
	}
	return v, err
}

// readEnv returns the value of a variable unchanged; unset is empty.
func readEnv(name string) ([]byte, error) {
	return []byte(os.Getenv(name)), nil
}

// readFile returns at most one byte more than is allowed, without one newline at the
// end: editors and echo add it, and no password is meant to end with it.
func readFile(path string) ([]byte, error) {
	content, err := ReadPrivate(path, MaxSize)
	if err != nil || len(content) > MaxSize {
		return content, err
	}
	text, ended := bytes.CutSuffix(content, []byte("\n"))
	if ended {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	return text, nil
}
