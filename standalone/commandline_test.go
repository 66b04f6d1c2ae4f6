package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// commandLine runs the program farmtrust, built from this repository, against a
// worker.
type commandLine struct {
	t       *testing.T
	program string
	env     []string
}

// newCommandLine builds farmtrust and points it at the worker's Temporal server.
func newCommandLine(t *testing.T, w *testWorker) *commandLine {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "farmtrust.exe") // Windows wants the extension
	build := exec.Command("go", "build", "-o", program, "./starter")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build farmtrust: %v\n%s", err, out)
	}
	env := append(os.Environ(), "TEMPORAL_ADDRESS="+w.address, "TEMPORAL_CONFIG_FILE="+filepath.Join(dir, "none.toml"))
	return &commandLine{t: t, program: program, env: env}
}

// run runs one command without a terminal and returns its result.
func (c *commandLine) run(stdin string, args ...string) result {
	c.t.Helper()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(c.t.Context(), c.program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.env, strings.NewReader(stdin), &out, &err
	var exit *exec.ExitError
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &exit) {
		c.t.Fatal(failed)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), err.String()}
}

// assertExit fails the test unless a command ended with the exit code and wrote
// each part to one of its outputs.
func (c *commandLine) assertExit(t *testing.T, got result, code int, parts ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit code %d, want %d", got.code, code)
	}
	for _, part := range parts {
		if !strings.Contains(got.out+got.err, part) {
			t.Errorf("the output does not contain %q", part)
		}
	}
	if t.Failed() {
		t.Fatalf("out: %s\nerr: %s", got.out, got.err)
	}
}

// approveCommand matches the command that farmtrust prints for an approval.
var approveCommand = regexp.MustCompile(`farmtrust (approve contoso \S+ --reason WHY)`)

// waitForApproval waits until a rotation needs an approval, and returns the
// arguments of the command that gives it.
func (c *commandLine) waitForApproval(t *testing.T) []string {
	t.Helper()
	var got result
	waitUntil(t, func() bool {
		got = c.run("", "approve", farmsim.FarmName)
		return got.code == 4
	})
	line := approveCommand.FindStringSubmatch(strings.ReplaceAll(got.err, "farmtrust.exe", "farmtrust"))
	if line == nil {
		t.Fatalf("the output does not say how to approve:\n%s\n%s", got.out, got.err)
	}
	return strings.Fields(line[1])
}

// nearExpiry is an expiry event that names its farm.
const nearExpiry = `{"specversion":"1.0","id":"e1","source":"//scanner","type":"com.example.certificate.near-expiry.v1","subject":"s2s","data":{"farm":"contoso"}}`

