package hostile

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// signer is a person with a key of SSH.
type signer struct {
	name string
	key  ed25519.PrivateKey
	// last is what was proven last, as an attacker can read it in the history.
	last *farm.Proof
}

func newSigner(t *testing.T, name string) *signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{name: name, key: key}
}

// public is the key in the form of SSH (RFC 8709, section 4).
func (s *signer) public() []byte {
	return join([]byte("ssh-ed25519"), s.key.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // as documented
}

// join is texts as SSH has them: each after its length (RFC 4251, section 5).
func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(binary.BigEndian.AppendUint32(all, uint32(len(p))), p...) //nolint:gosec // they are short
	}
	return all
}

// approvers is the part of a configuration that lets this person alone decide, also with
// another key where there is one.
func (s *signer) approvers(other string) string {
	keys := "ssh-ed25519 " + base64.StdEncoding.EncodeToString(s.public())
	if other != "" {
		keys += ", " + other
	}
	return "approvers: {people: [{name: " + s.name + ", keys: [" + keys + "]}]}"
}

func (s *signer) author() client.Author {
	return client.Author{By: s.name, Reason: "for the test", Prove: s.prove}
}

// prove signs as "ssh-keygen -Y sign" does (OpenSSH, PROTOCOL.sshsig).
func (s *signer) prove(_ context.Context, statement farm.Statement) (*farm.Proof, error) {
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	p := &farm.Proof{At: time.Now().UTC().Truncate(time.Second), Nonce: hex.EncodeToString(nonce[:])}
	digest := sha512.Sum512([]byte(statement.Text(p.At, p.Nonce)))
	namespace, none, hash := []byte(farm.SignatureNamespace), []byte{}, []byte("sha512")
	signature := ed25519.Sign(s.key, append([]byte("SSHSIG"), join(namespace, none, hash, digest[:])...))
	blob := binary.BigEndian.AppendUint32([]byte("SSHSIG"), 1)
	blob = append(blob, join(s.public(), namespace, none, hash, join([]byte("ssh-ed25519"), signature))...)
	var lines strings.Builder
	for encoded := base64.StdEncoding.EncodeToString(blob); encoded != ""; {
		n := min(70, len(encoded))
		lines.WriteString(encoded[:n] + "\n")
		encoded = encoded[n:]
	}
	p.Signature = "-----BEGIN SSH SIGNATURE-----\n" + lines.String() + "-----END SSH SIGNATURE-----\n"
	s.last = p
	return p, nil
}

// decide takes this person's decision to a run, which must take it.
func (s *signer) decide(t *testing.T, f *testFarm, run *client.Run, d farm.Decision) {
	t.Helper()
	if err := run.DecideAs(t.Context(), f.name, s.author(), d); err != nil {
		t.Fatal(err)
	}
}
