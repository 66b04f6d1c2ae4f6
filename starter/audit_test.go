package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/audit"
	"github.com/farmtrust/farmtrust/internal/keyring"
)

// writeAudit writes an audit log of three lines, and returns its path, that of its keys and
// the mark of its last line.
func writeAudit(t *testing.T) (path, keys, mark string) {
	t.Helper()
	dir := t.TempDir()
	path, keys = filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "seal.keys")
	if err := keyring.Create(keys); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Options{Path: path, Keys: ring, Worker: "worker-1", Build: "v1", Log: zap.NewNop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{"oos-01", "oos-02"} {
		if err := log.Record(audit.Record{Event: audit.End, Farm: "contoso", Step: "GrantKey", Server: server, Outcome: audit.Changed}); err != nil {
			t.Fatal(err)
		}
	}
	return path, keys, log.Last().String()
}

func TestAudit_VerifiesALog(t *testing.T) {
	path, keys, mark := writeAudit(t)
	got := runProgram(t, "audit", "verify", path, "--seal-keys", keys, "--mark", mark)
	got.assertExit(t, exitOK)
	if !strings.Contains(got.out, "3 lines of log") || !strings.Contains(got.out, "as workers wrote them") || !strings.Contains(got.out, mark) {
		t.Errorf("it says:\n%s", got.out)
	}
	got = runProgram(t, "audit", "verify", path)
	got.assertExit(t, exitOK)
	if !strings.Contains(got.out, "give --seal-keys to find that too") {
		t.Errorf("it says:\n%s", got.out)
	}
	runProgram(t, "audit", "verify", path, "-o", "json").assertFits(t, "audit")
}

func TestAudit_FindsWhatWasChanged(t *testing.T) {
	path, keys, mark := writeAudit(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(content), "\n")

	t.Log("the last line is cut off: only its mark gives that away")
	if err := os.WriteFile(path, []byte(lines[0]+lines[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	runProgram(t, "audit", "verify", path, "--seal-keys", keys).assertExit(t, exitOK)
	got := runProgram(t, "audit", "verify", path, "--seal-keys", keys, "--mark", mark)
	got.assertExit(t, exitFailed)
	if !strings.Contains(got.out, "the end was cut off") || !strings.Contains(got.out, "NOT as they were written") {
		t.Errorf("it says:\n%s", got.out)
	}
	var shown verifiedAudit
	got = runProgram(t, "audit", "verify", path, "--mark", mark, "-o", "json")
	if got.readJSON(t, &shown); shown.Sound || len(shown.Problems) != 1 {
		t.Errorf("as JSON: %+v", shown)
	}
	got.assertFits(t, "audit")
}

func TestAudit_WrongArguments(t *testing.T) {
	path, _, _ := writeAudit(t)
	runProgram(t, "audit").assertExit(t, exitUsage, "farmtrust audit verify FILE")
	runProgram(t, "audit", "verify").assertExit(t, exitUsage, "name the files of the log")
	runProgram(t, "audit", "verify", path, "--mark", "4711").assertExit(t, exitUsage, `"4711" is no mark`)
	runProgram(t, "audit", "verify", path, "--seal-keys", path+".missing").assertExit(t, exitUsage, "no such file")
	runProgram(t, "audit", "verify", path+".missing").assertExit(t, exitFailed, "no such file")
}
