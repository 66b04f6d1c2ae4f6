// Package encryption_test runs workers that encrypt on a real Temporal server, and looks
// at what that has stored.
package encryption_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// testTemporal is an embedded server, and what its workers seal with.
type testTemporal struct {
	*embedded.Server

	seals *keyring.Ring
}

// startTemporal starts a server whose UI asks this codec server, if any.
func startTemporal(t *testing.T, codec string) testTemporal {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Options{
		Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop(), Codec: codec,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return testTemporal{s, keyring.Generated()}
}

// dial connects as a program that reads and writes payloads as o says.
func (s testTemporal) dial(t *testing.T, o payload.Options) (temporal.Client, client.Client) {
	t.Helper()
	options := temporal.Options{HostPort: s.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())}
	o.Apply(&options)
	c, err := connect.Dial(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, client.New(c).Reading(options.DataConverter, options.FailureConverter)
}

// raw connects as somebody who has no keys, and sees what is stored.
func (s testTemporal) raw(t *testing.T) temporal.Client {
	t.Helper()
	c, err := connect.Dial(context.Background(), temporal.Options{HostPort: s.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// testWorker is a running worker.
type testWorker struct {
	logs *observer.ObservedLogs
	stop func()
}

// work runs a worker until the test ends or it is stopped.
func (s testTemporal) work(t *testing.T, c *config.Config, o payload.Options) *testWorker {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	options := temporal.Options{HostPort: s.Address(), Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.New(core))}
	o.Apply(&options)
	connection, err := connect.Dial(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- host.Run(ctx, host.Options{
			Config: c, Client: connection, DataConverter: options.DataConverter, FailureConverter: options.FailureConverter,
			Namespace: embedded.Namespace, SealKeys: s.seals, Log: zap.New(core),
		})
	}()
	stopped := false
	w := &testWorker{logs: logs, stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		connection.Close()
	}}
	t.Cleanup(w.stop)
	return w
}

// says reports whether the worker has logged a text.
func (w *testWorker) says(text string) bool {
	for _, entry := range w.logs.All() {
		if strings.Contains(entry.Message, text) {
			return true
		}
		for _, field := range entry.ContextMap() {
			if s, ok := field.(string); ok && strings.Contains(s, text) {
				return true
			}
		}
	}
	return false
}

// startFarm starts a small simulated farm whose certificate is due for renewal, and
// whose cutover needs an approval.
func startFarm(t *testing.T) (*farmsim.Farm, *config.Config) {
	t.Helper()
	sim, err := farmsim.Start(t.Context(), farmsim.Options{Dir: t.TempDir(), OfficeServers: 1, Trusting: true, Approval: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := config.Load(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	return sim, c
}

// newRing makes a key ring, and returns its file and the ring that follows it.
func newRing(t *testing.T) (string, *keyring.Ring) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "payloads.keys")
	if err := keyring.Create(path); err != nil {
		t.Fatal(err)
	}
	return path, openRing(t, path)
}

func openRing(t *testing.T, path string) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copyRing returns the file of a copy.
func copyRing(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.keys")
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

var operator = client.Author{By: "ada", Reason: "as ordered"}

// rotate asks for a rotation, and returns the digest that waits for an approval.
func rotate(t *testing.T, f client.Farm) string {
	t.Helper()
	if err := f.Release(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	var digest string
	waitUntil(t, func() bool {
		s, err := f.Run(t.Context(), workflows.RotateID(f.Name()), "").Status(t.Context())
		if err != nil || s.Wait == nil || s.Wait.For != farm.ForApproval {
			return false
		}
		digest = s.Wait.Digest
		return true
	})
	return digest
}

// approve approves what waits, and returns the report of the rotation.
func approve(t *testing.T, f client.Farm, digest string) farm.Report {
	t.Helper()
	run := f.Run(t.Context(), workflows.RotateID(f.Name()), "")
	if err := run.Decide(t.Context(), farm.Decision{Choice: farm.Approve, By: operator.By, Reason: operator.Reason, Digest: digest}); err != nil {
		t.Fatal(err)
	}
	r, err := run.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// waitUntil waits until a condition holds, and fails the test after three minutes.
func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the condition does not hold after three minutes")
		}
	}
}
