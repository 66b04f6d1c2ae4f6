package powershell_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// taskServer is a front end whose sessions do not reach SQL Server, with the
// SharePoint task installed. The task's script, with stubs for what needs
// Windows, runs in a PowerShell of its own that does reach it.
type taskServer struct {
	*testServer

	script string
	// ran is set when the task has run.
	ran *atomic.Bool
}

func newTaskServer(t *testing.T, spec *serverSpec) *taskServer {
	t.Helper()
	spec.sharePoint.RemoteSQL = true
	s := &taskServer{script: powershell.TaskScriptOn(pwsh.Stubs()), ran: &atomic.Bool{}}
	// A run that has ended is told, which the model does not.
	spec.override("Get-ScheduledTaskInfo", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
		if !s.ran.Load() {
			return do()
		}
		return pwsh.Object("MSFT_TaskDynamicInfo", map[string]any{"LastTaskResult": 1, "LastRunTime": dateTime(time.Now())}), nil
	})
	spec.override("Start-TaskScript", func(_ json.RawMessage, do func() (any, error)) (any, error) {
		s.ran.Store(true)
		return do()
	})
	s.testServer = newServer(t, spec)
	s.ProgramFiles = t.TempDir()
	for _, folder := range []string{"requests", "results"} {
		requireNoError(t, os.MkdirAll(s.path(folder), 0o700))
	}
	s.install(s.script)
	requireNoError(t, s.session().RegisterTask(model.Task{Name: "farmtrust-sharepoint", User: taskUser}))
	return s
}

// path is that of a file of the task.
func (s *taskServer) path(parts ...string) string {
	return filepath.Join(append([]string{s.ProgramFiles, "farmtrust"}, parts...)...)
}

// install writes the task's script.
func (s *taskServer) install(script string) {
	s.t.Helper()
	requireNoError(s.t, os.WriteFile(s.path("farmtrust-sharepoint.ps1"), []byte(script), 0o600))
}

// listFiles lists a folder of the task.
func (s *taskServer) listFiles(folder string) []string {
	s.t.Helper()
	entries, err := os.ReadDir(s.path(folder))
	requireNoError(s.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (s *taskServer) assertNoRequests() {
	s.t.Helper()
	if left := s.listFiles("requests"); len(left) != 0 {
		s.t.Errorf("requests left: %v", left)
	}
}

// runner is the one that goes by way of the task.
func (s *taskServer) runner() powershell.Runner { return powershell.ByTaskOf(s.testServer, s.script) }

// observation is a call that changes nothing.
func observation() powershell.GetSharePointFarm {
	return powershell.GetSharePointFarm{
		Sites: []string{site}, RegisteredNames: []string{sharePointIssuer, sqlIssuer}, Names: []string{"OOS SharePoint Server"},
	}
}

// runTask runs the task's script once, as the scheduler does.
func (s *taskServer) runTask() {
	s.t.Helper()
	path, err := instrumentFile(s.path("farmtrust-sharepoint.ps1"))
	requireNoError(s.t, err)
	task := *s.Server
	task.Logon = model.Logon{User: taskUser, Auth: model.Batch}
	out, err := task.RunCommand(s.t.Context(), nil, "-NoProfile", "-NonInteractive", "-File", path)
	if err != nil || out.Exit != 0 || len(out.Stdout) != 0 {
		s.t.Fatalf("exit code %d, %v\n%s%s", out.Exit, err, out.Stdout, out.Stderr)
	}
}
