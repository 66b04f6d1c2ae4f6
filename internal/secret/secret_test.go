package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/secret"
)

const password = "correct horse battery staple"

func TestParse(t *testing.T) {
	t.Run("a file or a variable names a secret", func(t *testing.T) {
		for _, s := range []string{"file:/run/secrets/pfx", "file:pfx password", "env:PFX_PASSWORD"} {
			ref, err := secret.Parse(s)
			if err != nil || string(ref) != s {
				t.Errorf("Parse(%q) = %q, %v; want it as it is", s, ref, err)
			}
		}
	})

	t.Run("anything else is refused without repeating it", func(t *testing.T) {
		for s, want := range map[string]string{
			"":          "not the name of a secret: write file:/path/of/the/secret or env:NAME_OF_A_VARIABLE",
			password:    "not the name of a secret: write file:/path/of/the/secret or env:NAME_OF_A_VARIABLE",
			"FILE:/x":   "not the name of a secret: write file:/path/of/the/secret or env:NAME_OF_A_VARIABLE",
			"file:":     "not the name of a secret: file: lacks its path",
			"env:":      "not the name of a secret: env: lacks the name of a variable",
			"env:A=B":   "not the name of a secret: env: lacks the name of a variable",
			"env:A\x00": "not the name of a secret: env: lacks the name of a variable",
		} {
			t.Run(fmt.Sprintf("%q", s), func(t *testing.T) {
				_, err := secret.Parse(s)
				if !errors.Is(err, secret.ErrRef) || err.Error() != want {
					t.Errorf("Parse(%q) = %v; want %s", s, err, want)
				}
				if _, err := secret.Ref(s).Resolve(); !errors.Is(err, secret.ErrRef) {
					t.Errorf("Ref(%q).Resolve() = %v; want ErrRef", s, err)
				}
			})
		}
	})
}

func TestResolve(t *testing.T) {
	t.Run("a file loses one newline at its end", func(t *testing.T) {
		for content, want := range map[string]string{
			password:             password,
			password + "\n":      password,
			password + "\r\n":    password,
			password + "\r":      password + "\r",
			password + "\n\n":    password + "\n",
			" " + password + " ": " " + password + " ",
			"a\nb":               "a\nb",
		} {
			t.Run(fmt.Sprintf("%q", content), func(t *testing.T) {
				value, err := secretFile(t, content).Resolve()
				if err != nil || string(value.Bytes()) != want {
					t.Errorf("a file with %q resolves to %q, %v; want %q", content, value.Bytes(), err, want)
				}
			})
		}
	})

	t.Run("a variable is used unchanged", func(t *testing.T) {
		t.Setenv("FARMTRUST_TEST_SECRET", password+"\n")
		value, err := secret.Ref("env:FARMTRUST_TEST_SECRET").Resolve()
		if err != nil || string(value.Bytes()) != password+"\n" {
			t.Errorf("got %q, %v", value.Bytes(), err)
		}
	})

	t.Run("errors name the reference and never the content", func(t *testing.T) {
		t.Setenv("FARMTRUST_TEST_EMPTY", "")
		huge := strings.Repeat(password, secret.MaxSize/len(password)+1)
		for name, c := range map[string]struct {
			ref  secret.Ref
			want error
		}{
			"no such file":  {"file:/no/such/file", os.ErrNotExist},
			"a directory":   {secret.Ref("file:" + t.TempDir()), nil},
			"an empty file": {secretFile(t, "\n"), secret.ErrMissing},
			"an unset name": {"env:FARMTRUST_TEST_NOT_SET", secret.ErrMissing},
			"an empty name": {"env:FARMTRUST_TEST_EMPTY", secret.ErrMissing},
			"too large":     {secretFile(t, huge), secret.ErrTooLarge},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := c.ref.Resolve()
				if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
					t.Fatalf("got %v; want %v", err, c.want)
				}
				if !strings.HasPrefix(err.Error(), "read secret "+string(c.ref)+": ") {
					t.Errorf("%q does not name %s", err, c.ref)
				}
				if strings.Contains(err.Error(), password) {
					t.Errorf("%q holds the secret", err)
				}
			})
		}
	})

	t.Run("the largest secret is accepted", func(t *testing.T) {
		value, err := secretFile(t, strings.Repeat("a", secret.MaxSize)).Resolve()
		if err != nil || len(value.Bytes()) != secret.MaxSize {
			t.Errorf("got %d bytes, %v; want %d", len(value.Bytes()), err, secret.MaxSize)
		}
	})
}

func TestValue(t *testing.T) {
	t.Run("never shows", func(t *testing.T) {
		value := secret.FromBytes([]byte(password))
		type carrier struct {
			Shown  secret.Value
			hidden secret.Value
		}
		within := carrier{Shown: value, hidden: value}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s"} {
			for _, printed := range []any{value, &value, within, &within, []secret.Value{value}, within.hidden} {
				assertHidden(t, verb, fmt.Sprintf(verb, printed))
			}
		}
		asJSON, err := json.Marshal(map[string]any{"value": value, "pointer": &value, "within": within})
		if err != nil {
			t.Fatal(err)
		}
		assertHidden(t, "json", string(asJSON))
		asText, err := value.MarshalText()
		if err != nil || string(asText) != "[redacted]" {
			t.Errorf("MarshalText() = %q, %v", asText, err)
		}
		var log bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		logger.Info("resolved", "value", value, "within", within)
		slog.New(slog.NewTextHandler(&log, nil)).Info("resolved", "value", value, "within", within)
		assertHidden(t, "slog", log.String())
		if got := value.String() + value.GoString(); got != "[redacted][redacted]" {
			t.Errorf("String and GoString give %q", got)
		}
	})

	t.Run("cannot be changed from outside", func(t *testing.T) {
		content := []byte(password)
		value := secret.FromBytes(content)
		content[0] = 'X'
		value.Bytes()[1] = 'X'
		if got := string(value.Bytes()); got != password {
			t.Errorf("got %q", got)
		}
	})

	t.Run("the zero value is empty", func(t *testing.T) {
		var zero secret.Value
		if !zero.IsZero() || zero.Bytes() != nil {
			t.Error("the zero Value is not empty")
		}
		if zero.String() != "[redacted]" {
			t.Errorf("the zero Value shows as %q", zero)
		}
		if secret.FromBytes([]byte{0}).IsZero() {
			t.Error("a Value of one byte is empty")
		}
	})
}

// assertHidden fails if shown holds the secret as text, hexadecimal or numbers.
func assertHidden(t *testing.T, how, shown string) {
	t.Helper()
	raw := []byte(password)
	numbers := strings.Trim(fmt.Sprintf("%d", raw), "[]")
	for _, form := range []string{password, fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), numbers} {
		if strings.Contains(shown, form) {
			t.Errorf("%s shows the secret: %s", how, shown)
		}
	}
}

func secretFile(t *testing.T, content string) secret.Ref {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Ref("file:" + path)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "file:/x", "env:X", "file:", "env:", "env:=", password} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := secret.Parse(s)
		if err == nil && string(ref) != s {
			t.Errorf("Parse(%q) = %q", s, ref)
		}
		if err != nil && !errors.Is(err, secret.ErrRef) {
			t.Errorf("Parse(%q) = %v; want ErrRef", s, err)
		}
	})
}
