package reliability

import (
	"bytes"
	"context"
	"crypto/rsa"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"go.temporal.io/sdk/client"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestSecrets_NoneIsLeftBehind(t *testing.T) {
	t.Parallel()
	ctx, s := withDeadline(t), newTestFarm(t)
	// Log everything, and let the calls that carry secrets fail.
	s.awaitIdle(ctx, t)
	s.worker.args = append(s.worker.args, "-log-level", "debug")
	s.worker.restart(t)
	s.awaitIdle(ctx, t)
	if err := s.sim.AddFaults(
		fault.Fault{Step: "Import-S2SCertificate", Kind: fault.Dropped, When: fault.After},
		fault.Fault{Step: "Import-S2SCertificate", Kind: fault.ScriptError, Error: &fault.Error{ID: "Product.Error", Message: "The disk is full."}},
	); err != nil {
		t.Fatal(err)
	}
	watchCtx, stop := context.WithCancel(ctx)
	watched := watchFiles(watchCtx, t, filepath.Join(s.dir, "tmp"))
	rotation := s.startRun(ctx, t, opRotate)
	rotated := s.awaitEnd(ctx, t, rotation, failWhenBlocked(t))
	s.recordEnd(t, opRotate, rotated)
	rollback := s.startRun(ctx, t, opRollback)
	rolledBack := s.awaitEnd(ctx, t, rollback, failWhenBlocked(t))
	stop()
	if rotated.Outcome != farm.Verified || rolledBack.Outcome != farm.RolledBack || len(s.sim.Pending()) > 0 {
		t.Fatalf("ended %s, then %s, with %d pending faults", rotated.Outcome, rolledBack.Outcome, len(s.sim.Pending()))
	}

	search := newSearch(s.secrets(t)...)
	searchAll := func() []leak {
		places := slices.Concat(
			collectFiles(t, s.dir, s.sim.Password(), s.sim.PFXPassword(), filepath.Join(s.dir, "farm", "certificates")),
			collectRows(t, s.dir), s.callLog.collectCalls(), watched(),
			[]place{collectHistory(t, s.client, rotation), collectHistory(t, s.client, rollback), newPlace(t, "report", rotated), newPlace(t, "report of the rollback", rolledBack)})
		var all []leak
		size := 0
		for _, p := range places {
			all, size = append(all, search.searchPlace(p)...), size+len(p.content)
		}
		t.Logf("searched %d places, %d KiB", len(places), size>>10)
		return all
	}
	for _, f := range searchAll() {
		t.Errorf("%s contains the %s as %s", f.place, f.secret, f.form)
	}

	// Make sure that the search works: it must find secrets planted in Temporal and
	// in a log.
	password := string(readFile(t, s.sim.Password()))
	if _, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "planted", TaskQueue: workflows.TaskQueue("")},
		workflows.InspectTrust, workflows.InspectInput{Farm: base64.StdEncoding.EncodeToString([]byte("x" + password))}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(s.worker.log, hex.EncodeToString([]byte(password)))
	planted := searchAll()
	for _, where := range []string{s.worker.log.Name(), "row of ", filepath.Join(s.dir, "temporal-")} {
		if !slices.ContainsFunc(planted, func(f leak) bool { return strings.HasPrefix(f.place, where) }) {
			t.Errorf("the search does not find what was planted in %s", where)
		}
	}
}

// secrets returns the secrets that the worker was given, and those that it sent to
// the servers.
func (s *testFarm) secrets(t *testing.T) []namedSecret {
	t.Helper()
	path, password := s.certificateFile(t)
	content := readFile(t, path)
	key, _, err := pkcs12.Decode(content, password)
	if err != nil {
		t.Fatal(err)
	}
	private := key.(*rsa.PrivateKey)
	secrets := []namedSecret{
		{"password of the account", readFile(t, s.sim.Password())},
		{"password of the PFX", []byte(password)},
		{"PFX", content[len(content)/2:]},
	}
	for name, number := range map[string][]byte{"exponent": private.D.Bytes(), "first prime": private.Primes[0].Bytes(), "second prime": private.Primes[1].Bytes()} {
		backwards := slices.Clone(number)
		slices.Reverse(backwards) // Windows stores numbers little-endian
		secrets = append(secrets, namedSecret{"key's " + name, number}, namedSecret{"key's " + name + ", backwards", backwards})
	}
	s.callLog.mu.Lock()
	defer s.callLog.mu.Unlock()
	if len(s.callLog.secrets) == 0 {
		t.Fatal("no secret reached a server")
	}
	for _, secret := range s.callLog.secrets {
		if len(secret) > 2*window {
			secret = secret[len(secret)/2:] // all PFX files start alike
		}
		secrets = append(secrets, namedSecret{"secret of a call", secret})
	}
	return secrets
}

