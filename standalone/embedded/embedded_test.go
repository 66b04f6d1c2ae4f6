package embedded_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/farmtrust/farmtrust/internal/connect"
	"github.com/farmtrust/farmtrust/standalone/embedded"
)

const queue = "embedded-test"

var farmKey = temporal.NewSearchAttributeKeyKeyword("Farm")

// nap is a workflow that sleeps, and that its search attribute finds.
func nap(ctx workflow.Context, d time.Duration) (string, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, farmKey.ValueSet("contoso")); err != nil {
		return "", err
	}
	return "awake", workflow.Sleep(ctx, d)
}

func options(t testing.TB) embedded.Options {
	return embedded.Options{
		Retention:        30 * 24 * time.Hour,
		SearchAttributes: []temporal.SearchAttributeKey{farmKey},
		Logger:           zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
	}
}

func start(t *testing.T, o embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := connect.Dial(t.Context(), client.Options{
		HostPort: address, Namespace: embedded.Namespace, Logger: connect.NewLogger(zap.NewNop()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func runWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(nap)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestStart_WorkflowIsFoundByItsSearchAttribute(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	c := dial(t, s.Address())
	defer runWorker(t, c).Stop()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: queue}, nap, time.Duration(0))
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(t.Context(), &got); err != nil || got != "awake" {
		t.Fatalf("got %q, %v", got, err)
	}
	waitUntil(t, func() (bool, error) {
		found, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "Farm = 'contoso'"})
		return found.GetCount() == 1, err
	})
}

func TestStart_NamespaceHasTheRetention(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.Retention = 50 * 24 * time.Hour
	c := dial(t, start(t, o).Address())
	got, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: embedded.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	if kept := got.Config.WorkflowExecutionRetentionTtl.AsDuration(); kept != o.Retention {
		t.Errorf("got a retention of %s, want %s", kept, o.Retention)
	}
}

func TestStart_UIShowsTheNamespace(t *testing.T) {
	t.Parallel()
	s := start(t, options(t))
	for path, want := range map[string]string{
		"/":                                    "<html",
		"/api/v1/namespaces/default/workflows": "{",
	} {
		response, err := http.Get(s.UI() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %s and %.80q, want OK and %q", path, response.Status, body, want)
		}
	}
}

func TestStart_PortInUseIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	dir := filepath.Join(t.TempDir(), "data")
	for _, o := range []embedded.Options{{Port: port, DataDir: dir}, {UIPort: port, DataDir: dir}} {
		o.Logger = zap.NewNop()
		_, err := embedded.Start(t.Context(), o)
		var taken *embedded.PortError
		if !errors.As(err, &taken) || taken.Port != port {
			t.Errorf("got %v, want a PortError for %d", err, port)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("got more than one line: %q", err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory was created: %v", err)
	}
}

func TestStart_DataDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = t.TempDir()
	first, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = embedded.Start(t.Context(), o)
	if !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), o.DataDir) {
		t.Errorf("got %v, want ErrInUse for %s", err, o.DataDir)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, o)
}

func TestStart_DataDirectoryOfAnotherVersionIsRefusedUnchanged(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = t.TempDir()
	if err := os.WriteFile(filepath.Join(o.DataDir, "temporal-1.29.1.db"), []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Start(t.Context(), o)
	if !errors.Is(err, embedded.ErrOtherVersion) {
		t.Fatalf("got %v, want ErrOtherVersion", err)
	}
	for _, part := range []string{o.DataDir, "1.29.1", embedded.Version, "choose another directory"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not contain %q", err, part)
		}
	}
	if got, err := os.ReadFile(filepath.Join(o.DataDir, "temporal-1.29.1.db")); err != nil || string(got) != "as it was" {
		t.Errorf("the other version's file became %q, %v", got, err)
	}
}

func TestStart_InterruptedCreationOfTheDatabaseIsRepeated(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = t.TempDir()
	unfinished := filepath.Join(o.DataDir, "temporal-"+embedded.Version+".db.unfinished")
	if err := os.WriteFile(unfinished, []byte("half a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, o)
	if _, err := os.Stat(unfinished); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", unfinished, err)
	}
}

func TestStart_DataDirectoryOfAnyNameIsPrivate(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = filepath.Join(t.TempDir(), "50% of a #1 name? yes", "däta")
	start(t, o)
	for path, want := range map[string]os.FileMode{
		o.DataDir: 0o700 | os.ModeDir,
		filepath.Join(o.DataDir, "temporal-"+embedded.Version+".db"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s: got mode %s, want %s", path, info.Mode(), want)
		}
	}
}

func TestStart_ServersInMemoryAreIndependent(t *testing.T) {
	t.Parallel()
	one, two := dial(t, start(t, options(t)).Address()), dial(t, start(t, options(t)).Address())
	if _, err := one.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "mine", TaskQueue: queue}, nap, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := two.DescribeWorkflowExecution(t.Context(), "mine", ""); err == nil {
		t.Errorf("the other server has the workflow too: %v", got.WorkflowExecutionInfo.Status)
	}
}

// waitUntil waits until a condition holds, and fails the test after 30 seconds.
func waitUntil(t *testing.T, condition func() (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := condition()
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the condition does not hold after 30 s")
		case <-tick.C:
		}
	}
}

// statusOf returns a workflow's status.
func statusOf(t *testing.T, c client.Client, id string) enumspb.WorkflowExecutionStatus {
	t.Helper()
	got, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	return got.WorkflowExecutionInfo.Status
}
