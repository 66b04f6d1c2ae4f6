package secret_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/farmtrust/farmtrust/internal/secret"
)

func TestCreate(t *testing.T) {
	t.Run("what is made is private, whole, and replaces nothing", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "above", "keys")
		if err := secret.MakeFolder(folder); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, "key")
		if err := secret.Create(path, []byte("first")); err != nil {
			t.Fatal(err)
		}
		if err := secret.Create(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second one: %v; want fs.ErrExist", err)
		}
		assertPrivateFile(t, path, "first")
		if err := secret.Replace(path, []byte("third")); err != nil {
			t.Fatal(err)
		}
		assertPrivateFile(t, path, "third")
		if err := secret.CheckPrivate(folder); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
			t.Errorf("the folder holds %v, %v", entries, err)
		}
		if err := secret.MakeFolder(folder); err != nil {
			t.Errorf("a folder that is there: %v", err)
		}
		if err := secret.MakeFolder(path); err != nil {
			t.Errorf("left to anybody who uses it: %v", err)
		}
		if err := secret.MakeFolder(filepath.Join(path, "below")); err == nil {
			t.Error("made a folder below a file")
		}
	})

	t.Run("of several at once one succeeds", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key")
		results := make([]error, 8)
		var writers sync.WaitGroup
		for i := range results {
			writers.Go(func() { results[i] = secret.Create(path, []byte("content")) })
		}
		writers.Wait()
		made := 0
		for _, err := range results {
			switch {
			case err == nil:
				made++
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d made it", made)
		}
		assertPrivateFile(t, path, "content")
	})
}

func TestReadPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := secret.Create(path, []byte("12345")); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{3: "1234", 4: "12345", 100: "12345"} {
		if got, err := secret.ReadPrivate(path, limit); err != nil || string(got) != want {
			t.Errorf("limit %d: got %q, %v; want %q", limit, got, err, want)
		}
	}
	if _, err := secret.ReadPrivate(path+"-gone", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func assertPrivateFile(t *testing.T, path, content string) {
	t.Helper()
	if err := secret.CheckPrivate(path); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, content)
	}
}

// assertExposed wants an error that names the path and ends with the command that
// closes it.
func assertExposed(t *testing.T, err error, path, command string) {
	t.Helper()
	if !errors.Is(err, secret.ErrExposed) || !strings.Contains(err.Error(), path) || !strings.HasSuffix(err.Error(), ": "+command) {
		t.Errorf("got %v\nwant ErrExposed of %s, and in the end %s", err, path, command)
	}
}
