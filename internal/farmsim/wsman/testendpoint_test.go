package wsman_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
)

const (
	serverName = "oos-01.contoso.test"
	user       = "svc-oos"
	password   = "Pä55 w0rd!"
)

// machine is a host with a handful of commands.
type machine struct {
	mu    sync.Mutex
	seen  []wsman.Command
	ended chan string // commands whose context ended, by their text
}

func (m *machine) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	m.mu.Lock()
	m.seen = append(m.seen, c)
	m.mu.Unlock()
	verb, rest, _ := strings.Cut(decoded(c.Text()), " ")
	switch verb {
	case "hostname":
		return wsman.Result{Stdout: []byte("OOS-01\r\n")}, nil
	case "echo":
		return wsman.Result{Stdout: []byte(rest + "\r\n")}, nil
	case "fail":
		return wsman.Result{Stdout: []byte("out"), Stderr: []byte("err"), Exit: 3}, nil
	case "cat":
		in, err := io.ReadAll(c.Stdin)
		return wsman.Result{Stdout: in}, err
	case "sleep":
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond) // a process takes a moment to end
		m.ended <- c.Text()
		return wsman.Result{}, ctx.Err()
	case "broken":
		return wsman.Result{}, errors.New("the model broke")
	case "missing":
		return wsman.Result{}, wsman.FileNotFound()
	case "late":
		return wsman.Result{Stdout: []byte("late")}, wsman.TimedOut()
	case "unauthorized":
		return wsman.Result{Stdout: []byte("kept")}, wsman.Disruption{Kind: wsman.Unauthorized}
	case "dropped":
		return wsman.Result{Stdout: []byte("lost")}, wsman.Disruption{Kind: wsman.Dropped}
	}
	return wsman.Result{Stderr: []byte("'" + verb + "' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"), Exit: 1}, nil
}

// decoded is what PowerShell is told to run, in clear; ansible sends all of its
// commands so.
func decoded(line string) string {
	_, script, encoded := strings.Cut(line, " -EncodedCommand ")
	if !encoded {
		return line
	}
	b, err := base64.StdEncoding.DecodeString(script)
	if err != nil {
		return line
	}
	return strings.ReplaceAll(string(b), "\x00", "") // UTF-16 of ASCII
}

func (m *machine) commands() []wsman.Command {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]wsman.Command(nil), m.seen...)
}

// testEndpoint is an endpoint with its machine and the CA that certifies it.
type testEndpoint struct {
	*wsman.Endpoint
	machine *machine
	ca      []byte // PEM
}

// start starts an endpoint that knows one user and offers Basic and NTLM.
func start(t *testing.T, change ...func(*wsman.Options)) testEndpoint {
	t.Helper()
	certificate, ca := certify(t, serverName)
	o := wsman.Options{
		Name:        serverName,
		Certificate: certificate,
		Offers:      []wsman.Auth{wsman.NTLM, wsman.Basic},
		Password: func(name string) (string, bool) {
			return password, strings.EqualFold(name, user) || strings.EqualFold(name, `CONTOSO\`+user)
		},
	}
	for _, c := range change {
		c(&o)
	}
	m := &machine{ended: make(chan string, 100)}
	e, err := wsman.Start(o, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return testEndpoint{Endpoint: e, machine: m, ca: ca}
}

var keys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// certify makes a throw-away authority and a certificate for a server.
func certify(t *testing.T, name string) (tls.Certificate, []byte) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
}
