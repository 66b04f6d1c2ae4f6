package keyring_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/secret"
)

// create makes a ring with a first key and returns its path.
func create(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payloads.keys")
	if err := keyring.Create(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func idsOf(r *keyring.Ring) string {
	var ids []string
	for _, k := range r.Keys() {
		ids = append(ids, k.ID)
	}
	return strings.Join(ids, " ")
}

func TestKeysOfARunningRingAreReplacedOneAfterTheOther(t *testing.T) {
	path := create(t)
	r := open(t, path)
	old := r.First()
	added, err := keyring.Add(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.First().ID != old.ID || idsOf(r) != old.ID+" "+added {
		t.Fatalf("after add: %s", idsOf(r))
	}
	if err := keyring.Remove(path, old.ID); err == nil || !strings.Contains(err.Error(), "is the key for what is new") {
		t.Fatalf("the first key was removed: %v", err)
	}
	if err := keyring.Use(path, added); err != nil {
		t.Fatal(err)
	}
	if idsOf(r) != added+" "+old.ID {
		t.Fatalf("after use: %s", idsOf(r))
	}
	if found, ok := r.Find(old.ID); !ok || found.Fingerprint() != old.Fingerprint() {
		t.Fatal("the old key is gone, or another one")
	}
	if err := keyring.Remove(path, old.ID); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Find(old.ID); ok || idsOf(r) != added {
		t.Fatalf("after remove: %s", idsOf(r))
	}
	for _, err := range []error{keyring.Use(path, "nobody"), keyring.Remove(path, "nobody")} {
		if !errors.Is(err, keyring.ErrUnknownKey) {
			t.Error(err)
		}
	}
}

func TestCommentsStayWhereTheyAre(t *testing.T) {
	path := create(t)
	content, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(content, "# the spare key\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := keyring.Add(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyring.Use(path, added); err != nil {
		t.Fatal(err)
	}
	content, _ = os.ReadFile(path)
	if !strings.HasPrefix(string(content), "# Keys of farmtrust") || !strings.HasSuffix(string(content), "# the spare key\n") {
		t.Errorf("%s", content)
	}
}

func TestAFileThatCannotBeReadLeavesTheKeysBeforeInUse(t *testing.T) {
	path := create(t)
	r := open(t, path)
	before := r.First()
	content, _ := os.ReadFile(path)
	for name, spoil := range map[string]func() error{
		"half written": func() error { return os.WriteFile(path, content[:len(content)-9], 0o600) },
		"empty":        func() error { return os.WriteFile(path, nil, 0o600) },
		"gone":         func() error { return os.Remove(path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if r.First().ID != before.ID || r.Err() == nil {
			t.Errorf("%s: %s, error %v", name, idsOf(r), r.Err())
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if r.Err() != nil || r.First().ID != before.ID {
			t.Errorf("%s, then whole again: %v", name, r.Err())
		}
	}
}

func TestWhatNoRingMayLookLikeIsRefusedAndNotRepeated(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefTOPSECRET9abcdef"))
	for _, c := range []struct{ content, want string }{
		{"", "it holds no key"},
		{"# a comment\n\n", "it holds no key"},
		{key + "\n", ":1: a key is written as ID"},
		{"a " + key + "\na " + key, ":2: this ID stands above already"},
		{"# x\na " + key[:40], ":2: the key is not 32 bytes in base64"},
		{"a " + key + key, ":1: the key is not 32 bytes"},
		{"a/b " + key, ":1: the ID of a key has"},
		{strings.Repeat("x", 65) + " " + key, ":1: the ID of a key has"},
		{"a " + key + " b", ":1: a key is written as ID"},
		{strings.Repeat("# long\n", 20_000), "no more than 65536 bytes"},
		{manyKeys(key, 501), ":501: a key ring has no more than 500 keys"},
	} {
		path := filepath.Join(t.TempDir(), "ring")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := keyring.Open(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), key[:20]) {
			t.Errorf("%.60q: %v, want %s", c.content, err, c.want)
		}
	}
}

func manyKeys(key string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d %s\n", i, key)
	}
	return b.String()
}

func TestAFileThatOthersCanReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are those of Unix")
	}
	path := create(t)
	for _, mode := range []fs.FileMode{0o604, 0o602, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Open(path); !errors.Is(err, secret.ErrExposed) || !strings.Contains(err.Error(), path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestAnExistingFileIsNeverReplaced(t *testing.T) {
	path := create(t)
	first := open(t, path).First()
	if err := keyring.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if err := os.WriteFile(path+".new", []byte("of a change that was cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Add(path); err == nil || !strings.Contains(err.Error(), "remove "+path+".new") {
		t.Errorf("changed beside another change: %v", err)
	}
	if got := open(t, path); idsOf(got) != first.ID {
		t.Errorf("it holds %s", idsOf(got))
	}
}

func TestAKeyNeverPrintsItsSecret(t *testing.T) {
	path := create(t)
	content, _ := os.ReadFile(path)
	fields := strings.Fields(string(content))
	written := fields[len(fields)-1]
	raw, _ := base64.StdEncoding.DecodeString(written)
	k := open(t, path).First()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		for _, value := range []any{k, &k, []keyring.Key{k}, struct{ K keyring.Key }{k}} {
			got := fmt.Sprintf(format, value)
			for _, secret := range []string{written, string(raw), hex.EncodeToString(raw), fmt.Sprintf("%d", raw)} {
				if strings.Contains(got, strings.Trim(secret, "[]")) {
					t.Errorf("%s of %T shows the key: %s", format, value, got)
				}
			}
		}
	}
}

func TestDerivedKeysDifferByPurposeAndByKey(t *testing.T) {
	a, b := keyring.Generated().First(), keyring.Generated().First()
	if a.Derive("x") == a.Derive("y") || a.Derive("x") == b.Derive("x") {
		t.Error("keys are not those of their purpose")
	}
}

func FuzzOpen(f *testing.F) {
	key := base64.StdEncoding.EncodeToString(make([]byte, keyring.KeySize))
	f.Add([]byte("# c\na " + key + "\nb " + key + "\n"))
	f.Add([]byte("a " + key[:43]))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "ring")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := keyring.Open(path)
		if err != nil {
			return
		}
		// What can be read can be changed, and nothing but the change is different.
		before := idsOf(r)
		added, err := keyring.Add(path)
		if err != nil {
			t.Skip(err)
		}
		if err := keyring.Use(path, added); err != nil {
			t.Fatal(err)
		}
		if got := idsOf(r); got != added+" "+before {
			t.Errorf("%s, want %s %s", got, added, before)
		}
	})
}
