package powershell_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestFingerprints compares them with what a server would log.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range powershell.Fingerprints() {
		if known[f.SHA256] || len(f.SHA256) != 64 || f.Of == "" {
			t.Errorf("%+v is there twice, or is none", f)
		}
		known[f.SHA256] = true
	}
	if want := len(powershell.Scripts()) + 6; len(known) != want {
		t.Errorf("%d fingerprints, want %d", len(known), want)
	}
	const thumbprint = "0123456789ABCDEF0123456789ABCDEF01234567"
	var argument string
	err := runText(t, "[CmdletBinding()] param([string] $Thumbprint) New-ProofArgument -Thumbprint $Thumbprint",
		powershell.Call{Params: map[string]string{"Thumbprint": thumbprint}}, &argument)
	requireNoError(t, err)
	var program string
	err = runText(t, "[CmdletBinding()] param([string] $Text) [System.Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($Text))",
		powershell.Call{Params: map[string]string{"Text": argument[strings.LastIndex(argument, " ")+1:]}}, &program)
	requireNoError(t, err)
	if !strings.Contains(program, thumbprint) {
		t.Errorf("the task's program does not have its thumbprint:\n%s", program)
	}
	sum := sha256.Sum256([]byte(strings.ReplaceAll(program, thumbprint, strings.Repeat("0", 40))))
	if got := hex.EncodeToString(sum[:]); !known[got] {
		t.Errorf("the task's program has the unknown fingerprint %s", got)
	}
}