func TestSearch_FindsASecretInEveryEncodingAndPlace(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	key := bytes.Repeat([]byte{0xd3, 0x00, 0x7f, 0xee, 0x10, 0x9a, 0x42}, 20)
	search := newSearch(namedSecret{"password", []byte(password)}, namedSecret{"key", key})
	if got := search.searchPlace(place{"nothing", []byte("correct horse batter, 0xd3007fee, Y29ycmVjdA==")}); len(got) > 0 {
		t.Errorf("found %v where there is no secret", got)
	}
	for secret, raw := range map[string][]byte{"password": []byte(password), "key": key} {
		for encoding, planted := range encodeAll(raw) {
			t.Run(secret+" in "+encoding, func(t *testing.T) {
				t.Parallel()
				for where, places := range plantSecret(t, planted) {
					if !slices.ContainsFunc(places, func(p place) bool {
						return slices.ContainsFunc(search.searchPlace(p), func(f leak) bool { return f.secret == secret })
					}) {
						t.Errorf("not found in %s", where)
					}
				}
			})
		}
	}
}

// encodeAll returns a secret in every encoding, surrounded by other text. It shares
// no code with the search, so that an error in one cannot hide in the other.
func encodeAll(secret []byte) map[string][]byte {
	runes := make([]rune, len(secret))
	for i, b := range secret {
		runes[i] = rune(b)
	}
	var wide []byte
	for _, unit := range utf16.Encode(runes) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	all := map[string][]byte{
		"UTF-8":      fmt.Appendf(nil, "password=%s;", secret),
		"UTF-16":     append([]byte("p\x00="), append([]byte{0}, wide...)...),
		"hex":        []byte(fmt.Sprintf("0x%x.", secret)),
		"HEX":        []byte(fmt.Sprintf("0x%X.", secret)),
		"HEX UTF-16": []byte(fmt.Sprintf("0x%X.", wide)),
	}
	for before := range 3 {
		around := func(b []byte) []byte { return append(append([]byte("abc"[:before]), b...), "and so on"...) }
		all[fmt.Sprintf("base64 after %d", before)] = []byte(base64.StdEncoding.EncodeToString(around(secret)))
		all[fmt.Sprintf("URL base64 after %d", before)] = []byte(base64.RawURLEncoding.EncodeToString(around(secret)))
		all[fmt.Sprintf("base64 of UTF-16 after %d", before)] = []byte(base64.StdEncoding.EncodeToString(around(wide)))
		lines := bytes.Join(slices.Collect(slices.Chunk([]byte(base64.StdEncoding.EncodeToString(around(secret))), 10)), []byte("\r\n"))
		all[fmt.Sprintf("lines of base64 after %d", before)] = lines
	}
	return all
}

// plantSecret leaves a secret in every kind of place, and returns what the test's
// collectors find there.
func plantSecret(t *testing.T, secret []byte) map[string][]place {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a log"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	found := map[string][]place{"a file": collectFiles(t, dir)}

	folder := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "planted.db")+"?_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// Preceded by three kilobytes, so that it is close to the end of a page.
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (b BLOB); INSERT INTO t VALUES (?)", append(make([]byte, 3000), secret...)); err != nil {
		t.Fatal(err)
	}
	found["a row"] = collectRows(t, folder)
	found["a write-ahead log"] = slices.DeleteFunc(collectFiles(t, folder), func(p place) bool { return !strings.HasSuffix(p.name, "-wal") })

	if runtime.GOOS == "linux" && !bytes.Contains(secret, []byte{0}) {
		child := exec.Command("sleep", "60")
		child.Env = []string{"PLANTED=" + string(secret)}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		found["an environment"] = listProcesses(os.Getpid())
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = child.Wait() // reports that it was killed
	}
	return found
}
