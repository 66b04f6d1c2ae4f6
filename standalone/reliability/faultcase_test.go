package reliability

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// faultCase is one thing that can go wrong.
type faultCase struct {
	name string
	// fault is what the simulated server does with the step.
	fault fault.Fault
	// inject disturbs the farm from outside while the fault delays the step on a
	// server; nil when the fault itself is the disturbance.
	inject func(t *testing.T, s *testFarm, host string)
	// wantText is part of what the blocked step says; empty when the step must
	// not block.
	wantText string
	// afterText is the same for a fault after a restart, if it makes the next one fail
	// too: two attempts are all. A rollback tries in another way before it blocks.
	afterText string
	// permanent faults last until an operator removes them.
	permanent bool
	// stopsService stops a service until an operator removes the cause, starts it and
	// retries.
	stopsService bool
	// steps are the scripts that the fault matters to; empty for all. servers is how
	// the names of the servers begin that it matters to.
	steps   []string
	servers string
	// rollsBack sets onFailure: rollback, so that a failing step rolls back
	// instead of blocking.
	rollsBack bool
}

// Durations of transient faults. They are short because the tests run in real
// time; the first retry follows after a second.
const (
	shortDelay  = fault.Duration(2 * time.Second)
	cutDuration = 3 * time.Second
	// WSMan fault codes: the service is busy, the account lacks permissions.
	codeBusy   = 170
	codeDenied = 5
)

func faultCases() []faultCase {
	slow := fault.Fault{Kind: fault.Slow, Delay: shortDelay}
	productError := &fault.Error{ID: "Product.Error", Message: "The disk is full."}
	ownError := &fault.Error{ID: powershell.KeyDenied, Message: "An entry denies the account."}
	return []faultCase{
		{name: "connection refused", fault: fault.Fault{Kind: fault.Refused}},
		{name: "connection dropped", fault: fault.Fault{Kind: fault.Dropped}},
		{name: "logon refused", fault: fault.Fault{Kind: fault.Unauthorized}, wantText: "user, password"},
		{name: "service busy", fault: fault.Fault{Kind: fault.SOAPFault, Code: codeBusy}},
		{name: "no response", fault: fault.Fault{Kind: fault.Hang}},
		{name: "slow response", fault: fault.Fault{Kind: fault.Slow, Delay: shortDelay}},
		{name: "script error", fault: fault.Fault{Kind: fault.ScriptError, Error: productError}},
		{name: "script goes on alone", fault: fault.Fault{Kind: fault.Detached, Delay: shortDelay}},
		{name: "server rebooted", fault: fault.Fault{Kind: fault.Reboot, Delay: shortDelay}},
		{name: "permanent script error", fault: fault.Fault{Kind: fault.ScriptError, Error: ownError, Times: -1}, wantText: "denies the account", permanent: true},
		{name: "permissions revoked", fault: fault.Fault{Kind: fault.SOAPFault, Code: codeDenied, Times: -1}, wantText: "local administrator", permanent: true, rollsBack: true},
		{name: "service does not start", fault: fault.Fault{Kind: fault.ServiceFails}, afterText: notRunning, steps: restarts()},
		{name: "service never starts", fault: fault.Fault{Kind: fault.ServiceFails, Times: -1}, wantText: notRunning, permanent: true, steps: restarts()},
		{name: "service stops again", fault: fault.Fault{Kind: fault.ServiceStops, Delay: 1}, afterText: notRunning, steps: restarts()},
		{name: "service keeps stopping", fault: fault.Fault{Kind: fault.ServiceStops, Times: -1, Delay: 1}, wantText: notRunning, permanent: true, steps: restarts()},
		{name: "service stopped", fault: slow, inject: stopForGood, wantText: notRunning, stopsService: true},
		{name: "iisreset fails", fault: fault.Fault{Kind: fault.IISResetFails}, afterText: "W3SVC", steps: restarts()},
		{name: "iisreset always fails", fault: fault.Fault{Kind: fault.IISResetFails, Times: -1}, wantText: "W3SVC", permanent: true, steps: restarts()},
		{name: "application pool down", fault: fault.Fault{Kind: fault.PoolDown, Delay: shortDelay}, steps: restarts()},
		{name: "application pool stays down", fault: fault.Fault{Kind: fault.PoolDown, Times: -1}, wantText: "503", permanent: true, steps: restarts()},
		{name: "SQL Server away", fault: fault.Fault{Kind: fault.SQLAway, Delay: shortDelay}, servers: "sp-"},
		{name: "worker killed", fault: slow, inject: func(t *testing.T, s *testFarm, _ string) { s.worker.restart(t) }},
		{name: "Temporal killed", fault: slow, inject: func(t *testing.T, s *testFarm, _ string) { s.temporal.restart(t) }},
		{name: "network cut", fault: slow, inject: func(_ *testing.T, s *testFarm, _ string) { s.cutNetwork(cutDuration) }},
	}
}

// notRunning is what is said of a service that does not run.
const notRunning = "is not running"

// restarts lists the scripts that restart services.
func restarts() []string {
	return []string{powershell.ScriptOf(powershell.RestartOfficeServer{}), powershell.ScriptOf(powershell.RestartSharePointServer{})}
}

// serviceOf is the service of its product on a server.
func serviceOf(host string) string {
	if strings.HasPrefix(host, "sp-") {
		return model.SPTimerV4
	}
	return model.WACSM
}

// stopForGood stops the service of a server, which does not start until its cause is
// removed.
func stopForGood(t *testing.T, s *testFarm, host string) {
	if err := s.sim.World.Impose(host, model.Condition{Kind: model.ServiceFails, Service: serviceOf(host), Starts: -1}, true); err != nil {
		t.Error(err)
	}
}

// matters reports whether the fault matters to a step on a server. A retirement
// restarts nothing, and asks nothing of the service of SharePoint.
func (fc faultCase) matters(op operation, step, host string) bool {
	if fc.stopsService && op == opRetire && serviceOf(host) == model.SPTimerV4 {
		return false
	}
	return (len(fc.steps) == 0 || slices.Contains(fc.steps, step)) && strings.HasPrefix(host, fc.servers)
}

// faultDuring returns the fault as it is on a server: of the kinds that name a
// service, it names that of the product.
func (fc faultCase) faultDuring(host string) fault.Fault {
	f := fc.fault
	if f.Kind == fault.ServiceFails || f.Kind == fault.ServiceStops {
		f.Service = serviceOf(host)
	}
	return f
}

func TestFaultCases_CoverEveryKindOfFault(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		if !slices.ContainsFunc(faultCases(), func(fc faultCase) bool { return fc.fault.Kind == kind && fc.inject == nil }) {
			t.Errorf("no fault case is of the kind %q", kind)
		}
	}
}

// policy is the farm's onFailure policy during the case.
func (fc faultCase) policy() farm.OnFailure {
	if fc.rollsBack {
		return farm.OnFailureRollBack
	}
	return farm.OnFailurePause
}

// wasInjected reports whether the fault has occurred. A permanent fault is never
// used up; whether it occurred shows in the blocked step or in the outcome.
func (fc faultCase) wasInjected(s *testFarm) bool { return fc.permanent || len(s.sim.Pending()) == 0 }
