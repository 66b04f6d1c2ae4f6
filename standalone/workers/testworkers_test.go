package workers_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	temporal "go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/host"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// testTemporal is an embedded server, and a client of it.
type testTemporal struct {
	address string
	temporal.Client
}

func startTemporal(t *testing.T) testTemporal {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Retention: time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return testTemporal{server.Address(), dial(t, server.Address())}
}

// dial connects to the server, with calls that pass through the interceptors.
func dial(t *testing.T, address string, through ...grpc.UnaryClientInterceptor) temporal.Client {
	t.Helper()
	c, err := connect.Dial(context.Background(), temporal.Options{
		HostPort: address, Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop()),
		ConnectionOptions: temporal.ConnectionOptions{DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(through...)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// startFarm starts a small simulated farm whose certificate is due for renewal.
func startFarm(t *testing.T, latency map[string]time.Duration, hooks ...farmsim.Hooks) *farmsim.Farm {
	t.Helper()
	o := farmsim.Options{Dir: t.TempDir(), OfficeServers: 1, Trusting: true, Latency: latency}
	if len(hooks) > 0 {
		o.Hooks = hooks[0]
	}
	sim, err := farmsim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return sim
}

// loadConfig loads the farm's configuration with pairs of old and new texts replaced.
func loadConfig(t *testing.T, sim *farmsim.Farm, oldAndNew ...string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(sim.Config())
	if err != nil {
		t.Fatal(err)
	}
	edited := string(text)
	for i := 0; i < len(oldAndNew); i += 2 {
		if !strings.Contains(edited, oldAndNew[i]) {
			t.Fatalf("the configuration does not contain %q:\n%s", oldAndNew[i], edited)
		}
		edited = strings.ReplaceAll(edited, oldAndNew[i], oldAndNew[i+1])
	}
	// Beside the original, whose folder has what it names.
	path := filepath.Join(filepath.Dir(sim.Config()), "edited.yaml")
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// release lets a farm be rotated by itself.
func release(t *testing.T, f client.Farm) {
	t.Helper()
	if err := f.Release(t.Context(), client.Author{By: "operator", Reason: "for the test"}); err != nil {
		t.Fatal(err)
	}
}

// sealKeys are those of all workers.
var sealKeys = keyring.Generated()

// testWorker is a running worker.
type testWorker struct {
	logs *observer.ObservedLogs
	stop context.CancelFunc
	done chan error
}

// startWorker runs a worker until the test ends or it is stopped.
func startWorker(t *testing.T, s testTemporal, c *config.Config, through ...grpc.UnaryClientInterceptor) *testWorker {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	ctx, cancel := context.WithCancel(context.Background())
	w := &testWorker{logs: logs, stop: cancel, done: make(chan error, 1)}
	connection := dial(t, s.address, through...)
	go func() {
		w.done <- host.Run(ctx, host.Options{Config: c, Client: connection, Namespace: embedded.Namespace, SealKeys: sealKeys, Log: zap.New(core)})
		close(w.done)
	}()
	t.Cleanup(func() { w.end(t) })
	return w
}

// end stops the worker, and returns when it has stopped.
func (w *testWorker) end(t *testing.T) {
	t.Helper()
	w.stop()
	if err := <-w.done; err != nil {
		t.Error(err)
	}
}

// hasLogged reports whether an entry of the level contains all the texts.
func (w *testWorker) hasLogged(level zapcore.Level, texts ...string) bool {
	for _, e := range w.logs.All() {
		got := e.Message
		for _, f := range e.Context {
			got += " " + f.String
			if err, ok := f.Interface.(error); ok {
				got += err.Error()
			}
		}
		all := e.Level == level
		for _, text := range texts {
			all = all && strings.Contains(got, text)
		}
		if all {
			return true
		}
	}
	return false
}

// farmAt is the farm's client at a site.
func (s testTemporal) farmAt(site, name string) client.Farm { return client.New(s).At(site).Farm(name) }

// waitUntil waits until a condition holds, and fails the test after four
// minutes: Temporal shows for three that a worker which was killed polls.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after four minutes: not yet that %s", what)
		}
	}
}

// events returns a workflow's history of one event type.
func (s testTemporal) events(t *testing.T, id string, kind enumspb.EventType) (found []*historypb.HistoryEvent) {
	t.Helper()
	for all := s.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
		e, err := all.Next()
		if err != nil {
			return nil // it has not started yet
		}
		if e.EventType == kind {
			found = append(found, e)
		}
	}
	return found
}

// pending returns the workflow's pending activity of a type; nil while there is none.
func (s testTemporal) pending(t *testing.T, id, activity string) *workflowpb.PendingActivityInfo {
	t.Helper()
	described, err := s.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		return nil // it has not started yet
	}
	for _, p := range described.PendingActivities {
		if p.ActivityType.Name == activity {
			return p
		}
	}
	return nil
}

// failsWith reports whether a pending activity's last attempt failed with this type
// of error.
func (s testTemporal) failsWith(t *testing.T, id, kind string) bool {
	t.Helper()
	described, err := s.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range described.PendingActivities {
		if p.LastFailure.GetApplicationFailureInfo().GetType() == kind {
			return true
		}
	}
	return false
}
