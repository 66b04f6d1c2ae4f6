package docs

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/keyring"
	"github.com/farmtrust/farmtrust/internal/payload"
	"github.com/farmtrust/farmtrust/workflows"
)

// signals is a Temporal server that takes signals and nothing else.
type signals struct {
	workflowservice.UnimplementedWorkflowServiceServer

	received []*workflowservice.SignalWorkflowExecutionRequest
}

func (*signals) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (s *signals) SignalWorkflowExecution(_ context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	s.received = append(s.received, r)
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

// start serves until the test ends, and returns its address.
func (s *signals) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // until the test ends
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// buildExample builds the program that a page shows, outside of this module's folders and
// with nothing but what the module requires.
func buildExample(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, page), "```go\n")
	source, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatalf("%s shows no program", page)
	}
	if strings.Contains(source, "farmtrust/farmtrust") {
		t.Errorf("the program in %s needs packages of farmtrust", page)
	}
	folder := t.TempDir()
	path, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "signal")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, path)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program in %s: %v\n%s", page, err, out)
	}
	return program
}

// What a program without any package of farmtrust sends is what a controller takes.
func TestDevelopers_TheProgramSignalsAFarm(t *testing.T) {
	const source, id, summary = "https://scanner.contoso.com", "4711", "near expiry of oos (event 4711)"
	program := buildExample(t, "developers.md")
	ring := filepath.Join(t.TempDir(), "payloads.keys")
	if err := keyring.Create(ring); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Add(ring); err != nil { // the first of several keys is the one that counts
		t.Fatal(err)
	}
	keys, err := keyring.Open(ring)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ring   string
		reader converter.DataConverter
	}{
		"encrypted": {ring, converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), payload.NewCodec(payload.Options{Keys: keys}))},
		"in clear":  {"", converter.GetDefaultDataConverter()},
	} {
		t.Run(name, func(t *testing.T) {
			s := &signals{}
			run := exec.CommandContext(t.Context(), program, "contoso", source, id, summary)
			run.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+s.start(t), "TEMPORAL_NAMESPACE=default", "FARMTRUST_PAYLOAD_KEYS="+c.ring)
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if len(s.received) != 1 {
				t.Fatalf("%d signals, want 1", len(s.received))
			}
			got := s.received[0]
			if got.GetSignalName() != workflows.EventSignal || got.GetWorkflowExecution().GetWorkflowId() != workflows.ControllerID("contoso") {
				t.Errorf("sent %s to %s", got.GetSignalName(), got.GetWorkflowExecution().GetWorkflowId())
			}
			assertEvent(t, c.reader, got.GetInput(), controller.Event{ID: event.Expiry{Source: source, ID: id}.Key(), Summary: summary})
		})
	}
}

func assertEvent(t *testing.T, reader converter.DataConverter, sent *commonpb.Payloads, want controller.Event) {
	t.Helper()
	var got controller.Event
	if err := reader.FromPayloads(sent, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}
