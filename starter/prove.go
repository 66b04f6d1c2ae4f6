package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// signWithVariable has the default of --sign-with.
const signWithVariable = "FARMTRUST_SIGN_WITH"

// prover proves who decides: with a key of SSH, or with what was made elsewhere for a
// statement that it wrote into a file.
type prover struct{ signWith, statement, signature, token string }

func (p *prover) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.signWith, "sign-with", os.Getenv(signWithVariable), "sign with this SSH `key`; the public one where an agent has it")
	c.Flags().StringVar(&p.statement, "statement", "", "write what is to be proven to this `file`, and decide nothing")
	c.Flags().StringVar(&p.signature, "signature", "", "the `file` that ssh-keygen -Y sign made of the statement")
	c.Flags().StringVar(&p.token, "token", "", "the `file` with an ID token for the statement's nonce")
	c.MarkFlagsMutuallyExclusive("signature", "token")
}

// prove implements the Prove of [client.Author].
func (p *prover) prove(ctx context.Context, s farm.Statement) (*farm.Proof, error) {
	switch made := p.signature + p.token; {
	case made != "" && p.statement == "":
		return nil, usageErrorf("name the statement that was proven: --statement FILE")
	case made != "":
		return p.readProof(s)
	case p.statement != "":
		return nil, p.writeStatement(s)
	case p.signWith != "":
		return p.sign(ctx, s)
	}
	return nil, nil
}

// sign has OpenSSH sign a statement: the key stays where it is. It asks for a passphrase,
// or a touch, on the terminal by itself.
func (p *prover) sign(ctx context.Context, s farm.Statement) (*farm.Proof, error) {
	proof := newProof()
	var problems bytes.Buffer
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-q", "-Y", "sign", "-n", farm.SignatureNamespace, "-f", p.signWith)
	cmd.Stdin, cmd.Stderr = strings.NewReader(s.Text(proof.At, proof.Nonce)), &problems
	signature, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("sign: ssh-keygen is not here: install OpenSSH, or sign elsewhere: --statement FILE")
	case err != nil:
		return nil, fmt.Errorf("sign with %s: %w: %s", p.signWith, err, strings.TrimSpace(problems.String()))
	}
	proof.Signature = string(signature)
	return proof, nil
}

// newProof returns a proof of now that proves nothing yet. Its time has no fractions: a
// statement has none.
func newProof() *farm.Proof {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // it never fails
	return &farm.Proof{At: time.Now().UTC().Truncate(time.Second), Nonce: hex.EncodeToString(nonce)}
}

// writeStatement writes a statement for somebody to prove. Nothing is decided by that.
func (p *prover) writeStatement(s farm.Statement) error {
	proof := newProof()
	file, err := os.OpenFile(p.statement, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usageErrorf("%s is there already: name a file that is not, or add --signature or --token to decide with it", p.statement)
	}
	if err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	_, err = file.WriteString(s.Text(proof.At, proof.Nonce))
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the statement: %w", err)
	}
	return &exitError{code: exitDiffers, err: fmt.Errorf("%s: nothing is decided yet; the statement is in %s until %s. Sign it: ssh-keygen -Y sign -n %s -f KEY %s; then give the same command --signature %s.sig. Or ask the identity provider for an ID token with the nonce %s; then give it --token FILE",
		s.Farm, p.statement, farm.FormatTime(proof.At.Add(farm.ProofLife)), farm.SignatureNamespace, p.statement, p.statement, s.TokenNonce(proof.At, proof.Nonce))}
}

// readProof reads what was made for a statement, which must be the one that is decided
// now.
func (p *prover) readProof(s farm.Statement) (*farm.Proof, error) {
	text, err := os.ReadFile(p.statement)
	if err != nil {
		return nil, fmt.Errorf("read the statement: %w", err)
	}
	var proof farm.Proof
	for line := range strings.Lines(string(text)) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name {
		case "time":
			proof.At, _ = time.Parse(time.RFC3339, value) // one that is wrong makes another text
		case "nonce":
			proof.Nonce = value
		}
	}
	if s.Text(proof.At, proof.Nonce) != string(text) {
		return nil, usageErrorf("%s is not the statement of this command: give it the same flags, or make another one with --statement; something may have changed since, too", p.statement)
	}
	made, err := os.ReadFile(p.signature + p.token)
	if err != nil {
		return nil, fmt.Errorf("read the proof: %w", err)
	}
	if p.signature != "" {
		proof.Signature = string(made)
	} else {
		proof.Token = strings.TrimSpace(string(made))
	}
	return &proof, nil
}
