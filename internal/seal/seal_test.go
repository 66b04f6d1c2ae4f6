package seal_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/seal"
)

func TestSealer_Check(t *testing.T) {
	s, other := seal.New(keyring.Generated()), seal.New(keyring.Generated())
	content := []byte("the content")
	good := s.Seal("a purpose", content)
	for name, c := range map[string]struct {
		purpose, content, seal string
		want                   error
	}{
		"what was sealed":     {"a purpose", "the content", good, nil},
		"another content":     {"a purpose", "the content!", good, seal.ErrAltered},
		"another purpose":     {"another purpose", "the content", good, seal.ErrAltered},
		"a moved border":      {"a purpose:the", " content", good, seal.ErrAltered},
		"none":                {"a purpose", "the content", "", seal.ErrMissing},
		"another key":         {"a purpose", "the content", other.Seal("a purpose", content), seal.ErrUnknownKey},
		"no key":              {"a purpose", "the content", "nothing", seal.ErrUnknownKey},
		"a part of it":        {"a purpose", "the content", good[:len(good)-4], seal.ErrAltered},
		"without the code":    {"a purpose", "the content", strings.Split(good, ":")[0] + ":", seal.ErrAltered},
		"written another way": {"a purpose", "the content", good + "=", seal.ErrAltered},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Check(c.purpose, []byte(c.content), c.seal); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("checked with %v, want %v", err, c.want)
			}
		})
	}
}

// TestSealer_KeysChange has a key replaced while what it sealed goes on.
func TestSealer_KeysChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.keys")
	if err := keyring.Create(path); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	before := seal.New(ring).Seal("a purpose", nil)
	id, err := keyring.Add(path)
	if err == nil {
		err = keyring.Use(path, id)
	}
	if err == nil {
		ring, err = keyring.Open(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := seal.New(ring)
	if err := s.Check("a purpose", nil, before); err != nil {
		t.Errorf("what the first key sealed does not count any more: %v", err)
	}
	if after := s.Seal("a purpose", nil); !strings.HasPrefix(after, id+":") {
		t.Errorf("sealed with %s, want the key %s", after, id)
	}
}

// TestValue seals a text with bytes that are no text, as a server may send: Temporal
// changes them on the way.
func TestValue(t *testing.T) {
	s := seal.New(keyring.Generated())
	type value struct{ Text string }
	sealed, err := seal.OfValue(s, "a purpose", value{"M\xfcnchen"})
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.CheckValue(s, "a purpose", value{"M\ufffdnchen"}, sealed); err != nil {
		t.Error(err)
	}
}

func FuzzSealer_Check(f *testing.F) {
	s := seal.New(keyring.Generated())
	good := s.Seal("a purpose", []byte("x"))
	for _, text := range []string{"", ":", "a:b", good, good + "\n", strings.ToUpper(good)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := s.Check("a purpose", []byte("x"), text); err == nil && text != good {
			t.Errorf("%q counts as a seal", text)
		}
	})
}
