package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// makeCertificates runs the command in a folder, and returns what it says.
func makeCertificates(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out strings.Builder
	args = append([]string{"-dir", dir, "-names", "temporal,127.0.0.1", "-clients", "worker,ui"}, args...)
	if err := runCertificates(t.Context(), "worker", args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCertificates_AreMadeOnceAndReplacedTogether(t *testing.T) {
	dir := t.TempDir()
	assertSays := func(want string, args ...string) {
		t.Helper()
		if got := makeCertificates(t, dir, args...); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		assertTrustEachOther(t, dir)
	}
	assertSays("are new")
	first := readFile(t, filepath.Join(dir, "ui", "cert.pem"))
	assertSays("are there")
	if string(first) != string(readFile(t, filepath.Join(dir, "ui", "cert.pem"))) {
		t.Error("a certificate that was there was replaced")
	}
	assertSays("are new", "-renew")
	if err := os.Remove(filepath.Join(dir, "worker", "key.pem")); err != nil {
		t.Fatal(err)
	}
	assertSays("are new")
	// As if the job had been killed when it had written one folder.
	other := t.TempDir()
	makeCertificates(t, other)
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		if err := os.Rename(filepath.Join(other, "ui", name), filepath.Join(dir, "ui", name)); err != nil {
			t.Fatal(err)
		}
	}
	assertSays("are new")
}

// assertTrustEachOther fails the test unless every party's certificate is of the
// authority that every other one trusts, and its key is nobody else's to read.
func assertTrustEachOther(t *testing.T, dir string) {
	t.Helper()
	for _, party := range []string{"server", "worker", "ui"} {
		folder := filepath.Join(dir, party)
		pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(folder, "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", party, info.Mode(), err)
		}
		for _, other := range []string{"server", "worker", "ui"} {
			trusted := x509.NewCertPool()
			trusted.AppendCertsFromPEM(readFile(t, filepath.Join(dir, other, "ca.pem")))
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: trusted, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Errorf("%s does not trust %s: %v", other, party, err)
			}
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestCertificates_WrongFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-dir", "d"}, {"-dir", "d", "-names", "n"}, {"-dir", "d", "-names", "n", "-clients", "../up"}} {
		if err := runCertificates(t.Context(), "worker", args, io.Discard, io.Discard); !errors.As(err, new(*usageError)) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
