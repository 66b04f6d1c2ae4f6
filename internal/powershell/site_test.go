package powershell_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// farmName is the only name in the certificate of a [testSite], as Microsoft
// requires it of an Office Online Server farm.
const farmName = "office.contoso.com"

// testSite is a site over real TLS.
type testSite struct {
	address string
	// names are the server names of the TLS handshakes, hosts the Host headers of
	// the requests that reached it.
	mu           sync.Mutex
	names, hosts []string
}

// seen returns the names of the handshakes and the hosts of the requests so far.
func (s *testSite) seen() (names, hosts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names), slices.Clone(s.hosts)
}

// url returns a URL of the site under a name.
func (s *testSite) url(name string) string {
	_, port, _ := net.SplitHostPort(s.address)
	return "https://" + net.JoinHostPort(name, port) + "/hosting/discovery"
}

// startSite starts a site on an address that responds with a handler.
func startSite(t *testing.T, address string, certificate tls.Certificate, handle http.HandlerFunc) *testSite {
	t.Helper()
	listener, err := net.Listen("tcp", address) //nolint:noctx // a test's own
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	s := &testSite{address: listener.Addr().String()}
	note := func(list *[]string, name string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		*list = append(*list, name)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		note(&s.names, hello.ServerName)
		return &certificate, nil
	}}
	server := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(&s.hosts, r.Host)
		handle(w, r)
	})}
	go func() { _ = server.Serve(tls.NewListener(listener, settings)) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// testAuthority signs certificates for sites.
type testAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newTestAuthority(t *testing.T) testAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	requireNoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Contoso Root CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	requireNoError(t, err)
	made, err := x509.ParseCertificate(der)
	requireNoError(t, err)
	return testAuthority{certificate: made, key: key}
}

// sign makes the certificate of a site with one name.
func (a testAuthority) sign(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	requireNoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter,
	}, a.certificate, key.Public(), a.key)
	requireNoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// writeFile writes the certificate for the PowerShell under test to trust.
func (a testAuthority) writeFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}
	requireNoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

// ownRequest is a request of the scripts to the server that they run on.
type ownRequest struct {
	// Addresses are the server's own; none leaves what they really are.
	Addresses    []string `json:"addresses,omitempty"`
	URL          string   `json:"url"`
	Milliseconds int      `json:"milliseconds"`
}

type ownResponse struct {
	URL     string `json:"url"`
	Status  int    `json:"status"`
	Problem string `json:"problem"`
}

// probe runs what ships: no part of it is replaced but, where a request says so,
// the machine's addresses.
const probe = `
$really = ${function:Get-OwnHostEntry}
$responses = foreach ($request in (ConvertFrom-Json -InputObject $env:FARMTRUST_REQUESTS)) {
    $own = $really
    if ($null -ne $request.PSObject.Properties['addresses']) {
        $addresses = $request.addresses
        $own = { [pscustomobject] @{ Name = 'oos-01'; Addresses = $addresses } }
    }
    ${function:Get-OwnHostEntry} = $own
    Get-OwnResponse -Url $request.url -Milliseconds $request.milliseconds
}
ConvertTo-Json -InputObject @($responses) -Compress
`

// sendRequests has a real PowerShell send requests, with an environment.
func sendRequests(t *testing.T, environment []string, requests ...ownRequest) []ownResponse {
	t.Helper()
	text := "Set-StrictMode -Version 3.0\n$ErrorActionPreference = 'Stop'\n"
	for _, file := range []string{"prelude/windows/machine.ps1", "prelude/windows/web.ps1", "prelude/site.ps1"} {
		raw, err := os.ReadFile(filepath.Join("scripts", file))
		requireNoError(t, err)
		text += string(raw) + "\n"
	}
	path := filepath.Join(t.TempDir(), "probe.ps1")
	requireNoError(t, os.WriteFile(path, []byte(text+probe), 0o600))
	in, err := json.Marshal(requests)
	requireNoError(t, err)
	cmd := exec.CommandContext(t.Context(), requirePowerShell(t), "-NoProfile", "-NonInteractive", "-File", path) //nolint:gosec // the PowerShell that tests are run with
	cmd.Env = append(append(os.Environ(), environment...), "FARMTRUST_REQUESTS="+string(in))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	var responses []ownResponse
	if err := json.Unmarshal(out, &responses); err != nil || len(responses) != len(requests) {
		t.Fatalf("%v: %d responses to %d requests\n%s", err, len(responses), len(requests), out)
	}
	return responses
}

