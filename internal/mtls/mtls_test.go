package mtls_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/mtls"
)

func newSet(t *testing.T) mtls.Set {
	t.Helper()
	s, err := mtls.New([]string{"127.0.0.1", "temporal"}, "worker")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect lets a client talk to a server, and returns what stopped it.
func connect(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

func TestNew_OnlyItsClientsAndServersKnowEachOther(t *testing.T) {
	own, foreign := newSet(t), newSet(t)
	server, err := own.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	clientOf := func(s mtls.Set, pair mtls.Pair, name string) *tls.Config {
		c, err := s.ClientTLS(pair, name)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	anybody := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // as an attacker would
	trusting := clientOf(foreign, foreign.Clients["worker"], "temporal")
	trusting.RootCAs = clientOf(own, own.Clients["worker"], "temporal").RootCAs
	for name, c := range map[string]struct {
		client *tls.Config
		want   string
	}{
		"a client of the set":                      {clientOf(own, own.Clients["worker"], "temporal"), ""},
		"by its address":                           {clientOf(own, own.Clients["worker"], "127.0.0.1"), ""},
		"another service of the server":            {clientOf(own, own.Server, "temporal"), ""},
		"a server of another name":                 {clientOf(own, own.Clients["worker"], "elsewhere"), "elsewhere"},
		"a client that trusts another set":         {clientOf(foreign, foreign.Clients["worker"], "temporal"), "unknown authority"},
		"a client without a certificate":           {anybody, "certificate required"},
		"a client with a certificate of another":   {trusting, "unknown certificate authority"},
		"a client's certificate is not a server's": {nil, "cannot validate certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			accepting, client := server, c.client
			if client == nil {
				posing := own
				posing.Server = own.Clients["worker"]
				if accepting, err = posing.ServerTLS(); err != nil {
					t.Fatal(err)
				}
				client = clientOf(own, own.Clients["worker"], "127.0.0.1")
			}
			err := connect(t, accepting, client)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNew_OpenSSLAcceptsTheChain(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	s, dir := newSet(t), t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := write("ca.pem", s.Authority)
	for purpose, certificate := range map[string][]byte{"sslserver": s.Server.Certificate, "sslclient": s.Clients["worker"].Certificate} {
		out, err := exec.CommandContext(t.Context(), openssl, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", authority, write(purpose, certificate)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %s", purpose, out)
		}
	}
	if out, err := exec.CommandContext(t.Context(), openssl, "x509", "-in", filepath.Join(dir, "sslserver"), "-noout", "-checkip", "127.0.0.1", "-checkhost", "temporal").CombinedOutput(); err != nil || strings.Contains(string(out), "NOT") {
		t.Errorf("%s %v", out, err)
	}
}

func TestPair_IsNeverPrinted(t *testing.T) {
	s := newSet(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, s.Clients["worker"]) + fmt.Sprintf(verb, s.Clients); strings.Contains(text, "PRIVATE") || strings.Contains(text, fmt.Sprint(s.Server.Key[0])+" ") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
