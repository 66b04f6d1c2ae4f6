package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/standalone/embedded"
)

// serveEnv turns the test binary into a Temporal server on the data directory that
// it names.
const serveEnv = "EMBEDDED_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(serveEnv); ok {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// privateEnv makes that server private.
const privateEnv = "EMBEDDED_TEST_PRIVATE"

// serve prints the frontend's address and serves until it is killed.
func serve(dir string) error {
	s, err := embedded.Start(context.Background(), embedded.Options{
		DataDir: dir, Retention: 24 * time.Hour, Logger: zap.NewNop(), Private: os.Getenv(privateEnv) != "",
		SearchAttributes: []temporal.SearchAttributeKey{farmKey},
	})
	if err != nil {
		return err
	}
	fmt.Println(s.Address())
	select {}
}

// serverProcess is a Temporal server in a process of its own.
type serverProcess struct {
	pid     int
	address string
	command *exec.Cmd
}

// startProcess starts one with these variables.
func startProcess(t *testing.T, env ...string) *serverProcess {
	t.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), env...)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	p := &serverProcess{pid: server.Process.Pid, command: server}
	t.Cleanup(func() { p.kill(t) })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.address = strings.TrimSpace(address)
	return p
}

// kill ends the process as a power failure would.
func (p *serverProcess) kill(t *testing.T) {
	t.Helper()
	if p.command.ProcessState != nil {
		return
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := p.command.Wait(); err == nil {
		t.Error("the server exited without being killed")
	}
}

func TestStart_WorkflowSurvivesAKilledServer(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.DataDir = t.TempDir()
	server := startProcess(t, serveEnv+"="+o.DataDir)
	startNap(t, server.address)
	server.kill(t)

	c := dial(t, start(t, o).Address())
	if got := statusOf(t, c, "nap"); got != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Fatalf("after the restart the workflow is %s", got)
	}
	defer runWorker(t, c).Stop()
	var result string
	if err := c.GetWorkflow(t.Context(), "nap", "").Get(t.Context(), &result); err != nil || result != "awake" {
		t.Errorf("got %q, %v", result, err)
	}
}

// startNap starts a nap and returns when its timer runs.
func startNap(t *testing.T, address string) {
	t.Helper()
	c := dial(t, address)
	defer runWorker(t, c).Stop()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "nap", TaskQueue: queue}, nap, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() (bool, error) {
		events := c.GetWorkflowHistory(t.Context(), run.GetID(), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			if err != nil {
				return false, err
			}
			if event.EventType == enumspb.EVENT_TYPE_TIMER_STARTED {
				return true, nil
			}
		}
		return false, nil
	})
}
