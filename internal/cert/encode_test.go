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

func TestWhatIsEncodedLoadsAgain(t *testing.T) {
	for _, build := range []int{unknown, server2016, server2019, server2022} {
		want := loadBundle(t)
		got, err := cert.Load(encodeBundle(t, want, build), []byte(password))
		if err != nil {
			t.Errorf("build %d: %v", build, err)
			continue
		}
		if diff := cmp.Diff(want.Certificate, got.Certificate); diff != "" {
			t.Errorf("build %d: -want +got:\n%s", build, diff)
		}
		if _, err := cert.Load(encodeBundle(t, want, build), []byte("wrong")); !errors.Is(err, cert.ErrPassword) {
			t.Errorf("build %d: a wrong password: %v", build, err)
		}
	}
}

func TestTheKeyNamesItsProvider(t *testing.T) {
	for _, build := range []int{server2016, server2019} {
		blocks, err := pkcs12.ToPEM(encodeBundle(t, loadBundle(t), build), password) //nolint:staticcheck // the one reader that shows attributes
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, block := range blocks {
			if provider, ok := block.Headers["Microsoft CSP Name"]; ok {
				named = append(named, block.Type+": "+provider)
			}
		}
		if diff := cmp.Diff([]string{"PRIVATE KEY: " + farm.KeyProvider}, named); diff != "" {
			t.Errorf("build %d: -want +got:\n%s", build, diff)
		}
	}
}

func TestOpenSSLReadsWhatEachWindowsReads(t *testing.T) {
	for build, algorithms := range map[int][]string{
		server2016: {"MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC"},
		server2019: {"MAC: sha256", "PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256"},
	} {
		file := encodeBundle(t, loadBundle(t), build)
		info := runOpenSSL(t, file, "pkcs12", "-info", "-in", "INPUT", "-noenc", "-passin", "pass:"+password)
		for _, want := range append(algorithms, "Microsoft CSP Name: "+farm.KeyProvider, "subject=CN = OOS S2S", "subject=CN = Root CA") {
			if !strings.Contains(info, want) {
				t.Errorf("build %d: openssl does not tell %q:\n%s", build, want, withoutBase64(info))
			}
		}
	}
}

func TestWhatOpenSSLExportsLoads(t *testing.T) {
	plain := runOpenSSL(t, encodeBundle(t, loadBundle(t), server2019), "pkcs12", "-in", "INPUT", "-noenc", "-passin", "pass:"+password)
	for name, options := range map[string][]string{
		"as by default":                       nil,
		"with 3DES":                           {"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		"with a provider and a friendly name": {"-CSP", "Microsoft Software Key Storage Provider", "-name", "Grüße"},
	} {
		file := runOpenSSL(t, []byte(plain), append([]string{"pkcs12", "-export", "-in", "INPUT", "-passout", "pass:" + password}, options...)...)
		got, err := cert.Load([]byte(file), []byte(password))
		if err != nil || len(got.Certificate.Chain) != 2 {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		again, err := cert.Load(encodeBundle(t, got, server2016), []byte(password))
		if err != nil || again.Certificate.Thumbprint != got.Certificate.Thumbprint {
			t.Errorf("%s, encoded anew: %v, %v", name, again, err)
		}
	}
}

func TestASignatureByMD5IsTakenByItsNames(t *testing.T) {
	key, err := x509.MarshalPKCS8PrivateKey(rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	certPEM := runOpenSSL(t, keyPEM, "req", "-x509", "-md5", "-key", "INPUT", "-subj", "/CN=MD5")
	file := runOpenSSL(t, append(keyPEM, certPEM...), "pkcs12", "-export", "-in", "INPUT", "-passout", "pass:"+password)
	got, err := cert.Load([]byte(file), []byte(password))
	if err != nil || !got.Certificate.SelfSigned {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAPasswordThatNoPFXCanHaveIsRefused(t *testing.T) {
	_, err := loadBundle(t).Encode(server2019, farm.KeyProvider, []byte("\U0001F511"))
	if err == nil || strings.Contains(err.Error(), "\U0001F511") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordsAreLongAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		password := string(cert.NewPassword())
		if len(password) < 26 || seen[password] || strings.Trim(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("got %q", password)
		}
		seen[password] = true
	}
}

func TestABundleNeverShowsItsKey(t *testing.T) {
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
}

func TestABundleRefusesToBeMarshalled(t *testing.T) {
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
}

// loadBundle is a certificate with a chain of two.
func loadBundle(t testing.TB) *cert.Bundle {
	t.Helper()
	leaf, middle, root := issueChain(t, nil)
	bundle, err := cert.Load(encodePFX(t, leaf.key, leaf, middle, root), []byte(password))
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

// runOpenSSL runs the program, where INPUT stands for a file with input, and
// returns all that it says.
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
