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

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/connect"
)

// testServer is as much of a Temporal server as connecting and search attributes
// need. attributes are those of its one namespace, "default".
type testServer struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu         sync.Mutex
	attributes map[string]enumspb.IndexedValueType
}

func (f *testServer) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{ServerVersion: "1.32.1"}, nil
}

func (f *testServer) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Namespace != "default" {
		return nil, errors.New("no such namespace")
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: f.attributes}, nil
}

// AddSearchAttributes leaves existing names alone, as the real server does.
func (f *testServer) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, t := range r.SearchAttributes {
		if _, ok := f.attributes[name]; !ok {
			f.attributes[name] = t
		}
	}
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

// startServer starts f and points the TEMPORAL_* variables at it.
func startServer(t *testing.T, f *testServer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(s, f)
	operatorservice.RegisterOperatorServiceServer(s, f)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	ignoreConfigFile(t)
	t.Setenv("TEMPORAL_ADDRESS", l.Addr().String())
}

// ignoreConfigFile keeps the developer's own temporal.toml out of the test.
func ignoreConfigFile(t *testing.T) {
	t.Helper()
	t.Setenv("TEMPORAL_CONFIG_FILE", filepath.Join(t.TempDir(), "none.toml"))
}

func dialServer(t *testing.T) (client.Client, client.Options) {
	t.Helper()
	options, err := connect.Settings(zap.NewNop())
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

var testAttributes = []temporal.SearchAttributeKey{
	temporal.NewSearchAttributeKeyKeyword("Farm"),
	temporal.NewSearchAttributeKeyBool("NeedsOperator"),
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
		options, err := connect.Settings(zap.NewNop())
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
		options, err := connect.Settings(zap.NewNop())
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
		if _, err := connect.Settings(zap.NewNop()); err == nil || !strings.Contains(err.Error(), "temporal.toml") {
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

func TestSearchAttributes(t *testing.T) {
	t.Run("missing ones name the command that adds them", func(t *testing.T) {
		startServer(t, &testServer{attributes: map[string]enumspb.IndexedValueType{"Farm": enumspb.INDEXED_VALUE_TYPE_KEYWORD}})
		c, options := dialServer(t)
		err := connect.CheckSearchAttributes(t.Context(), c, options.Namespace, testAttributes)
		want := `check search attributes of Temporal namespace "default": NeedsOperator missing; run: ` +
			`temporal operator search-attribute create --namespace default --name NeedsOperator --type Bool`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})

	t.Run("one of another type is to be replaced", func(t *testing.T) {
		f := &testServer{attributes: map[string]enumspb.IndexedValueType{"Farm": enumspb.INDEXED_VALUE_TYPE_TEXT}}
		startServer(t, f)
		c, options := dialServer(t)
		err := connect.EnsureSearchAttributes(t.Context(), c, options.Namespace, testAttributes)
		want := `check search attributes of Temporal namespace "default": Farm registered with another type; run: ` +
			`temporal operator search-attribute remove --namespace default --yes --name Farm && ` +
			`temporal operator search-attribute create --namespace default --name Farm --type Keyword`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if got := f.attributes["Farm"]; got != enumspb.INDEXED_VALUE_TYPE_TEXT {
			t.Errorf("the existing attribute became %s", got)
		}
	})

	t.Run("what is missing is added, and may be added again", func(t *testing.T) {
		f := &testServer{attributes: map[string]enumspb.IndexedValueType{"Mine": enumspb.INDEXED_VALUE_TYPE_INT}}
		startServer(t, f)
		c, options := dialServer(t)
		for range 2 {
			if err := connect.EnsureSearchAttributes(t.Context(), c, options.Namespace, testAttributes); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]enumspb.IndexedValueType{
			"Mine": enumspb.INDEXED_VALUE_TYPE_INT, "Farm": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "NeedsOperator": enumspb.INDEXED_VALUE_TYPE_BOOL,
		}
		if diff := cmp.Diff(want, f.attributes); diff != "" {
			t.Error(diff)
		}
	})
}
