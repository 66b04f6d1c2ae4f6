package reliability

import (
	"slices"
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
	// inject disturbs the farm from outside while the fault delays the step; nil
	// when the fault itself is the disturbance.
	inject func(*testing.T, *testFarm)
	// wantText is part of what the blocked step says; empty when the step must
	// not block.
	wantText string
	// permanent faults last until an operator removes them.
	permanent bool
	// steps are the scripts that the fault matters to; empty for all. beforeOnly
	// leaves out what stops after a restart was reported: nothing starts it again
	// before the step's own time is up.
	steps      []string
	beforeOnly bool
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
		{name: "server rebooted", fault: fault.Fault{Kind: fault.Reboot, Delay: shortDelay}},
		{name: "permanent script error", fault: fault.Fault{Kind: fault.ScriptError, Error: ownError, Times: -1}, wantText: "denies the account", permanent: true},
		{name: "permissions revoked", fault: fault.Fault{Kind: fault.SOAPFault, Code: codeDenied, Times: -1}, wantText: "local administrator", permanent: true, rollsBack: true},
		{name: "service does not start", fault: fault.Fault{Kind: fault.ServiceFails}, steps: restarts(), beforeOnly: true},
		{name: "service never starts", fault: fault.Fault{Kind: fault.ServiceFails, Times: -1}, wantText: "is not running", permanent: true, steps: restarts(), beforeOnly: true},
		{name: "service stops again", fault: fault.Fault{Kind: fault.ServiceStops, Delay: 1}, steps: restarts(), beforeOnly: true},
		{name: "iisreset fails", fault: fault.Fault{Kind: fault.IISResetFails}, steps: restarts(), beforeOnly: true},
		{name: "application pool down", fault: fault.Fault{Kind: fault.PoolDown, Delay: shortDelay}, steps: restarts(), beforeOnly: true},
		{name: "SQL Server away", fault: fault.Fault{Kind: fault.SQLAway, Delay: shortDelay}, steps: trustChanges()},
		{name: "worker killed", fault: slow, inject: func(t *testing.T, s *testFarm) { s.worker.restart(t) }},
		{name: "Temporal killed", fault: slow, inject: func(t *testing.T, s *testFarm) { s.temporal.restart(t) }},
		{name: "network cut", fault: slow, inject: func(_ *testing.T, s *testFarm) { s.cutNetwork(cutDuration) }},
	}
}

// restarts lists the scripts that restart services.
func restarts() []string {
	return []string{powershell.ScriptOf(powershell.RestartOfficeServer{}), powershell.ScriptOf(powershell.RestartSharePointServer{})}
}

// trustChanges lists the scripts that change what a SharePoint farm trusts.
func trustChanges() []string {
	return []string{
		powershell.ScriptOf(powershell.AddRootAuthority{}), powershell.ScriptOf(powershell.SetTrustedIssuer{}),
		powershell.ScriptOf(powershell.RestoreTrustedIssuer{}), powershell.ScriptOf(powershell.RemoveRootAuthority{}),
	}
}

// faultDuring returns the fault as it is during a step: of the kinds that name a
// service, it names the one that the step restarts.
func (fc faultCase) faultDuring(step string) fault.Fault {
	f := fc.fault
	if f.Kind == fault.ServiceFails || f.Kind == fault.ServiceStops {
		f.Service = model.SPTimerV4
		if step == powershell.ScriptOf(powershell.RestartOfficeServer{}) {
			f.Service = model.WACSM
		}
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
