package farmsim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// hostState is the state of one machine.
func hostState(t *testing.T, testFarm *farmsim.Farm, host string) model.MachineState {
	t.Helper()
	for _, m := range testFarm.State().Machines {
		if m.Host == host {
			return m
		}
	}
	t.Fatalf("there is no machine %s", host)
	return model.MachineState{}
}

// assertScriptError asserts that a script ended with an error of an ID whose message
// has a text.
func assertScriptError(t *testing.T, err error, id, text string) {
	t.Helper()
	var said *powershell.ScriptError
	if !errors.As(err, &said) || said.ID != id || !strings.Contains(said.Message, text) {
		t.Errorf("got %v, want %s with %q", err, id, text)
	}
}

const restartSharePoint = "Restart-SharePointServer"

func TestConditions_BeforeTheStep(t *testing.T) {
	t.Parallel()
	call := func() powershell.RestartSharePointServer {
		return powershell.RestartSharePointServer{NotBefore: time.Now()}
	}
	for name, c := range map[string]struct {
		f        fault.Fault
		id, text string
	}{
		"a service does not start": {
			fault.Fault{Kind: fault.ServiceFails, Service: model.SPTimerV4},
			powershell.ServiceNotRunning,
			"SPTimerV4 is not running: Failed to start service 'SharePoint Timer Service (SPTimerV4)'.",
		},
		"a service starts and stops again": {
			fault.Fault{Kind: fault.ServiceStops, Service: model.SPTimerV4, Delay: 1},
			powershell.ServiceNotRunning,
			"Service Control Manager: The SharePoint Timer Service service terminated unexpectedly.",
		},
		"W3SVC does not start": {fault.Fault{Kind: fault.ServiceFails, Service: model.W3SVC}, powershell.IisResetFailed, "W3SVC running: False, WAS running: True"},
		"iisreset fails":       {fault.Fault{Kind: fault.IISResetFails}, powershell.IisResetFailed, "W3SVC running: False, WAS running: False"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFarm, o := small(t)
			c.f.Server, c.f.Step = sp1, restartSharePoint
			plan(t, testFarm, c.f)
			_, err := run(o, sp1, call())
			assertScriptError(t, err, c.id, c.text)
			if pending := testFarm.Pending(); len(pending) > 0 {
				t.Errorf("pending: %+v", pending)
			}
			must(o, sp1, call())
			if diff := hostState(t, testFarm, sp1).Conditions; len(diff) > 0 {
				t.Errorf("conditions: %+v", diff)
			}
		})
	}
}

func TestConditions_AfterTheStep(t *testing.T) {
	t.Parallel()
	testFarm, o := small(t)
	o.rotate()
	plan(t, testFarm,
		fault.Fault{Kind: fault.ServiceFails, Service: model.WACSM, Server: oos1, Step: "Restart-OfficeServer", When: fault.After, Times: -1},
		fault.Fault{Kind: fault.PoolDown, Server: sp1, Step: restartSharePoint, When: fault.After, Times: -1},
		fault.Fault{Kind: fault.SQLAway, Server: sp1, Step: "Get-SharePointServer", Times: -1})
	must(o, oos1, powershell.RestartOfficeServer{})
	must(o, sp1, powershell.RestartSharePointServer{NotBefore: time.Now()})
	must(o, sp1, powershell.GetSharePointServer{})
	if diff := o.obstacles(); len(diff) != 3 {
		t.Errorf("obstacles: %q, want those of the three faults", diff)
	}
	_, err := run(o, oos1, powershell.RestartOfficeServer{})
	assertScriptError(t, err, powershell.ServiceNotRunning, "WACSM is not running")

	testFarm.ClearFaults()

	if left := o.obstacles(); len(left) != 1 || !strings.Contains(left[0], "WACSM does not run") {
		t.Errorf("obstacles: %q, want that WACSM is still to be started", left)
	}
	must(o, oos1, powershell.RestartOfficeServer{})
	if left := o.obstacles(); len(left) > 0 {
		t.Errorf("obstacles: %q", left)
	}
}

// TestTrust_WithoutNotes checks that the note of a restart is no fact, and that a
// service is one.
func TestTrust_WithoutNotes(t *testing.T) {
	t.Parallel()
	testFarm, o := small(t)
	o.rotate()
	before := testFarm.Trust()
	now := time.Now()
	must(o, oos1, powershell.RestartOfficeServer{NotBefore: &now})
	if diff := before.Diff(testFarm.Trust()); diff != "" {
		t.Errorf("facts (-before +now):\n%s", diff)
	}
	if note := hostState(t, testFarm, oos1).Registry[model.LoadedNote]; !strings.Contains(note, string(o.bundle.Certificate.Thumbprint)) {
		t.Errorf("the note is %q", note)
	}
	plan(t, testFarm, fault.Fault{Kind: fault.IISResetFails, Server: oos1, Step: "Get-OfficeServer", When: fault.After})
	o.look(oos1)
	const want = "- oos-01.contoso.com: service W3SVC: running true\n+ oos-01.contoso.com: service W3SVC: running false\n"
	if diff := before.Diff(testFarm.Trust()); !strings.Contains(diff+"\n", want) {
		t.Errorf("facts (-before +now):\n%s", diff)
	}
}
