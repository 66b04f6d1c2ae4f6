package intake_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/farmtrust/farmtrust/internal/intake"
	"github.com/farmtrust/farmtrust/internal/mtls"
)

// world stands for the hosts of Microsoft and AWS: it has their names, and what the
// door calls arrives here.
type world struct {
	client *http.Client

	mu    sync.Mutex
	pages map[string]string
	asked []string
	calls chan string
}

func newWorld(t *testing.T, hosts ...string) *world {
	t.Helper()
	set, err := mtls.New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(set.Server.Certificate, set.Server.Key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{pages: map[string]string{}, calls: make(chan string, 100)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(set.Authority)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: dial}
	w.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return w
}

// set makes a page: what is answered at an address.
func (w *world) set(address, content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[address] = content
}

func (w *world) serve(out http.ResponseWriter, r *http.Request) {
	address := "https://" + r.Host + r.URL.String()
	w.mu.Lock()
	content, known := w.pages[address]
	w.asked = append(w.asked, address)
	w.mu.Unlock()
	out.Header().Set("Content-Type", "application/json")
	if !known {
		out.WriteHeader(http.StatusNotFound)
	}
	_, _ = out.Write([]byte(content))
	w.calls <- address
}

// all returns the addresses that were asked.
func (w *world) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// outside lets a door reach the world.
func (w *world) outside(o *intake.Options) { o.Outside = w.client }
