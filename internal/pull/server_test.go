package pull_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a program that nobody here wrote. It is started for the first test that needs
// it, and ended after the last: each takes seconds to start.
type server struct {
	// variable is the environment variable that names the program.
	variable string
	prepare  func(c *exec.Cmd, port string)

	once    sync.Once
	command *exec.Cmd
	folder  string
	address string
	err     error
}

var (
	sqsServer = &server{variable: "FARMTRUST_SQS", prepare: func(c *exec.Cmd, port string) {
		c.Env = append(c.Environ(), "FAUXQS_PORT="+port, "FAUXQS_LOGGER=false", "FAUXQS_DEFAULT_REGION=eu-central-1")
	}}
	azurite = &server{variable: "FARMTRUST_AZURITE", prepare: func(c *exec.Cmd, port string) {
		c.Args = append(c.Args, "--queueHost", "127.0.0.1", "--queuePort", port, "--inMemoryPersistence", "--disableTelemetry", "--silent")
	}}
)

func TestMain(m *testing.M) {
	code := m.Run()
	sqsServer.stop()
	azurite.stop()
	os.Exit(code)
}

// require returns the address of the server. Where the environment does not name it, the
// test is skipped.
func (s *server) require(t *testing.T) (address string) {
	t.Helper()
	program := os.Getenv(s.variable)
	if program == "" {
		t.Skipf("%s is not set", s.variable)
	}
	s.once.Do(func() { s.err = s.start(program) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.address
}

func (s *server) start(program string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	if s.folder, err = os.MkdirTemp("", "farmtrust-pull-"); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(s.address)
	s.command = exec.Command(program) //nolint:noctx // stop ends it
	s.command.Dir = s.folder
	s.prepare(s.command, port)
	if err := s.command.Start(); err != nil {
		return err
	}
	const patience = 90 * time.Second // Node reads hundreds of modules, on a machine that is busy
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + s.address); err == nil { //nolint:noctx // it answers or refuses at once
			return response.Body.Close()
		}
	}
	return fmt.Errorf("%s does not answer within %s", program, patience)
}

func (s *server) stop() {
	if s.command == nil || s.command.Process == nil {
		return
	}
	_ = s.command.Process.Kill()
	_ = s.command.Wait() // it was killed
	_ = os.RemoveAll(s.folder)
}

// queueName is a name for a queue of a test, and of no other one.
func queueName(t *testing.T) string {
	t.Helper()
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(t.Name(), "Test"), "_", "-"))[:min(60, len(t.Name())-4)]
}
