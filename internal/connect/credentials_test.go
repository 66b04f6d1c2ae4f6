package connect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// testCA issues the certificates of a test's server and clients.
type testCA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	folder      string
}

func newTestCA(t *testing.T) *testCA {
	t.Helper()
	ca := &testCA{key: newKey(t), pool: x509.NewCertPool(), folder: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.pool.AddCert(ca.certificate)
	ca.write(t, "ca.pem", "CERTIFICATE", der)
	return ca
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (ca *testCA) path(name string) string { return filepath.Join(ca.folder, name) }

func (ca *testCA) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(ca.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate and its key to name.pem and name.key.
func (ca *testCA) issue(t *testing.T, name string, serial int64, notBefore, notAfter time.Time) {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: notBefore, NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, ca.certificate, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ca.write(t, name+".pem", "CERTIFICATE", der)
	ca.write(t, name+".key", "PRIVATE KEY", pkcs8)
}

// issueValid issues a certificate that is valid now.
func (ca *testCA) issueValid(t *testing.T, name string, serial int64) {
	t.Helper()
	ca.issue(t, name, serial, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// whoAmI is a Temporal server that remembers which client certificate and which
// authorization the last call came with.
type whoAmI struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu            sync.Mutex
	serial        string
	authorization []string
}

func (w *whoAmI) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			w.serial = info.State.PeerCertificates[0].SerialNumber.String()
		}
	}
	incoming, _ := metadata.FromIncomingContext(ctx)
	w.authorization = incoming.Get("authorization")
	return &workflowservice.GetSystemInfoResponse{}, nil
}

// startTLS starts a server that demands client certificates of ca, and closes each
// connection after a moment, as Temporal does after minutes.
func startTLS(t *testing.T, ca *testCA, auth tls.ClientAuthType) *whoAmI {
	t.Helper()
	ca.issueValid(t, "server", 2)
	own, err := tls.LoadX509KeyPair(ca.path("server.pem"), ca.path("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &whoAmI{}
	s := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: auth, ClientCAs: ca.pool})),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 20 * time.Millisecond}),
	)
	workflowservice.RegisterWorkflowServiceServer(s, w)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	ignoreConfigFile(t)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	t.Setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", ca.path("ca.pem"))
	return w
}

// dialLogging connects by Temporal's settings and returns the log as well.
func dialLogging(t *testing.T) (client.Client, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	options, err := connect.Settings(connect.Options{Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, logs
}

// call calls the server until it has seen what holds reports, on connections that
// may be new.
func (w *whoAmI) call(t *testing.T, c client.Client, holds func() bool) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		// A call on a connection that the server is closing may fail.
		if _, err = c.WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{}); err != nil {
			continue
		}
		w.mu.Lock()
		held := holds()
		w.mu.Unlock()
		if held {
			return
		}
	}
	t.Fatalf("the server saw the certificate %s and the authorization %v; the last error is %v", w.serial, w.authorization, err)
}

// callOnNewConnections calls the server for ten lives of a connection.
func (w *whoAmI) callOnNewConnections(t *testing.T, c client.Client) {
	t.Helper()
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
		w.call(t, c, func() bool { return true })
	}
}

// countOf counts log entries whose message contains part.
func countOf(logs *observer.ObservedLogs, part string) int {
	n := 0
	for _, e := range logs.All() {
		if strings.Contains(e.Message, part) {
			n++
		}
	}
	return n
}

func TestClientCertificate_FollowsItsFiles(t *testing.T) {
	ca := newTestCA(t)
	w := startTLS(t, ca, tls.RequireAndVerifyClientCert)
	ca.issueValid(t, "client", 100)
	t.Setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", ca.path("client.pem"))
	t.Setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", ca.path("client.key"))
	c, logs := dialLogging(t)
	w.call(t, c, func() bool { return w.serial == "100" })

	ca.issueValid(t, "client", 101)
	w.call(t, c, func() bool { return w.serial == "101" })
	if countOf(logs, "was replaced") != 1 {
		t.Errorf("the log does not say once that the certificate was replaced: %v", logs.All())
	}

	for name, spoil := range map[string]func(){
		"not PEM":         func() { writeTo(t, ca.path("client.pem"), "no certificate") },
		"another's key":   func() { ca.issueValid(t, "other", 7); copyTo(t, ca.path("other.key"), ca.path("client.key")) },
		"expired":         func() { ca.issue(t, "client", 102, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)) },
		"not valid yet":   func() { ca.issue(t, "client", 103, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)) },
		"too large":       func() { writeTo(t, ca.path("client.pem"), strings.Repeat("x", 1<<20+1)) },
		"gone":            func() { removeFile(t, ca.path("client.key")) },
		"a folder, empty": func() { removeFile(t, ca.path("client.pem")); makeFolder(t, ca.path("client.pem")) },
	} {
		t.Run("the one before stays in use while the new one is "+name, func(t *testing.T) {
			ca.issueValid(t, "client", 101)
			w.call(t, c, func() bool { return w.serial == "101" })
			logs.TakeAll()
			spoil()
			w.callOnNewConnections(t, c)
			w.call(t, c, func() bool { return w.serial == "101" })
			if countOf(logs, "stays in use") != 1 {
				t.Errorf("the log does not warn once: %v", logs.All())
			}
			if err := os.RemoveAll(ca.path("client.pem")); err != nil {
				t.Fatal(err)
			}
			ca.issueValid(t, "client", 104)
			w.call(t, c, func() bool { return w.serial == "104" })
		})
	}
}

