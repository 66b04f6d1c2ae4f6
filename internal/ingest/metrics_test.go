package ingest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/ingest"
)

// freeAddress is an address of this machine that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOpen_ServesMetrics(t *testing.T) {
	lazy, err := temporal.NewLazyClient(temporal.Options{HostPort: freeAddress(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer lazy.Close()
	address := freeAddress(t)
	c := &config.Config{Metrics: address}
	ways, err := ingest.Open(t.Context(), c, client.New(lazy), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ingest.Open(t.Context(), c, client.New(lazy), zap.NewNop()); err == nil || !strings.Contains(err.Error(), "metrics: ") {
		t.Errorf("an address that is taken: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ways.Run(ctx) }()
	direct := http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer direct.CloseIdleConnections()
	response, err := direct.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || response.Body.Close() != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain; version=0.0.4") ||
		!strings.Contains(string(text), "# TYPE farmtrust_events_total counter\n") {
		t.Errorf("got %s, %v\n%s", response.Status, response.Header, text)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
