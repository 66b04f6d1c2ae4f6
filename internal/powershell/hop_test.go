package powershell_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// hop is a front end whose sessions do not reach SQL Server, with the task
// installed: its script, with stand-ins for Windows, runs in a PowerShell of
// its own that does.
type hop struct {
	*engine
	t      *testing.T
	script string
}

func newHop(t *testing.T, world map[string]any) *hop {
	t.Helper()
	with(world, "sharePoint", "reachable", false)
	h := &hop{engine: newEngine(t, world), t: t}
	machine, err := h.machine()
	if err != nil {
		t.Fatal(err)
	}
	h.script = powershell.TaskScriptOn(machine)
	for _, folder := range []string{"requests", "results"} {
		if err := os.MkdirAll(h.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h.install(h.script)
	return h
}

func (h *hop) path(parts ...string) string {
	return filepath.Join(append([]string{filepath.Dir(h.world), "farmtrust"}, parts...)...)
}

func (h *hop) install(script string) {
	h.t.Helper()
	if err := os.WriteFile(h.path("farmtrust-sharepoint.ps1"), []byte(script), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.register(map[string]any{"argument": fmt.Sprintf("-File %q", watched(h.t, h.path("farmtrust-sharepoint.ps1"))), "result": 267011, "state": "Ready", "lastRun": nil, "hangs": false})
}

// register sets the scheduled task; nil removes it.
func (h *hop) register(task map[string]any) {
	h.t.Helper()
	raw, err := os.ReadFile(h.world)
	if err != nil {
		h.t.Fatal(err)
	}
	var world map[string]any
	if err := json.Unmarshal(raw, &world); err != nil {
		h.t.Fatal(err)
	}
	world["tasks"] = map[string]any{"farmtrust-sharepoint": task}
	if task == nil {
		world["tasks"] = map[string]any{}
	}
	if raw, err = json.Marshal(world); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.world, raw, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// task is the runner that goes by way of the task.
func (h *hop) task() powershell.Runner { return powershell.ByTaskOf(h.engine, h.script) }

// files lists a folder of the task.
func (h *hop) files(folder string) []string {
	h.t.Helper()
	entries, err := os.ReadDir(h.path(folder))
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func byTask[R any](h *hop, params powershell.Params[R]) R {
	h.t.Helper()
	result, err := powershell.Run(h.t.Context(), h.task(), powershell.Target{Host: "sp-01"}, params)
	if err != nil {
		h.t.Fatalf("%s: %v", powershell.ScriptOf(params), err)
	}
	return result
}

// refusedByTask demands that a call by way of the task is refused with id.
func refusedByTask[R any](h *hop, params powershell.Params[R], id string) *powershell.ScriptError {
	h.t.Helper()
	_, err := powershell.Run(h.t.Context(), h.task(), powershell.Target{Host: "sp-01"}, params)
	return saysNo(h.t, err, id)
}

func observation() powershell.GetSharePointFarm {
	return powershell.GetSharePointFarm{
		Sites: []string{site}, RegisteredNames: []string{sharePointIssuer, sqlIssuer}, Names: []string{"OOS SharePoint Server"},
	}
}
