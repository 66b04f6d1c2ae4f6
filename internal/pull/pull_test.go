package pull_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/pull"
)

// farms stores the events that are delivered, as Temporal does, while it is not away.
type farms struct {
	mu     sync.Mutex
	away   error
	stored []string
	from   map[string]delivery.Source
	// attempts are those that failed.
	attempts int
}

func (f *farms) Deliver(_ context.Context, e event.Expiry, from delivery.Source) (delivery.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away != nil {
		f.attempts++
		return delivery.Receipt{}, f.away
	}
	if f.from == nil {
		f.from = map[string]delivery.Source{}
	}
	f.stored, f.from[e.ID] = append(f.stored, e.ID), from
	return delivery.Receipt{Farms: []string{"contoso"}}, nil
}

func (f *farms) goAway(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = err
}

func (f *farms) failed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts
}

// events returns the IDs of what is stored, in order and each as often as it came.
func (f *farms) events() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.stored))
}

// assertEvents compares what is stored.
func (f *farms) assertEvents(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, f.events()); diff != "" {
		t.Errorf("stored events (-want +got):\n%s", diff)
	}
}

var errAway = errors.New("no Temporal")

// startPull pulls until the function that it returns is called, which returns when
// everything is given back.
func startPull(t *testing.T, source config.Pull, to pull.Deliverer) (stop func(), logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	p := pull.New([]config.Pull{source}, to, zap.New(core))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(func() {
		if stop(); t.Failed() {
			t.Logf("the log:\n%s", messages(logs))
		}
	})
	return stop, logs
}

// messages returns everything that was logged.
func messages(logs *observer.ObservedLogs) string {
	var all strings.Builder
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"})
	for _, e := range logs.All() {
		line, _ := encoder.EncodeEntry(e.Entry, e.Context)
		all.WriteString(line.String())
	}
	return all.String()
}

func assertLogged(t *testing.T, logs *observer.ObservedLogs, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if got := messages(logs); !strings.Contains(got, text) {
			t.Errorf("the log does not contain %q:\n%s", text, got)
		}
	}
}

// cloudEvent is an event of farmtrust's own type.
func cloudEvent(id string) string {
	return `{"specversion":"1.0","id":"` + id + `","source":"https://ca.contoso.com","type":"com.contoso.certificate.near-expiry.v1","subject":"oos","data":{}}`
}

func source(s config.Pull) config.Pull {
	s.EventSource = config.EventSource{Name: "ca", Format: event.CloudEvents, Farms: []string{"contoso"}}
	return s
}

// eventually waits until something holds on a server that has its own clock.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const patience = time.Minute // servers of others start slowly on a busy machine
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// filesIn lists the files of a folder and of those below it.
func filesIn(t *testing.T, folder string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(folder, path)
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
