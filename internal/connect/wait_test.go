package connect_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// hasty waits as a worker does, and never long.
var hasty = connect.Patience{Retry: time.Millisecond, Remind: time.Minute, Attributes: time.Minute}

// dialReady connects to the server of the TEMPORAL_* variables with p. Entries of
// the log also go to logged, if that is not nil.
func dialReady(ctx context.Context, t *testing.T, p connect.Patience, logged func(zapcore.Entry)) ([]observer.LoggedEntry, error) {
	t.Helper()
	options, err := connect.Settings(connect.Options{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if logged != nil {
			logged(e)
		}
		return nil
	}))
	c, err := p.DialReady(ctx, options, testAttributes, log)
	if err == nil {
		c.Close()
	}
	return logs.All(), err
}

// assertEntries checks the levels of log entries, and that the first one contains
// what is waited for.
func assertEntries(t *testing.T, entries []observer.LoggedEntry, levels, waitsFor string) {
	t.Helper()
	var got []string
	for _, e := range entries {
		got = append(got, e.Level.String())
	}
	if strings.Join(got, " ") != levels {
		t.Errorf("got levels %v, want %s", got, levels)
	}
	if len(entries) > 0 && !strings.Contains(entries[0].ContextMap()["error"].(string), waitsFor) {
		t.Errorf("the first entry says %v, want %q", entries[0].ContextMap(), waitsFor)
	}
}

// laterListener closes each connection until up is set, as a port does behind which
// a server has not started yet.
type laterListener struct {
	net.Listener

	up atomic.Bool
}

func (l *laterListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.up.Load() {
			return c, err
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
}

func TestDialReady_WaitsForAServerThatIsNotUpYet(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	later := &laterListener{Listener: l}
	serve(t, later, &testServer{attributes: completeAttributes(nil)})
	ignoreConfigFile(t)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
	entries, err := dialReady(t.Context(), t, hasty, func(zapcore.Entry) { later.up.Store(true) })
	if err != nil {
		t.Fatal(err)
	}
	assertEntries(t, entries, "warn info", "reach Temporal at "+l.Addr().String())
}

func TestDialReady_WaitsForANamespaceThatDoesNotExistYet(t *testing.T) {
	startServer(t, &testServer{attributes: completeAttributes(nil), noNamespace: 5})
	entries, err := dialReady(t.Context(), t, hasty, nil)
	if err != nil {
		t.Fatal(err)
	}
	assertEntries(t, entries, "warn info", `temporal has no namespace "default"`)
}

func TestDialReady_SaysAtOnceWhenItWaitsForSomethingElse(t *testing.T) {
	f := &testServer{attributes: completeAttributes(map[string]enumspb.IndexedValueType{"Farm": 0}), noNamespace: 5}
	startServer(t, f)
	warnings := 0
	entries, err := dialReady(t.Context(), t, hasty, func(zapcore.Entry) {
		if warnings++; warnings == 2 {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.attributes = completeAttributes(nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	assertEntries(t, entries, "warn warn info", `temporal has no namespace "default"`)
}

func TestDialReady_WaitsForSearchAttributesForALimitedTime(t *testing.T) {
	lacking := completeAttributes(map[string]enumspb.IndexedValueType{"Farm": 0})
	t.Run("they come", func(t *testing.T) {
		f := &testServer{attributes: lacking}
		startServer(t, f)
		entries, err := dialReady(t.Context(), t, hasty, func(zapcore.Entry) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.attributes = completeAttributes(nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		assertEntries(t, entries, "warn info", "Farm missing")
	})
	t.Run("they do not come", func(t *testing.T) {
		startServer(t, &testServer{attributes: lacking})
		p := hasty
		p.Attributes = 20 * time.Millisecond
		_, err := dialReady(t.Context(), t, p, nil)
		if !strings.Contains(textOf(err), "search-attribute create --namespace default --name Farm --type Keyword") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one has another type", func(t *testing.T) {
		startServer(t, &testServer{attributes: completeAttributes(map[string]enumspb.IndexedValueType{"Farm": enumspb.INDEXED_VALUE_TYPE_TEXT})})
		entries, err := dialReady(t.Context(), t, hasty, nil)
		if !strings.Contains(textOf(err), "a namespace of its own") {
			t.Errorf("got %v", err)
		}
		assertEntries(t, entries, "", "")
	})
}

func TestDialReady_DoesNotWaitForCredentials(t *testing.T) {
	startServer(t, &testServer{refuse: serviceerror.NewPermissionDenied("Request unauthorized.", "")})
	entries, err := dialReady(t.Context(), t, hasty, nil)
	if !strings.Contains(textOf(err), "Request unauthorized.") {
		t.Errorf("got %v", err)
	}
	assertEntries(t, entries, "", "")
}

func TestDialReady_EndsWithItsContext(t *testing.T) {
	startServer(t, &testServer{noNamespace: 1 << 30})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := dialReady(ctx, t, hasty, func(zapcore.Entry) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDialReady_RemindsOfWhatItWaitsFor(t *testing.T) {
	startServer(t, &testServer{noNamespace: 1 << 30})
	p, reminders := hasty, 0
	p.Remind = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	_, err := dialReady(ctx, t, p, func(zapcore.Entry) {
		if reminders++; reminders == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || reminders < 3 {
		t.Errorf("got %v after %d reminders", err, reminders)
	}
}
