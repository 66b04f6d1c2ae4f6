package powershell_test

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// changing is a call that changes nothing on a machine without the certificate, and
// holds the mutex as all do whose name says that they change something.
var changing = powershell.RevokeS2SKey{Thumbprint: strings.Repeat("0", 40), Sid: "S-1-5-20"}

// holdMutex takes the mutex of the server, as another script does.
func (s *testServer) holdMutex() *model.Session {
	s.t.Helper()
	other := s.session()
	other.BeginScript("Probe")
	s.requireMutexFree(other)
	return other
}

// requireMutexFree takes the mutex, which nobody holds and nobody abandoned.
func (s *testServer) requireMutexFree(as *model.Session) {
	s.t.Helper()
	if held, err := as.WaitMutex(time.Minute); !held || err != nil {
		s.t.Fatalf("the mutex is not free: %t, %v", held, err)
	}
}

func TestMutex_Busy(t *testing.T) {
	t.Parallel()
	spec := newMachine()
	spec.policy.MutexWait = time.Millisecond
	s := newServer(t, spec)
	other := s.holdMutex()
	refused := requireRefusal(t, s, changing, powershell.ServerBusy)
	if want := "another step of farmtrust runs on this server since "; !strings.HasPrefix(refused.Message, want) || refused.Line != 0 {
		t.Errorf("got %q at line %d, want %q", refused.Message, refused.Line, want)
	}
	mustRun(t, s, powershell.GetSharePointServer{})
	other.EndProcess() // Windows tells the next one that it was abandoned.
	mustRun(t, s, changing)
	s.requireMutexFree(s.session())
}

// TestMutex_OtherAccount has an account that may not open the mutex while another has
// it.
func TestMutex_OtherAccount(t *testing.T) {
	t.Parallel()
	denied := pwsh.Throw(model.Error{
		ID: "UnauthorizedAccessException", Message: "Access is denied.", Category: "PermissionDenied", Exception: "System.UnauthorizedAccessException",
	})
	t.Run("waits for it", func(t *testing.T) {
		t.Parallel()
		var tried atomic.Int32
		spec := newMachine().override("Open-ServerMutex", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
			if tried.Add(1) < 3 {
				return denied(parameters, do)
			}
			return do()
		})
		mustRun(t, newServer(t, spec), changing)
	})
	t.Run("is refused, and does not see whom it waited for", func(t *testing.T) {
		t.Parallel()
		refused := requireRefusal(t, newServer(t, newMachine().override("Open-ServerMutex", denied)), changing, powershell.ServerBusy)
		if want := "another step of farmtrust runs on this server"; refused.Message != want {
			t.Errorf("got %q, want %q", refused.Message, want)
		}
	})
}

// TestMutex_Released checks that a script that fails leaves the mutex to the next one.
func TestMutex_Released(t *testing.T) {
	t.Parallel()
	s := newServer(t, newMachine())
	for _, script := range []string{"throw 'x'", "Stop-Script -Id NotMaster -Message 'x'", "if (", "1; 2"} {
		call := powershell.Call{Script: "Probe", Params: struct{}{}}
		if err := s.RunText(t.Context(), target, call, script, new(any)); err == nil {
			t.Errorf("%q did not fail", script)
		}
		other := s.session()
		s.requireMutexFree(other)
		requireNoError(t, other.ReleaseMutex())
	}
}

// TestMutex_WhatChanges checks that the scripts and their callers agree on what changes
// something.
func TestMutex_WhatChanges(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, name := range powershell.Scripts() {
		if powershell.IsChanging(name) {
			want = append(want, name)
		}
	}
	err := runText(t, "[CmdletBinding()] param([string[]] $Names) , @($Names | Where-Object { Test-ChangingScript -Name $_ })",
		powershell.Call{Params: map[string][]string{"Names": powershell.Scripts()}}, &got)
	requireNoError(t, err)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("changing scripts (-callers +scripts):\n%s", diff)
	}
}

// TestMutex_Processes checks the prelude with a mutex of the system, held by processes
// that are killed. Outside of Windows .NET knows no access lists, so it is made without.
func TestMutex_Processes(t *testing.T) {
	t.Parallel()
	script := lockingScript(t, "Global\\farmtrust-test-"+rand.Text())
	first, lines := startLocking(t, script)
	if got := <-lines; got != "held" {
		t.Fatalf("the first process: %q", got)
	}
	_, refused := startLocking(t, script)
	if got := <-refused; got != "farmtrust.ServerBusy" {
		t.Errorf("a process beside the first: %q", got)
	}
	requireNoError(t, first.Kill())
	_, next := startLocking(t, script)
	if got := <-next; got != "held" {
		t.Errorf("a process after the first was killed: %q", got)
	}
}

// lockingScript makes a script that takes the mutex of a name, as the prelude does, and
// keeps it.
func lockingScript(t *testing.T, name string) string {
	t.Helper()
	var text strings.Builder
	for _, file := range []string{"common.ps1", "mutex.ps1", "windows/mutex.ps1"} {
		raw, err := os.ReadFile(filepath.Join("scripts/prelude", file))
		requireNoError(t, err)
		text.Write(raw)
	}
	text.WriteString(`
$ErrorActionPreference = 'Stop'
function Open-ServerMutex { New-Object System.Threading.Mutex $false, '` + name + `' }
function Get-OtherRun { }
try {
    $mutex = Lock-Server
    [Console]::Out.WriteLine('held')
    Start-Sleep -Seconds 600
    Unlock-Server -Mutex $mutex
}
catch { [Console]::Out.WriteLine($_.FullyQualifiedErrorId.Split(',')[0]) }
`)
	path := filepath.Join(t.TempDir(), "lock.ps1")
	requireNoError(t, os.WriteFile(path, []byte(strings.Replace(text.String(), "5000", "500", 1)), 0o600))
	return path
}

// startLocking starts a PowerShell with a script, and returns what it prints.
func startLocking(t *testing.T, script string) (*os.Process, <-chan string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), requirePowerShell(t), "-NoProfile", "-NonInteractive", "-File", script) //nolint:gosec // the PowerShell that tests are run with
	out, err := cmd.StdoutPipe()
	requireNoError(t, err)
	requireNoError(t, cmd.Start())
	lines := make(chan string, 1)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
		_ = cmd.Wait() // It was killed.
	}()
	return cmd.Process, lines
}