// TestOwnResponse checks the requests of the scripts against real sites.
//
// What .NET calls a failure has other names than in .NET Framework, which is what
// runs on servers: there it is ConnectFailure, TrustFailure, Timeout.
func TestOwnResponse(t *testing.T) {
	t.Parallel()
	requirePowerShell(t)
	trusted := newTestAuthority(t)
	var proxied atomic.Int32
	proxy := startProxy(t, &proxied)
	respond := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	ok := startSite(t, "127.0.0.1:0", trusted.sign(t, farmName), respond(http.StatusOK))
	warming := startSite(t, "127.0.0.1:0", trusted.sign(t, farmName), respond(http.StatusServiceUnavailable))
	locked := startSite(t, "127.0.0.1:0", trusted.sign(t, farmName), respond(http.StatusUnauthorized))
	redirecting := startSite(t, "127.0.0.1:0", trusted.sign(t, farmName), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, ok.url(farmName), http.StatusFound)
	})
	wrongName := startSite(t, "127.0.0.1:0", trusted.sign(t, "oos-01.contoso.com"), respond(http.StatusOK))
	untrusted := startSite(t, "127.0.0.1:0", newTestAuthority(t).sign(t, farmName), respond(http.StatusOK))
	release := make(chan struct{})
	slow := startSite(t, "127.0.0.1:0", trusted.sign(t, farmName), func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	elsewhere := startSite(t, "127.0.0.2:0", trusted.sign(t, farmName), respond(http.StatusOK))
	_, sharedPort, _ := net.SplitHostPort(elsewhere.address)
	neighbour := startSite(t, net.JoinHostPort("127.0.0.4", sharedPort), trusted.sign(t, "intranet.contoso.com"), respond(http.StatusOK))
	everywhere := startSite(t, ":0", trusted.sign(t, farmName), respond(http.StatusOK))
	closed := &testSite{address: closedAddress(t)}

	const timeout = 20_000
	cases := []struct {
		name    string
		request ownRequest
		want    int
		// problem is one of these where there is no status.
		problem []string
	}{
		{"the farm's name alone is in the certificate", ownRequest{URL: ok.url(farmName)}, 200, nil},
		{"while IIS warms up", ownRequest{URL: warming.url(farmName)}, 503, nil},
		{"credentials are asked for", ownRequest{URL: locked.url(farmName)}, 401, nil},
		{"a redirection is not followed", ownRequest{URL: redirecting.url(farmName)}, 302, nil},
		{"the certificate has another name", ownRequest{URL: wrongName.url(farmName)}, 0, []string{"TrustFailure", "SecureChannelFailure", "UnknownError"}},
		{"the certificate is not trusted", ownRequest{URL: untrusted.url(farmName)}, 0, []string{"TrustFailure", "SecureChannelFailure", "UnknownError"}},
		{"nothing listens", ownRequest{URL: closed.url(farmName)}, 0, []string{"ConnectFailure", "UnknownError"}},
		{"no response in time", ownRequest{URL: slow.url(farmName), Milliseconds: 500}, 0, []string{"Timeout"}},
		{"another site listens on another address", ownRequest{URL: elsewhere.url(farmName), Addresses: []string{"127.0.0.4", "127.0.0.2"}}, 200, nil},
		{"only another site listens", ownRequest{URL: elsewhere.url(farmName), Addresses: []string{"127.0.0.4"}}, 0, []string{"TrustFailure", "SecureChannelFailure", "UnknownError"}},
		{"the first address that responds decides", ownRequest{URL: elsewhere.url(farmName), Addresses: []string{"127.0.0.3", "127.0.0.2"}}, 200, nil},
		{"loopback where no address listens", ownRequest{URL: ok.url(farmName), Addresses: []string{"127.0.0.3"}}, 200, nil},
		{"the machine's own addresses", ownRequest{URL: everywhere.url(farmName)}, 200, nil},
	}
	var requests []ownRequest
	for _, c := range cases {
		if c.request.Milliseconds == 0 {
			c.request.Milliseconds = timeout
		}
		requests = append(requests, c.request)
	}
	responses := sendRequests(t, []string{
		"SSL_CERT_FILE=" + trusted.writeFile(t), "HTTPS_PROXY=" + proxy, "HTTP_PROXY=" + proxy, "ALL_PROXY=" + proxy,
	}, requests...)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := responses[i]
			if diff := cmp.Diff(ownResponse{URL: c.request.URL, Status: c.want, Problem: got.Problem}, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			if fits := slices.Contains(c.problem, got.Problem); fits != (c.want == 0) || c.want != 0 && got.Problem != "" {
				t.Errorf("problem %q, want one of %q", got.Problem, c.problem)
			}
		})
	}
	t.Run("no proxy is asked", func(t *testing.T) {
		if got := proxied.Load(); got != 0 {
			t.Errorf("%d connections reached the proxy", got)
		}
	})
	t.Run("the site's name goes with the handshake and with the request", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(warming.address)
		names, hosts := warming.seen()
		if diff := cmp.Diff([]string{farmName}, names); diff != "" {
			t.Errorf("names for TLS (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{net.JoinHostPort(farmName, port)}, hosts); diff != "" {
			t.Errorf("hosts (-want +got):\n%s", diff)
		}
	})
	t.Run("what is not trusted is sent no request", func(t *testing.T) {
		for _, s := range []*testSite{wrongName, untrusted, neighbour} {
			if _, hosts := s.seen(); len(hosts) != 0 {
				t.Errorf("requests were sent: %q", hosts)
			}
		}
	})
}

// startProxy counts the connections to a proxy.
func startProxy(t *testing.T, count *atomic.Int32) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own
	requireNoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = connection.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

// closedAddress is an address where nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own
	requireNoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
