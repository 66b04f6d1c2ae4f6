package codecserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/secret"
)

// minToken is the shortest token that is accepted: 32 hexadecimal digits have 128 bits.
const minToken = 32

// maxTokens is the largest file of tokens, in bytes.
const maxTokens = 64 << 10

// errRefused says nothing of the token, which could be a mistyped one.
var errRefused = errors.New("the token is not known")

// Tokens returns an authentication by the tokens in a file, which has a line "NAME TOKEN"
// for each. The file is read each time, so that a token that is taken out of it is refused
// at once.
func Tokens(path string) (func(context.Context, string) (string, error), error) {
	if _, err := readTokens(path); err != nil {
		return nil, err
	}
	return func(_ context.Context, given string) (string, error) {
		known, err := readTokens(path)
		if err != nil {
			return "", err
		}
		hash, found := sha256.Sum256([]byte(given)), ""
		for _, t := range known {
			if subtle.ConstantTimeCompare(hash[:], t.hash[:]) == 1 {
				found = t.name
			}
		}
		if found == "" {
			return "", errRefused
		}
		return found, nil
	}, nil
}

type token struct {
	name string
	hash [sha256.Size]byte
}

func readTokens(path string) ([]token, error) {
	content, err := secret.ReadPrivate(path, maxTokens)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read tokens: %w", err)
	case len(content) > maxTokens:
		return nil, fmt.Errorf("read tokens: %s has more than %d bytes", path, maxTokens)
	}
	var all []token
	number := 0
	for line := range bytes.Lines(content) {
		number++
		fields := strings.Fields(string(line))
		switch {
		case len(fields) == 0, strings.HasPrefix(fields[0], "#"):
		case len(fields) != 2:
			return nil, fmt.Errorf("read tokens: %s:%d: write NAME TOKEN", path, number)
		case len(fields[1]) < minToken:
			return nil, fmt.Errorf("read tokens: %s:%d: the token is shorter than %d characters: openssl rand -hex 32 makes one", path, number, minToken)
		default:
			all = append(all, token{name: fields[0], hash: sha256.Sum256([]byte(fields[1]))})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read tokens: %s holds none", path)
	}
	return all, nil
}
