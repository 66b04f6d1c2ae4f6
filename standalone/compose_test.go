package main

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/rpc/encryption"
	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/mtls"
)

// TestCompose_TemporalAsksEverybodyForACertificate reads the variables of
// docker-compose.yml as Temporal's own server does, and connects as its services and
// their clients would.
func TestCompose_TemporalAsksEverybodyForACertificate(t *testing.T) {
	set, err := mtls.New([]string{"temporal"}, "worker")
	if err != nil {
		t.Fatal(err)
	}
	loaded := loadCompose(t, set)
	if port := loaded.Services["frontend"].RPC.HTTPPort; port != 0 {
		t.Errorf("there is an HTTP API, on port %d", port)
	}
	provider, err := encryption.NewTLSConfigProviderFromConfig(loaded.Global.TLS, metrics.NoopMetricsHandler, log.NewNoopLogger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	get := func(read func() (*tls.Config, error)) *tls.Config {
		c, err := read()
		if err != nil || c == nil {
			t.Fatalf("got %v, %v", c, err)
		}
		return c
	}
	frontend, internal := get(provider.GetFrontendServerConfig), get(provider.GetInternodeServerConfig)
	worker, err := set.ClientTLS(set.Clients["worker"], "temporal")
	if err != nil {
		t.Fatal(err)
	}
	anybody := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // as an attacker would
	for name, c := range map[string]struct {
		server, client *tls.Config
		want           string
	}{
		"a worker":                        {frontend, worker, ""},
		"Temporal's own worker":           {frontend, get(provider.GetFrontendClientConfig), ""},
		"one service and another":         {internal, get(provider.GetInternodeClientConfig), ""},
		"anybody and the frontend":        {frontend, anybody, "certificate required"},
		"anybody and an internal service": {internal, anybody, "certificate required"},
	} {
		if err := shakeHands(t, c.server, c.client); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// loadCompose loads Temporal's configuration from the variables of its service, with
// these certificates where they name files.
func loadCompose(t *testing.T, set mtls.Set) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"ca.pem": set.Authority, "cert.pem": set.Server.Certificate, "key.pem": set.Server.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for name, value := range file.Services["temporal"].Environment {
		t.Setenv(name, strings.Replace(value, "/tls/server/", dir+"/", 1))
	}
	loaded, err := config.Load(config.WithEmbedded())
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// shakeHands lets a client read from a server, and returns what stopped it.
func shakeHands(t *testing.T, server, client *tls.Config) error {
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
