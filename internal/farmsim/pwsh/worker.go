package pwsh

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed" // for the worker's script
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

//go:embed worker.ps1
var workerScript string

// workers are PowerShell processes that run one call after the other, each in
// a fresh runspace. That takes a tenth of the time of a process for each call.
type workers struct {
	path, script string
	listener     *net.TCPListener

	mu   sync.Mutex
	idle []*worker
}

// worker is one process, connected to the engine.
type worker struct {
	cmd    *exec.Cmd
	conn   net.Conn
	reader *bufio.Reader
}

// newWorkers makes a pool of workers of the PowerShell at path, with their
// script in dir.
func newWorkers(path, dir string) (*workers, error) {
	w := &workers{path: path, script: filepath.Join(dir, "worker.ps1")}
	const private = 0o600
	if err := os.WriteFile(w.script, []byte(workerScript), private); err != nil {
		return nil, err
	}
	var err error
	w.listener, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	return w, err
}

func (w *workers) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	errs := []error{w.listener.Close()}
	for _, one := range w.idle {
		errs = append(errs, one.stopProcess())
	}
	w.idle = nil
	return errors.Join(errs...)
}

// workerCall is what a worker is sent.
type workerCall struct {
	Command     string            `json:"command"`
	Stdin       []string          `json:"stdin"`
	Environment map[string]string `json:"environment"`
}

// runInRunspace runs a command in a runspace of its own. It returns no exit code, which a
// runspace does not have.
func (w *workers) runInRunspace(ctx context.Context, command string, stdin []byte, environment []string) (Output, error) {
	one, err := w.takeWorker(ctx)
	if err != nil {
		return Output{}, fmt.Errorf("start a PowerShell worker: %w", err)
	}
	out, err := one.runCall(ctx, workerCall{
		Command: command, Stdin: strings.Split(strings.TrimSuffix(string(stdin), "\n"), "\n"), Environment: parseEnvironment(environment),
	})
	if err != nil {
		// It may still run the call.
		return Output{}, errors.Join(fmt.Errorf("run a call in a PowerShell worker: %w", err), one.stopProcess())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = append(w.idle, one)
	return out, nil
}

func parseEnvironment(environment []string) map[string]string {
	all := map[string]string{}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	return all
}

// takeWorker returns an idle worker, or starts one.
func (w *workers) takeWorker(ctx context.Context) (*worker, error) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		one := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		return one, nil
	}
	w.mu.Unlock()
	return w.startWorker(ctx)
}

// startWorker starts a worker and waits until it has connected.
func (w *workers) startWorker(ctx context.Context) (*worker, error) {
	w.mu.Lock() // One at a time, so that the next connection is that worker's.
	defer w.mu.Unlock()
	token := rand.Text()
	// Not ctx: the worker outlives this call.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), w.path, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", w.script,
		"-Address", w.listener.Addr().String(), "-Token", token)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	one := &worker{cmd: cmd}
	// A process that ends before it connects must not keep the caller.
	const startTimeout = 2 * time.Minute
	var conn net.Conn
	err := w.listener.SetDeadline(time.Now().Add(startTimeout))
	if err == nil {
		conn, err = w.listener.Accept()
	}
	if err != nil {
		return nil, errors.Join(err, one.stopProcess())
	}
	one.conn, one.reader = conn, bufio.NewReader(conn)
	if said, err := one.reader.ReadString('\n'); err != nil || strings.TrimSpace(said) != token {
		return nil, errors.Join(errors.New("a stranger connected"), err, one.stopProcess())
	}
	return one, nil
}

// stopProcess ends the process.
func (one *worker) stopProcess() error {
	var closed error
	if one.conn != nil {
		closed = one.conn.Close()
	}
	_ = one.cmd.Process.Kill() // It may have ended.
	_ = one.cmd.Wait()         // It was killed.
	return closed
}

// runCall sends a call and waits for its output.
func (one *worker) runCall(ctx context.Context, call workerCall) (Output, error) {
	line, err := json.Marshal(call)
	if err != nil {
		return Output{}, err
	}
	defer context.AfterFunc(ctx, func() { _ = one.conn.SetDeadline(time.Now()) })()
	if _, err := one.conn.Write(append(line, '\n')); err != nil {
		return Output{}, err
	}
	line, err = one.reader.ReadBytes('\n')
	if err != nil {
		return Output{}, err
	}
	var out struct{ Stdout, Stderr string }
	if err := json.Unmarshal(line, &out); err != nil {
		return Output{}, err
	}
	return Output{Stdout: []byte(out.Stdout), Stderr: []byte(out.Stderr)}, nil
}
