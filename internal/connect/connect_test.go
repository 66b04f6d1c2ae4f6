package connect_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// testServer is as much of a Temporal server as connecting and search attributes
// need. It has no OperatorService, as Temporal Cloud. attributes are those of its
// one namespace, "default".
type testServer struct {
	workflowservice.UnimplementedWorkflowServiceServer

	mu         sync.Mutex
	attributes map[string]enumspb.IndexedValueType
	// noNamespace is how often the server does not know its namespace.
	noNamespace int
	// refuse is what every count is refused with.
	refuse error
}

func (f *testServer) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "1.32.1"}, nil
}

// CountWorkflowExecutions refuses what server 1.32.1 refuses, as a test of module
// standalone shows.
func (f *testServer) CountWorkflowExecutions(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, serviceerror.ToStatus(f.refuse).Err()
	}
	if f.noNamespace > 0 || r.Namespace != "default" {
		f.noNamespace--
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(r.Namespace)).Err()
	}
	for condition := range strings.SplitSeq(r.Query, " AND ") {
		name, condition, _ := strings.Cut(condition, " ")
		if !f.accepts(f.attributes[name], condition) {
			return nil, serviceerror.ToStatus(serviceerror.NewInvalidArgument("invalid query: " + r.Query)).Err()
		}
	}
	return &workflowservice.CountWorkflowExecutionsResponse{}, nil
}

func (f *testServer) accepts(t enumspb.IndexedValueType, condition string) bool {
	switch {
	case strings.HasPrefix(condition, "STARTS_WITH '"):
		return t == enumspb.INDEXED_VALUE_TYPE_KEYWORD
	case condition == "= true":
		return t == enumspb.INDEXED_VALUE_TYPE_BOOL
	case condition == "> 0":
		return t == enumspb.INDEXED_VALUE_TYPE_INT || t == enumspb.INDEXED_VALUE_TYPE_DOUBLE || t == enumspb.INDEXED_VALUE_TYPE_DATETIME
	case strings.HasPrefix(condition, "> '"):
		return t == enumspb.INDEXED_VALUE_TYPE_KEYWORD || t == enumspb.INDEXED_VALUE_TYPE_DATETIME
	}
	return condition == "IS NOT NULL" && t != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED
}

// startServer starts f and points the TEMPORAL_* variables at it.
func startServer(t *testing.T, f *testServer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, f)
	ignoreConfigFile(t)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
}

// serve lets f answer on l until the test ends.
func serve(t *testing.T, l net.Listener, f *testServer, options ...grpc.ServerOption) {
	t.Helper()
	s := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(s, f)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// ignoreConfigFile keeps the developer's own temporal.toml out of the test.
func ignoreConfigFile(t *testing.T) {
	t.Helper()
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
}

func dialServer(t *testing.T) (client.Client, client.Options) {
	t.Helper()
	options, err := connect.Settings(connect.Options{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, options
}

func TestSettings(t *testing.T) {
	t.Run("the environment overrides the profile", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "temporal.toml")
		text := "[profile.plant]\naddress = \"plant:7233\"\nnamespace = \"oos\"\n[profile.plant.tls]\nserver_name = \"frontend.plant\"\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TEMPORAL_CONFIG_FILE", file)
		t.Setenv("TEMPORAL_PROFILE", "plant")
		t.Setenv("TEMPORAL_ADDRESS", "other:7233")
		options, err := connect.Settings(connect.Options{Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		if options.HostPort != "other:7233" || options.Namespace != "oos" {
			t.Errorf("got address %q, namespace %q, want other:7233, oos", options.HostPort, options.Namespace)
		}
		if tls := options.ConnectionOptions.TLS; tls == nil || tls.ServerName != "frontend.plant" {
			t.Errorf("got TLS %+v, want that of the profile", tls)
		}
	})

	t.Run("the default is a local server", func(t *testing.T) {
		ignoreConfigFile(t)
		options, err := connect.Settings(connect.Options{Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		if options.HostPort != "localhost:7233" || options.Namespace != "default" {
			t.Errorf("got address %q, namespace %q", options.HostPort, options.Namespace)
		}
	})

	t.Run("an unknown profile names the file that lacks it", func(t *testing.T) {
		ignoreConfigFile(t)
		t.Setenv("TEMPORAL_PROFILE", "nowhere")
		if _, err := connect.Settings(connect.Options{Log: zap.NewNop()}); err == nil || !strings.Contains(err.Error(), "temporal.toml") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDial_Unreachable(t *testing.T) {
	t.Run("a missing server is named with the remedy", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = connect.Dial(ctx, client.Options{HostPort: address, Logger: connect.NewLogger(zap.NewNop())})
		var unreachable *connect.UnreachableError
		if !errors.As(err, &unreachable) || unreachable.Address != address {
			t.Fatalf("got %v, want an UnreachableError for %s", err, address)
		}
		for _, part := range []string{address, "start it there", "TEMPORAL_ADDRESS"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	})
}
