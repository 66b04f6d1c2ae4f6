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

// serveEnv makes the test binary a Temporal server on the directory it names;
// portEnv says on which port.
const (
	serveEnv = "RELIABILITY_SERVE"
	portEnv  = "RELIABILITY_PORT"
)

// serve prints the frontend's address and serves until standard input ends,
// which it does at the latest with the process that started it.
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

// program is a running program that can be killed and started anew.
type program struct {
	path    string
	args    []string
	env     []string
	log     *os.File
	command *exec.Cmd
	stdin   io.Closer
	// speaks says that it tells its address, heard what it told.
	speaks bool
	heard  string
}

// start starts it; one that says something has said it then. A port that was
// free can be taken when a Temporal server comes to listen on it, which ends it.
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
			t.Fatalf("start %s: %v; it said:\n%s", p.path, err, readFile(t, p.log.Name()))
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
	if !p.speaks {
		return p.command.Start()
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.command.Start(); err != nil {
		return err
	}
	said := bufio.NewScanner(out)
	for said.Scan() {
		// The UI's own server writes to standard output too.
		if _, _, err := net.SplitHostPort(said.Text()); err == nil {
			p.heard = said.Text()
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return nil
		}
	}
	return errors.Join(io.ErrUnexpectedEOF, said.Err())
}

// kill ends it as a power cut would: it has no say in it. One that has ended
// is left alone.
func (p *program) kill(t *testing.T) {
	t.Helper()
	if p.command.ProcessState != nil {
		return
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Errorf("kill %s: %v", p.path, err)
	}
	// That it was killed is no news.
	_ = p.command.Wait()
}

func (p *program) restart(t *testing.T) {
	t.Helper()
	p.kill(t)
	p.start(t)
}

// workerProgram is the worker's own program, built once.
func workerProgram(dir string) string {
	name := "worker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

// worker is where build has put the worker's program.
var worker string

func buildWorker(dir string) error {
	worker = workerProgram(dir)
	command := exec.Command("go", "build", "-o", worker, "./worker")
	command.Dir = filepath.Join("..", "..")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the worker: %w\n%s", err, out)
	}
	return nil
}

// startTemporal starts a Temporal server on a file in dir. After a restart it
// is where it was.
func startTemporal(t *testing.T, dir string) *program {
	t.Helper()
	p := &program{path: os.Args[0], env: append(plainEnv(dir), serveEnv+"="+dir, portEnv+"=0"), log: logFile(t, dir, "temporal.err"), speaks: true}
	p.start(t)
	_, port, err := net.SplitHostPort(p.heard)
	if err != nil {
		t.Fatal(err)
	}
	p.env[len(p.env)-1] = portEnv + "=" + port
	t.Cleanup(func() { p.kill(t) })
	return p
}

// startWorker starts the worker's program.
func startWorker(t *testing.T, dir, config, address string) *program {
	t.Helper()
	p := &program{
		path: worker, args: []string{"-config", config}, env: append(plainEnv(dir), "TEMPORAL_ADDRESS="+address),
		log: logFile(t, dir, "worker.log"),
	}
	p.start(t)
	t.Cleanup(func() { p.kill(t) })
	return p
}

// plainEnv is an environment in which nothing of ours is set, with folders of
// its own.
func plainEnv(dir string) []string {
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
