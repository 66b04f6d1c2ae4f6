package host

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/secret"
	"github.com/farmtrust/farmtrust/workflows"
)

// withDoor is a configuration of one farm with a door at an address, to which this
// machine is the proxy.
func withDoor(t *testing.T, address string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := secret.Replace(path, []byte("a secret that is long enough")); err != nil {
		t.Fatal(err)
	}
	c := configWith("contoso")
	c.Listen = &config.Listen{
		Address: address, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Sources: []config.Sender{{
			EventSource: config.EventSource{Name: "pki", Format: event.CloudEvents},
			Proof:       config.Proof{Bearer: []secret.Ref{secret.Ref("file:" + path)}}, Rate: 20,
		}},
	}
	return c
}

func runWorker(t *testing.T, f *fakeFrontend, c *config.Config) (stop func() error) {
	t.Helper()
	dialed := f.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Config: c, Client: dialed, Namespace: "default", SealKeys: keyring.Generated(), Log: zap.NewNop()})
	}()
	return func() error { cancel(); return <-ended }
}

func TestRun_TakesEventsIn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := &fakeFrontend{}
	stop := runWorker(t, f, withDoor(t, address))
	status := 0
	for began := time.Now(); status == 0 && time.Since(began) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/events/pki",
			strings.NewReader(`{"specversion":"1.0","id":"e1","source":"//scanner","type":"com.example.certificate.near-expiry.v1","data":{"farm":"contoso"}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/cloudevents+json")
		r.Header.Set("Authorization", "Bearer a secret that is long enough")
		if answer, err := http.DefaultClient.Do(r); err == nil {
			status = answer.StatusCode
			answer.Body.Close()
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if heard := f.events[workflows.ControllerID("contoso")]; status != http.StatusAccepted || len(heard) != 1 || !strings.Contains(heard[0].Summary, "event e1") {
		t.Errorf("answered %d, and the farm heard %v", status, heard)
	}
}

func TestRun_EndsWhereItsDoorCannotOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // the test ends with it
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &fakeFrontend{}
	c := withDoor(t, l.Addr().String())
	err = Run(t.Context(), Options{Config: c, Client: f.dial(t), Namespace: "default", SealKeys: keyring.Generated(), Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), "farmtrust.yaml: listen.address: ") {
		t.Errorf("Run returned %v", err)
	}
}
