package reliability

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
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
		{name: "worker killed", fault: slow, inject: func(t *testing.T, s *testFarm) { s.worker.restart(t) }},
		{name: "Temporal killed", fault: slow, inject: func(t *testing.T, s *testFarm) { s.temporal.restart(t) }},
		{name: "network cut", fault: slow, inject: func(_ *testing.T, s *testFarm) { s.cutNetwork(cutDuration) }},
	}
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
