// Package tokentest has PyJWT issue tokens to tests, as an identity provider does.
package tokentest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

//go:embed issue.py
var script string

// Token is one that is to be issued.
type Token struct {
	Claims map[string]any `json:"claims"`
	// Algorithm is RS256 if it is empty.
	Algorithm string `json:"algorithm"`
	// Key is "other" for a key that the provider does not publish.
	Key string `json:"key"`
}

// Issue makes new keys and signs tokens with them. It returns the key set that a provider
// publishes, and the tokens. Where PyJWT is missing, it skips the test.
func Issue(t *testing.T, all ...Token) (keys json.RawMessage, tokens []string) {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has Debian's python3-jwt
	if exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").Run() != nil {
		t.Skip("PyJWT is not here: install python3-jwt")
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", script) //nolint:gosec // it is embedded
	var problems strings.Builder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var issued struct {
		Keys   json.RawMessage
		Tokens []string
	}
	if err := json.Unmarshal(out, &issued); err != nil {
		t.Fatal(err)
	}
	return issued.Keys, issued.Tokens
}
