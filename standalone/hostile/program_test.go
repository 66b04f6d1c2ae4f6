package hostile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// program is farmtrust, built from this repository, of somebody who has keys of OpenSSH.
type program struct {
	path string
	env  []string
	// own and foreign are the files of a key that may decide, and of one that may not.
	own, foreign string
}

// newProgram returns nil where OpenSSH is not here.
func newProgram(t *testing.T, address string) *program {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Log("OpenSSH is not here: install openssh-client to have its keys tested")
		return nil
	}
	dir := t.TempDir()
	p := &program{
		path: filepath.Join(dir, "farmtrust.exe"), // Windows wants the extension
		env:  append(os.Environ(), "TEMPORAL_ADDRESS="+address, "TEMPORAL_CONFIG_FILE="+filepath.Join(dir, "none.toml")),
		own:  filepath.Join(dir, "own"), foreign: filepath.Join(dir, "foreign"),
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "./starter")
	build.Dir = filepath.Join("..", "..")
	commands := []*exec.Cmd{build}
	for _, key := range []string{p.own, p.foreign} {
		commands = append(commands, exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", key))
	}
	for _, c := range commands {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", c.Args, err, out)
		}
	}
	return p
}

// publicKey is the line of the key that may decide; empty without OpenSSH.
func (p *program) publicKey(t *testing.T) string {
	t.Helper()
	if p == nil {
		return ""
	}
	line, err := os.ReadFile(p.own + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(line))
}

// approve approves with --sign-with, which fails with a key that may not decide. Without
// OpenSSH it does nothing, and reports that.
func (p *program) approve(t *testing.T, f *testFarm, digest string) bool {
	t.Helper()
	if p == nil {
		return false
	}
	for _, attempt := range []struct {
		key, want string
		code      int
	}{{"", "nothing proves who decides", 1}, {p.foreign, "is of nobody who is configured to decide", 1}, {p.own, "Approved.", 0}} {
		args := []string{"approve", f.name, digest, "--reason", "for the test"}
		if attempt.key != "" {
			args = append(args, "--sign-with", attempt.key)
		}
		c := exec.CommandContext(t.Context(), p.path, args...)
		c.Env = p.env
		out, _ := c.CombinedOutput() //nolint:errcheck // the exit code tells
		if code := c.ProcessState.ExitCode(); code != attempt.code || !strings.Contains(string(out), attempt.want) {
			t.Fatalf("%v ends with exit code %d, want %d and %q: %s", args, code, attempt.code, attempt.want, out)
		}
	}
	return true
}

// requireVerified fails the test unless the run's report says that the one person who may
// has approved, and what proved it.
func requireVerified(t *testing.T, run *client.Run, name string) {
	t.Helper()
	report, err := run.Report(t.Context())
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("the renewal ended as %q (%s, %v)", report.Outcome, report.Statement, err)
	}
	for _, d := range report.Decisions {
		if d.By != name || !strings.HasPrefix(d.Verified, "SSH key: SHA256:") {
			t.Errorf("%s is reported by %q, verified by %q", d.Choice, d.By, d.Verified)
		}
	}
}
