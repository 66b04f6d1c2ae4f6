package cert_test

import (
	"bytes"
	"encoding/pem"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/cert"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Events say what OpenSSL, or a program like it, has read from a certificate.
func TestIdentify_AgreesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl")
	}
	b, err := cert.SelfSigned("OOS S2S", time.Now(), time.Hour, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := b.Certificate.DER
	got, err := cert.Identify(der)
	if err != nil {
		t.Fatal(err)
	}
	show := func(args ...string) string {
		c := exec.CommandContext(t.Context(), openssl, append([]string{"x509", "-noout"}, args...)...)
		c.Stdin = bytes.NewReader(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		_, value, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
		return value
	}
	for want, is := range map[string]string{
		string(got.Thumbprint): show("-fingerprint", "-sha1"), got.SHA256: show("-fingerprint", "-sha256"),
	} {
		if parsed, err := farm.ParseFingerprint(is); err != nil || parsed != want {
			t.Errorf("openssl says %q, want %s (%v)", is, want, err)
		}
	}
	if readings, err := farm.ParseSerial(show("-serial")); err != nil || !slices.Contains(readings, got.Serial) {
		t.Errorf("openssl says serial %v, want %s (%v)", readings, got.Serial, err)
	}
	if subject := show("-subject"); !farm.SameSubject(subject, got.Subject) {
		t.Errorf("openssl says %q, want %s", subject, got.Subject)
	}
	if len(got.Names) == 0 || !strings.HasPrefix(got.Names[0], "OOS S2S") || got.NotAfter.IsZero() {
		t.Errorf("got %+v", got)
	}
}

func FuzzIdentify(f *testing.F) {
	b, err := cert.SelfSigned("OOS S2S", time.Now(), time.Hour, 2048)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Certificate.DER)
	f.Add([]byte("no certificate"))
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := cert.Identify(der)
		if err == nil && (got.Thumbprint != farm.ThumbprintOf(der) || len(got.SHA256) != 64 || got.Serial == "" || farm.SizeOf(got) > 20<<10) {
			t.Errorf("got %+v", got)
		}
	})
}
