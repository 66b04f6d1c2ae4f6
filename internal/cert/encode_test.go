package cert_test

import (
	"bytes"
	"crypto/x509"
	"encoding/gob"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// The builds of Windows Server that a farm may run on; 0 is an unknown one.
const (
	unknown    = 0
	server2016 = 14393
	server2019 = 17763
	server2022 = 20348
)

func TestEncode(t *testing.T) {
	t.Run("what is encoded loads again", func(t *testing.T) {
		for _, build := range []int{unknown, server2016, server2019, server2022} {
			t.Run(fmt.Sprintf("build %d", build), func(t *testing.T) {
				want := loadBundle(t)
				got, err := cert.Load(t.Context(), encodeBundle(t, want, build), []byte(password))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.Certificate, got.Certificate); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if _, err := cert.Load(t.Context(), encodeBundle(t, want, build), []byte("wrong")); !errors.Is(err, cert.ErrPassword) {
					t.Errorf("with a wrong password: %v", err)
				}
			})
		}
	})

	t.Run("the key names its provider and its container", func(t *testing.T) {
		for _, build := range []int{server2016, server2019} {
			t.Run(fmt.Sprintf("build %d", build), func(t *testing.T) {
				bundle := loadBundle(t)
				blocks, err := pkcs12.ToPEM(encodeBundle(t, bundle, build), password) //nolint:staticcheck // the one reader that shows attributes
				if err != nil {
					t.Fatal(err)
				}
				var found []string
				for _, block := range blocks {
					provider, hasProvider := block.Headers["Microsoft CSP Name"]
					if container, named := block.Headers["friendlyName"]; hasProvider || named {
						found = append(found, block.Type+": "+provider+", "+container)
					}
				}
				want := []string{"PRIVATE KEY: " + farm.KeyProvider + ", " + farm.KeyContainer(bundle.Certificate.Thumbprint)}
				if diff := cmp.Diff(want, found); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	})

	t.Run("OpenSSL reads the algorithms of each Windows", func(t *testing.T) {
		for build, algorithms := range map[int][]string{
			server2016: {"MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC"},
			server2019: {"MAC: sha256", "PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256"},
		} {
			t.Run(fmt.Sprintf("build %d", build), func(t *testing.T) {
				bundle := loadBundle(t)
				file := encodeBundle(t, bundle, build)
				info := runOpenSSL(t, file, "pkcs12", "-info", "-in", "INPUT", "-noenc", "-passin", "pass:"+password)
				for _, want := range append(algorithms, "Microsoft CSP Name: "+farm.KeyProvider, "friendlyName: "+farm.KeyContainer(bundle.Certificate.Thumbprint), "subject=CN = OOS S2S", "subject=CN = Root CA") {
					if !strings.Contains(info, want) {
						t.Errorf("openssl does not mention %q:\n%s", want, withoutBase64(info))
					}
				}
			})
		}
	})

	t.Run("a password that no PFX can have is refused", func(t *testing.T) {
		_, err := loadBundle(t).Encode(server2019, farm.KeyProvider, []byte("\U0001F511"))
		if err == nil || strings.Contains(err.Error(), "\U0001F511") {
			t.Errorf("got %v", err)
		}
	})
}

func TestLoad_OpenSSL(t *testing.T) {
	t.Run("what OpenSSL exports loads", func(t *testing.T) {
		plain := runOpenSSL(t, encodeBundle(t, loadBundle(t), server2019), "pkcs12", "-in", "INPUT", "-noenc", "-passin", "pass:"+password)
		for name, options := range map[string][]string{
			"as by default":                       nil,
			"with 3DES":                           {"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
			"with a provider and a friendly name": {"-CSP", "Microsoft Software Key Storage Provider", "-name", "Grüße"},
		} {
			t.Run(name, func(t *testing.T) {
				file := runOpenSSL(t, []byte(plain), append([]string{"pkcs12", "-export", "-in", "INPUT", "-passout", "pass:" + password}, options...)...)
				got, err := cert.Load(t.Context(), []byte(file), []byte(password))
				if err != nil || len(got.Certificate.Chain) != 2 {
					t.Fatalf("%v, %v", got, err)
				}
				again, err := cert.Load(t.Context(), encodeBundle(t, got, server2016), []byte(password))
				if err != nil || again.Certificate.Thumbprint != got.Certificate.Thumbprint {
					t.Errorf("encoded again: %v, %v", again, err)
				}
			})
		}
	})

	t.Run("names decide where a signature by MD5 cannot be checked", func(t *testing.T) {
		key, err := x509.MarshalPKCS8PrivateKey(rsaKey())
		if err != nil {
			t.Fatal(err)
		}
		keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
		certPEM := runOpenSSL(t, keyPEM, "req", "-x509", "-md5", "-key", "INPUT", "-subj", "/CN=MD5")
		file := runOpenSSL(t, append(keyPEM, certPEM...), "pkcs12", "-export", "-in", "INPUT", "-passout", "pass:"+password)
		got, err := cert.Load(t.Context(), []byte(file), []byte(password))
		if err != nil || !got.Certificate.SelfSigned {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestNewPassword(t *testing.T) {
	t.Run("passwords are long and never the same", func(t *testing.T) {
		seen := map[string]bool{}
		for range 100 {
			password := string(cert.NewPassword())
			if !regexp.MustCompile(`^[A-Z2-7]{26,}$`).MatchString(password) {
				t.Fatalf("got %q, want at least 26 letters and digits", password)
			}
			if seen[password] {
				t.Fatalf("got %q twice", password)
			}
			seen[password] = true
		}
	})
}

func TestBundle(t *testing.T) {
	t.Run("never shows its key", func(t *testing.T) {
		bundle := loadBundle(t)
		key := rsaKey()
		within := struct {
			Shown  cert.Bundle
			hidden *cert.Bundle
		}{*bundle, bundle}
		var all strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&all, verb+verb+verb+verb, bundle, *bundle, within, &within)
		}
		logger := slog.New(slog.NewTextHandler(&all, nil))
		logger.Info("loaded", "bundle", bundle, "value", *bundle, "within", within)
		for _, secret := range []string{key.D.String(), key.D.Text(16), key.Primes[0].String(), key.Primes[1].Text(16), fmt.Sprint(key.D.Bits())} {
			if strings.Contains(strings.ToLower(all.String()), strings.Trim(secret, "[]")) {
				t.Errorf("the key shows as %.20s...", secret)
			}
		}
		want := "certificate " + bundle.Certificate.Thumbprint.Short() + " (CN=OOS S2S)"
		if got := fmt.Sprintf("%v", bundle); got != want {
			t.Errorf("prints as %q; want %q", got, want)
		}
	})

	t.Run("refuses to be marshalled", func(t *testing.T) {
		bundle := loadBundle(t)
		if _, err := json.Marshal(map[string]any{"bundle": bundle}); !errors.Is(err, cert.ErrStays) {
			t.Errorf("json: %v", err)
		}
		if _, err := json.Marshal(*bundle); !errors.Is(err, cert.ErrStays) {
			t.Errorf("json of a value: %v", err)
		}
		if err := gob.NewEncoder(&bytes.Buffer{}).Encode(bundle); !errors.Is(err, cert.ErrStays) {
			t.Errorf("gob: %v", err)
		}
		if _, err := bundle.MarshalText(); !errors.Is(err, cert.ErrStays) {
			t.Errorf("text: %v", err)
		}
		if _, err := json.Marshal(bundle.Certificate); err != nil {
			t.Errorf("the public part: %v", err)
		}
	})
}

// loadBundle returns a certificate with a chain of two.
func loadBundle(t testing.TB) *cert.Bundle {
	t.Helper()
	leaf, middle, root := issueChain(t, nil)
	bundle, err := cert.Load(t.Context(), encodePFX(t, leaf.key, leaf, middle, root), []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func encodeBundle(t testing.TB, b *cert.Bundle, build int) []byte {
	t.Helper()
	file, err := b.Encode(build, farm.KeyProvider, []byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// runOpenSSL runs openssl with input in the file that INPUT stands for, and returns
// its output.
func runOpenSSL(t testing.TB, input []byte, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, input, 0o600); err != nil {
		t.Fatal(err)
	}
	args = slices.Clone(args)
	args[slices.Index(args, "INPUT")] = path
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", args, err, withoutBase64(string(out)))
	}
	return string(out)
}

func withoutBase64(s string) string {
	var kept []string
	for line := range strings.SplitSeq(s, "\n") {
		if len(line) < 64 || strings.Contains(line, " ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}
