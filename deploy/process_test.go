package deploy_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a service of compose as a process of this machine. Like Docker, it
// starts the program again whenever that ends.
type process struct {
	name string
	// args are the program and its arguments, env its whole environment, dir its
	// working directory.
	args, env []string
	dir       string
	// user is nil for that of the test.
	user *syscall.Credential
	// health is the command that succeeds when the service can be used.
	health []string
	log    *os.File

	mu  sync.Mutex
	pid int
	// gate is locked while the process is stopped.
	gate sync.Mutex
}

func (p *process) String() string { return p.name }

// restartDelay is what Docker waits before the first restart.
const restartDelay = 100 * time.Millisecond

// start runs the process until the test ends.
func (p *process) start(t *testing.T, logs string) {
	t.Helper()
	log, err := os.Create(filepath.Join(logs, p.name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	p.log = log
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			p.gate.Lock()
			p.gate.Unlock() //nolint:staticcheck // it only waits
			p.runOnce(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(restartDelay):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = log.Close()
	})
	p.awaitHealthy(t)
}

// runOnce runs the program until it ends or ctx does.
func (p *process) runOnce(ctx context.Context) {
	command := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	command.Env, command.Dir, command.Stdout, command.Stderr = p.env, p.dir, p.log, p.log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.user, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		_, _ = io.WriteString(p.log, err.Error()+"\n")
		return
	}
	p.setPID(command.Process.Pid)
	if err := command.Wait(); err != nil {
		_, _ = io.WriteString(p.log, p.name+" ended: "+err.Error()+"\n")
	}
	p.setPID(0)
}

func (p *process) setPID(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
}

func (p *process) runningPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// kill ends the program as a power failure would, and returns when its successor
// runs and is healthy.
func (p *process) kill(t *testing.T) {
	t.Helper()
	before := p.runningPID()
	if before == 0 {
		t.Fatalf("%s does not run:\n%s", p.name, p.logTail(t))
	}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	poll(t, p.name+" to be restarted", func() bool { pid := p.runningPID(); return pid != 0 && pid != before })
	p.awaitHealthy(t)
}

// stop ends the program, which is not started again until [process.resume].
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.gate.Lock()
	if pid := p.runningPID(); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	poll(t, p.name+" to end", func() bool { return p.runningPID() == 0 })
}

func (p *process) resume(t *testing.T) {
	t.Helper()
	p.gate.Unlock()
	poll(t, p.name+" to start", func() bool { return p.runningPID() != 0 })
	p.awaitHealthy(t)
}

// awaitHealthy waits until the health check of compose succeeds.
func (p *process) awaitHealthy(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", p.name, p.logTail(t))
		}
	})
	poll(t, p.name+" to be healthy", func() bool {
		check := exec.CommandContext(t.Context(), p.health[0], p.health[1:]...)
		check.Env = p.env
		return check.Run() == nil
	})
}

// logTail is the end of what the program wrote.
func (p *process) logTail(t *testing.T) []byte {
	t.Helper()
	const most = 4 << 10
	all := []byte(readFile(t, p.log.Name()))
	return bytes.TrimSpace(all[max(0, len(all)-most):])
}

// pollInterval is the pause between two questions about what is waited for.
const pollInterval = 200 * time.Millisecond

// patience is far longer than anything takes here that works.
const patience = 3 * time.Minute

// poll waits until done reports true.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}
