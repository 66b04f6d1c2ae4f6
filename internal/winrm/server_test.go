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

// host answers our bootstrap as Windows would; any other command line is
// unknown to it.
type host func(ctx context.Context, e powershell.Envelope) (any, error)

// Run implements [wsman.Host].
func (h host) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
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

// echoing returns the parameter "say" and the size of the secrets.
var echoing = host(func(_ context.Context, e powershell.Envelope) (any, error) {
	n := 0
	for _, s := range e.Secrets {
		n += len(s)
	}
	return echo{Said: string(e.Params), Secrets: n}, nil
})

// server is a Windows server, as seen from the network.
type server struct {
	*wsman.Endpoint
	ca []byte
}

// start runs a server until the test ends. options needs only what differs.
func start(t testing.TB, h wsman.Host, options wsman.Options) *server {
	t.Helper()
	certificate, ca := issue(t, serverName, newKey(t, elliptic.P256()))
	return startAs(t, h, options, certificate, ca)
}

// startAs is start with a certificate of the caller's choice.
func startAs(t testing.TB, h wsman.Host, options wsman.Options, certificate tls.Certificate, ca []byte) *server {
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
	return &server{Endpoint: e, ca: ca}
}

func (s *server) target() powershell.Target {
	return powershell.Target{Host: serverName, Address: s.Addr().String(), Connection: "office"}
}

// connection is one that the server welcomes.
func (s *server) connection(t testing.TB) winrm.Connection {
	t.Helper()
	return winrm.Connection{Auth: winrm.NTLM, User: user, Password: inFile(t, password), CA: s.ca}
}

// inFile names a secret of the given content.
func inFile(t testing.TB, content string) secret.Ref {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return secret.Ref("file:" + file)
}

// quick are timeouts for a server in the same process.
var quick = winrm.Timeouts{Connect: 5 * time.Second, Operation: time.Second, Answer: 5 * time.Second, Free: 5 * time.Second}

// runner reaches servers by one connection, and has freed all by the test's end.
func runner(t testing.TB, c winrm.Connection, log *zap.Logger) *winrm.Runner {
	t.Helper()
	r := winrm.New(func(name string) (winrm.Connection, error) {
		if name != "office" {
			return winrm.Connection{}, errors.New("no such connection")
		}
		return c, nil
	}, log, winrm.WithTimeouts(quick))
	t.Cleanup(r.Close)
	return r
}

// say is a call that carries secrets of so many bytes.
func say(secrets int) powershell.Call {
	call := powershell.Call{Script: script, Params: map[string]string{"Say": "hello"}}
	if secrets > 0 {
		call.Secrets = [][]byte{make([]byte, secrets)}
	}
	return call
}

// wantKind checks that err is a transport error of a kind that names its script.
func wantKind(t testing.TB, err error, kind powershell.Kind) {
	t.Helper()
	got := transportError(t, err)
	if got.Kind != kind {
		t.Fatalf("got kind %q (%v), want %q", got.Kind, err, kind)
	}
	if !strings.Contains(err.Error(), script) {
		t.Errorf("the error does not name its script: %v", err)
	}
}

func transportError(t testing.TB, err error) *powershell.TransportError {
	t.Helper()
	got, ok := errors.AsType[*powershell.TransportError](err)
	if !ok {
		t.Fatalf("got %v (%T), want a transport error", err, err)
	}
	return got
}

// wantFreed checks that the server comes to hold no shell, command or
// connection of ours.
func (s *server) wantFreed(t testing.TB) {
	t.Helper()
	eventually(t, func() bool {
		now := s.Stats()
		return now.Shells == 0 && now.Commands == 0 && now.Open == 0
	}, func() { t.Errorf("left on the server: %+v", s.Stats()) })
}

// eventually waits for what happens in the background.
func eventually(t testing.TB, ok func() bool, otherwise func()) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			otherwise()
			return
		}
	}
}

// wantNoMoreGoroutines checks that their number comes back to what it was.
func wantNoMoreGoroutines(t testing.TB, before int) {
	t.Helper()
	eventually(t, func() bool { return runtime.NumGoroutine() <= before }, func() {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

// issue makes a certificate for a server, and in PEM the authority behind it,
// which has the given key.
func issue(t testing.TB, name string, authority crypto.Signer) (tls.Certificate, []byte) {
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

// unusedAddress is one that refuses connections.
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