func TestAPIKey_FollowsItsFile(t *testing.T) {
	ca := newTestCA(t)
	w := startTLS(t, ca, tls.NoClientCert)
	key := ca.path("api-key")
	writeTo(t, key, "first-key\n")
	t.Setenv("TEMPORAL_API_KEY", "file:"+key)
	c, logs := dialLogging(t)
	w.call(t, c, func() bool { return slices.Equal(w.authorization, []string{"Bearer first-key"}) })

	writeTo(t, key, "second-key")
	w.call(t, c, func() bool { return slices.Equal(w.authorization, []string{"Bearer second-key"}) })

	for name, content := range map[string]string{
		"empty": "", "two lines": "third-key\nrest", "too large": strings.Repeat("x", 64<<10+1), "not ASCII": "third-k\u00e9y",
	} {
		t.Run("the one before stays in use while the new one is "+name, func(t *testing.T) {
			writeTo(t, key, "second-key")
			w.call(t, c, func() bool { return slices.Equal(w.authorization, []string{"Bearer second-key"}) })
			logs.TakeAll()
			writeTo(t, key, content)
			for range 3 {
				w.call(t, c, func() bool { return slices.Equal(w.authorization, []string{"Bearer second-key"}) })
			}
			if countOf(logs, "stays in use") != 1 {
				t.Errorf("the log does not warn once: %v", logs.All())
			}
			for _, e := range logs.All() {
				for _, secret := range []string{"second-key", "third-k"} {
					if text := e.Message + " " + strings.Join(fieldTexts(e), " "); strings.Contains(text, secret) {
						t.Errorf("the log contains a key: %s", text)
					}
				}
			}
		})
	}
}

func fieldTexts(e observer.LoggedEntry) []string {
	var all []string
	for name, value := range e.ContextMap() {
		if s, ok := value.(string); ok {
			all = append(all, name+"="+s)
		}
	}
	return all
}

func TestSettings_CredentialsThatAreMissingAtTheStart(t *testing.T) {
	ignoreConfigFile(t)
	for name, c := range map[string]struct {
		set  map[string]string
		want string
	}{
		"API key":         {map[string]string{"TEMPORAL_API_KEY": "file:/no/such/key"}, "read API key file:/no/such/key"},
		"certificate":     {map[string]string{"TEMPORAL_TLS_CLIENT_CERT_PATH": "/no/such.pem", "TEMPORAL_TLS_CLIENT_KEY_PATH": "/no/such.key"}, "read client certificate /no/such.pem"},
		"key without one": {map[string]string{"TEMPORAL_TLS_CLIENT_KEY_PATH": "/no/such.key"}, "other must be present too"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.set {
				t.Setenv(variable, value)
			}
			if _, err := connect.Settings(connect.Options{Log: zap.NewNop()}); !strings.Contains(textOf(err), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestSettings_AKeyThatOthersCanReadIsRefused(t *testing.T) {
	ignoreConfigFile(t)
	ca := newTestCA(t)
	ca.issue(t, "client", 2, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	t.Setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", ca.path("client.pem"))
	t.Setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", ca.path("client.key"))
	if err := os.Chmod(ca.path("client.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := connect.Settings(connect.Options{Log: zap.NewNop()}); !strings.Contains(textOf(err), ca.path("client.key")) {
		t.Errorf("got %v", err)
	}
}

func writeTo(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeTo(t, to, string(content))
}

func removeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func makeFolder(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