// TestCommandLine follows a renewal on the command line, from the first inspection
// to two rollbacks. Each subtest depends on those before it.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	w := startTestWorker(t, "approval: required")
	c := newCommandLine(t, w)

	var approve []string
	for _, part := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a due renewal waits for approval, and changes nothing that takes effect", func(t *testing.T) {
			approve = c.waitForApproval(t)
			assertRefreshWorks(t, w.sim)
		}},
		{"status shows that an approval is needed and how to decide", func(t *testing.T) {
			c.assertExit(t, c.run("", "status", "contoso"), 5, "contoso: rotating", "waits for an approval", "rollback contoso --reason WHY")
		}},
		{"rotate attaches to the running rotation", func(t *testing.T) {
			c.assertExit(t, c.run("", "rotate", "contoso", "--detach"), 0, "contoso is already being rotated", "accepted by workflow rotate/contoso")
		}},
		{"another digest is refused", func(t *testing.T) {
			c.assertExit(t, c.run("", "approve", "contoso", "000000000000", "--reason", "r"), 1, "refused: approve: the digest is now "+approve[2])
		}},
		{"resume is refused while nothing is suspended", func(t *testing.T) {
			c.assertExit(t, c.run("", "resume", "contoso", "--reason", "r"), 1, "refused: resume: contoso is not suspended")
		}},
		{"the printed command approves", func(t *testing.T) {
			c.assertExit(t, c.run("", approve...), 0, "Approved. The cutover begins now.")
		}},
		{"status --watch shows the rotation until it ends", func(t *testing.T) {
			c.assertExit(t, c.run("", "status", "contoso", "--watch"), 0, "contoso: verified")
			assertRefreshWorks(t, w.sim)
		}},
		{"report contains the decision", func(t *testing.T) {
			got := c.run("", "report", "contoso", "-o", "json")
			c.assertExit(t, got, 0)
			last := got.readReport(t)
			if last.Outcome != farm.Verified || len(last.Decisions) != 1 || last.Decisions[0].Digest != approve[2] {
				t.Errorf("got outcome %q, decisions %+v", last.Outcome, last.Decisions)
			}
			c.assertExit(t, c.run("", "report", "contoso", "-o", "html"), 0, "<!DOCTYPE html>")
		}},
		{"an event about a farm that is in order starts nothing", func(t *testing.T) {
			c.assertExit(t, c.run(nearExpiry, "event", "-"), 0, "contoso: nothing is done: trusted until ")
		}},
		{"rotate of a farm that is in order changes nothing", func(t *testing.T) {
			c.assertExit(t, c.run("", "rotate", "contoso"), 0, "contoso: unchanged")
		}},
		{"plan and check find it in order", func(t *testing.T) {
			c.assertExit(t, c.run("", "plan", "contoso"), 0, "nothing to do")
			c.assertExit(t, c.run("", "check", "contoso"), 0, "servers answered")
		}},
		{"rollback says that the last rotation was verified", func(t *testing.T) {
			c.assertExit(t, c.run("", "rollback", "contoso", "--reason", "refresh fails"), 1, "nothing to roll back: the last rotation was verified on ", "farmtrust undo contoso")
		}},
		{"undo waits for an approval", func(t *testing.T) {
			c.assertExit(t, c.run("", "undo", "contoso", "--reason", "refresh fails", "--detach"), 0, "rotate/contoso undoes the last rotation")
			approve := c.waitForApproval(t)
			c.assertExit(t, c.run("", approve...), 0, "Approved. The undo begins now.")
			waitUntil(t, func() bool { return w.isInspectedSinceLastRun(t) })
			assertAsBefore(t, w.sim, w.before)
		}},
		{"status says that the farm is suspended, and how to resume", func(t *testing.T) {
			waitUntil(t, func() bool { return w.isInspectedSinceLastRun(t) })
			c.assertExit(t, c.run("", "status", "contoso"), 5, "contoso: suspended", "resume contoso --reason WHY")
			c.assertExit(t, c.run("", "status"), 5, "an operator is needed", "suspended")
		}},
		{"an event about a suspended farm needs an operator", func(t *testing.T) {
			c.assertExit(t, c.run(strings.Replace(nearExpiry, `"e1"`, `"e2"`, 1), "event", "-"), 5, "contoso: nothing is done: suspended: the rotation was undone")
		}},
		{"an event that is delivered twice counts once", func(t *testing.T) {
			c.assertExit(t, c.run(nearExpiry, "event", "-"), 0, "contoso: nothing is done: trusted until ")
		}},
		{"a second undo is refused", func(t *testing.T) {
			c.assertExit(t, c.run("", "undo", "contoso", "--reason", "r"), 1, "contoso: refused: undo: nothing to undo: the last rotation was already undone on ")
		}},
		{"resume starts the renewal again", func(t *testing.T) {
			c.assertExit(t, c.run("", "resume", "contoso", "--reason", "repaired"), 0, "contoso: resumed")
			c.waitForApproval(t)
		}},
		{"rollback rolls back the running rotation", func(t *testing.T) {
			got := c.run("", "rollback", "contoso", "--reason", "not tonight", "-o", "json")
			c.assertExit(t, got, 0, "the running rotation rotate/contoso rolls back")
			if last := got.readReport(t); last.Outcome != farm.RolledBack {
				t.Errorf("got outcome %q", last.Outcome)
			}
			assertAsBefore(t, w.sim, w.before)
		}},
		{"status as JSON contains the farm and its last run", func(t *testing.T) {
			waitUntil(t, func() bool { return w.isInspectedSinceLastRun(t) })
			got := c.run("", "status", "contoso", "-o", "json")
			c.assertExit(t, got, 5)
			var shown struct {
				Controller struct{ Phase string }
				Report     farm.Report
			}
			if err := json.Unmarshal([]byte(got.out), &shown); err != nil || shown.Controller.Phase != "suspended" || shown.Report.Outcome != farm.RolledBack {
				t.Errorf("got %+v, %v", shown, err)
			}
		}},
	} {
		if !t.Run(part.name, part.run) {
			return // the rest depends on it
		}
	}
}

// assertRefreshWorks fails the test unless data refreshes work between all
// servers.
func assertRefreshWorks(t *testing.T, sim *farmsim.Farm) {
	t.Helper()
	if obstacles, err := sim.RefreshObstacles(); err != nil || len(obstacles) > 0 {
		t.Errorf("data refresh fails: %v, %v", obstacles, err)
	}
}

// assertAsBefore fails the test unless the trust is the same as before and data
// refreshes work.
func assertAsBefore(t *testing.T, sim *farmsim.Farm, before farmsim.Trust) {
	t.Helper()
	if diff := before.Diff(sim.Trust()); diff != "" {
		t.Errorf("the trust has changed (-before +now):\n%s", diff)
	}
	assertRefreshWorks(t, sim)
}

// isInspectedSinceLastRun reports whether the controller has inspected the farm since
// its last run.
func (w *testWorker) isInspectedSinceLastRun(t *testing.T) bool {
	t.Helper()
	s, err := w.farm.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Active == nil && !s.Inspected.At.Before(s.Last.At)
}
