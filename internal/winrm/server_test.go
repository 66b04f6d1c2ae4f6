package winrm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

const (
	serverName = "oos-01.contoso.com"
	user       = `CONTOSO\svc-oos`
	password   = "correct horse battery staple"
	script     = "Get-SharePointServer"
)

// scriptHost runs scripts as our bootstrap on Windows would. It knows no other
// command line.
type scriptHost func(ctx context.Context, e powershell.Envelope) (any, error)

// Run implements [wsman.Host].
func (h scriptHost) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	if c.Text() != powershell.CommandLine() {
		return wsman.Result{Stderr: []byte("not recognized"), Exit: 1}, nil
	}
	stdin, err := io.ReadAll(c.Stdin)
	if err != nil {
		return wsman.Result{}, err
	}
	e, err := powershell.Open(stdin)
	if err != nil {
		return wsman.Result{Stdout: []byte("@@BAD stdin\r\n"), Exit: powershell.ExitBadStdin}, nil
	}
	result, err := h(ctx, e)
	if no, ok := errors.AsType[*powershell.ScriptError](err); ok {
		line, err := powershell.FormatError(e.Nonce, *no)
		return wsman.Result{Stdout: line}, err
	}
	if err != nil {
		return wsman.Result{}, err
	}
	line, err := powershell.FormatResult(e.Nonce, result)
	return wsman.Result{Stdout: line}, err
}

// echo is what the script of most tests returns.
type echo struct {
	Said    string `json:"said"`
	Secrets int    `json:"secrets"`
}

// echoHost returns the parameter "say" and the size of the secrets.
var echoHost = scriptHost(func(_ context.Context, e powershell.Envelope) (any, error) {
	n := 0
	for _, s := range e.Secrets {
		n += len(s)
	}
	return echo{Said: string(e.Params), Secrets: n}, nil
})

// testServer is a Windows server, as seen from the network.
type testServer struct {
	*wsman.Endpoint
	ca []byte
}

// startServer runs a server until the test ends. options needs only what differs.
func startServer(t testing.TB, h wsman.Host, options wsman.Options) *testServer {
	t.Helper()
	certificate, ca := issueCertificate(t, serverName, newKey(t, elliptic.P256()))
	return startServerAs(t, h, options, certificate, ca)
}

// startServerAs is [startServer] with a certificate of the caller's choice.
func startServerAs(t testing.TB, h wsman.Host, options wsman.Options, certificate tls.Certificate, ca []byte) *testServer {
	t.Helper()
	options.Name, options.Certificate = serverName, certificate
	options.Password = func(name string) (string, bool) {
		return password, name == user || name == "svc-oos@contoso.com" || name == "local"
	}
	e, err := wsman.Start(options, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &testServer{Endpoint: e, ca: ca}
}

func (s *testServer) target() powershell.Target {
	return powershell.Target{Host: serverName, Address: s.Addr().String(), Connection: "office"}
}

// connection is one that the server accepts.
func (s *testServer) connection(t testing.TB) winrm.Connection {
	t.Helper()
	return winrm.Connection{Auth: winrm.NTLM, User: user, Password: secretFile(t, password), CA: s.ca}
}

// secretFile names a secret of the given content.
func secretFile(t testing.TB, content string) secret.Ref {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Ref("file:" + file)
}

// testTimeouts are timeouts for a server in the same process.
var testTimeouts = winrm.Timeouts{Connect: 5 * time.Second, Operation: time.Second, Response: 5 * time.Second, Cleanup: 5 * time.Second}

// newRunner returns a runner with one connection, "office". The test ends when it
// has deleted its shells.
func newRunner(t testing.TB, c winrm.Connection, log *zap.Logger, options ...winrm.Option) *winrm.Runner {
	t.Helper()
	r := winrm.New(func(name string) (winrm.Connection, error) {
		if name != "office" {
			return winrm.Connection{}, errors.New("no such connection")
		}
		return c, nil
	}, log, append(options, winrm.WithTimeouts(testTimeouts))...)
	t.Cleanup(r.Close)
	return r
}

// newCall returns a call that carries a secret of that many bytes.
func newCall(secrets int) powershell.Call {
	call := powershell.Call{Script: script, Params: map[string]string{"Say": "hello"}}
	if secrets > 0 {
		call.Secrets = [][]byte{make([]byte, secrets)}
	}
	return call
}

// requireKind checks that err is a transport error of that kind and names its
// script.
func requireKind(t testing.TB, err error, kind powershell.Kind) {
	t.Helper()
	got := requireTransportError(t, err)
	if got.Kind != kind {
		t.Fatalf("got kind %q (%v), want %q", got.Kind, err, kind)
	}
	if !strings.Contains(err.Error(), script) {
		t.Errorf("the error does not name its script: %v", err)
	}
}

func requireTransportError(t testing.TB, err error) *powershell.TransportError {
	t.Helper()
	got, ok := errors.AsType[*powershell.TransportError](err)
	if !ok {
		t.Fatalf("got %v (%T), want a transport error", err, err)
	}
	return got
}

// assertFreed checks that soon the server has no shell, command or connection of
// ours.
func (s *testServer) assertFreed(t testing.TB) {
	t.Helper()
	awaitOrFail(t, func() bool {
		now := s.Stats()
		return now.Shells == 0 && now.Commands == 0 && now.Open == 0
	}, func() { t.Errorf("left on the server: %+v", s.Stats()) })
}

// awaitOrFail waits for what happens in the background, or calls otherwise.
func awaitOrFail(t testing.TB, ok func() bool, otherwise func()) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			otherwise()
			return
		}
	}
}

// assertGoroutines checks that there are soon no more than before.
func assertGoroutines(t testing.TB, before int) {
	t.Helper()
	awaitOrFail(t, func() bool { return runtime.NumGoroutine() <= before }, func() {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

// issueCertificate makes a certificate for a server, and in PEM the CA that issued
// it, which has the key authority.
func issueCertificate(t testing.TB, name string, authority crypto.Signer) (tls.Certificate, []byte) {
	t.Helper()
	template := func(cn string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	create := func(template, parent *x509.Certificate, key crypto.Signer) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), authority)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	ca := template("Test CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER := create(ca, ca, authority)
	leaf, leafKey := template(name), newKey(t, elliptic.P256())
	leaf.DNSNames, leaf.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER := create(leaf, ca, leafKey)
	return tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// unusedAddress returns one that refuses connections.
func unusedAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}
