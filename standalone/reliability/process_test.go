package reliability

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// serveEnv turns the test binary into a Temporal server on the data directory that
// it names; portEnv is its port.
const (
	serveEnv = "RELIABILITY_SERVE"
	portEnv  = "RELIABILITY_PORT"
)

// serveTemporal prints the frontend's address and serves until standard input is
// closed, which happens at the latest when the parent process ends.
func serveTemporal(dir string) error {
	port, err := strconv.Atoi(os.Getenv(portEnv))
	if err != nil {
		return fmt.Errorf("read %s: %w", portEnv, err)
	}
	settings := zap.NewProductionConfig()
	settings.OutputPaths = []string{filepath.Join(dir, "temporal.log")}
	log, err := settings.Build()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s, err := embedded.Start(context.Background(), embedded.Options{
		Port: port, DataDir: dir, Retention: 24 * time.Hour, SearchAttributes: workflows.SearchAttributes(), Logger: log,
	})
	if err != nil {
		return err
	}
	fmt.Println(s.Address())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.Stop())
}

// program is a process that can be killed and restarted.
type program struct {
	path    string
	args    []string
	env     []string
	log     *os.File
	command *exec.Cmd
	stdin   io.Closer
	// printsAddress makes start wait until the program has printed its address,
	// which is then in address.
	printsAddress bool
	address       string
}

// start starts the program and waits for its address if it prints one. It tries
// several times: a Temporal server exits when another process has taken one of its
// ports between the choice of the port and listening on it.
func (p *program) start(t *testing.T) {
	t.Helper()
	const attempts = 5
	for attempt := range attempts {
		err := p.tryStart()
		if err == nil {
			return
		}
		_ = p.command.Wait()
		if attempt == attempts-1 {
			t.Fatalf("start %s: %v; its log:\n%s", p.path, err, readFile(t, p.log.Name()))
		}
	}
}

func (p *program) tryStart() error {
	p.command = exec.Command(p.path, p.args...)
	p.command.Env, p.command.Stderr = p.env, p.log
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return err
	}
	if !p.printsAddress {
		return p.command.Start()
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// The UI's own server writes to standard output too.
		if _, _, err := net.SplitHostPort(lines.Text()); err == nil {
			p.address = lines.Text()
			go func() { _, _ = io.Copy(io.Discard, out) }() // so that it never blocks on a full pipe
			return nil
		}
	}
	return errors.Join(io.ErrUnexpectedEOF, lines.Err())
}

// kill ends the program like a power failure, without a chance to clean up. It
// does nothing if the program has already ended.
func (p *program) kill(t *testing.T) {
	t.Helper()
	if p.hasEnded() {
		return
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Errorf("kill %s: %v", p.path, err)
	}
	_ = p.command.Wait() // reports that it was killed
}

// hasEnded reports whether the program was killed and not started since.
func (p *program) hasEnded() bool { return p.command.ProcessState != nil }

func (p *program) restart(t *testing.T) {
	t.Helper()
	p.kill(t)
	p.start(t)
}

// programPath returns the path of a program's executable in dir.
func programPath(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

// workerPath is the worker's executable, shared by all tests.
var workerPath string

// buildProgram builds the program in a folder of the product, and returns the path of its
// executable in dir.
func buildProgram(dir, folder string) (path string, err error) {
	path = programPath(dir, folder)
	command := exec.Command("go", "build", "-o", path, "./"+folder)
	command.Dir = filepath.Join("..", "..")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	return path, nil
}

// startTemporal starts a Temporal server on a database in dir. It keeps its port
// and its data over restarts.
func startTemporal(t *testing.T, dir string) *program {
	t.Helper()
	p := &program{path: os.Args[0], env: append(isolatedEnv(dir), serveEnv+"="+dir, portEnv+"=0"), log: logFile(t, dir, "temporal.err"), printsAddress: true}
	p.start(t)
	_, port, err := net.SplitHostPort(p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.env[len(p.env)-1] = portEnv + "=" + port
	t.Cleanup(func() { p.kill(t) })
	return p
}

// startWorker starts the worker's executable.
func startWorker(t *testing.T, dir, config, address string) *program {
	t.Helper()
	p := &program{
		// In clear, so that what a secret would leave in the database is found.
		path: workerPath, args: []string{"-config", config, "-clear-payloads"}, env: append(isolatedEnv(dir), "TEMPORAL_ADDRESS="+address),
		log: logFile(t, dir, "worker.log"),
	}
	p.start(t)
	t.Cleanup(func() { p.kill(t) })
	return p
}

// isolatedEnv returns an environment without any of farmtrust's variables, whose
// home and temporary folders are in dir.
func isolatedEnv(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp")}
}

func logFile(t *testing.T, dir, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
