package pull_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// startServer starts a program that nobody here wrote, which listens on the port that args
// gives it, and returns its address. Where the environment does not name the program, the
// test is skipped.
func startServer(t *testing.T, variable string, prepare func(c *exec.Cmd, port string)) (address string) {
	t.Helper()
	program := os.Getenv(variable)
	if program == "" {
		t.Skipf("%s is not set", variable)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	c := exec.CommandContext(t.Context(), program)
	c.Dir = t.TempDir()
	prepare(c, port)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-exited })
	eventually(t, program+" answers", func() bool {
		response, err := http.Get("http://" + address) //nolint:noctx // until the test ends
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
	return address
}
