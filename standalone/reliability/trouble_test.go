package reliability

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// trouble is one thing that goes wrong.
type faultCase struct {
	name string
	// fault is what the simulated server does about the step.
	fault fault.Fault
	// strike is done from outside while the step is held; nil when the fault
	// is all.
	inject func(*testing.T, *testFarm)
	// says is what a person who is asked reads; empty when nobody should be.
	wantText string
	// forGood does not pass by itself: somebody has to clear it.
	permanent bool
	// goesBack has the farm's policy undo what fails, instead of parking it.
	rollsBack bool
}

// The lengths of what passes. They are short, since Temporal's time is real;
// retries begin after a second.
const (
	aMoment = fault.Duration(2 * time.Second)
	cutFor  = 3 * time.Second
	// busy is the WSMan fault of a service that is, denied that of an account
	// without rights.
	busy   = 170
	denied = 5
)

func faultCases() []faultCase {
	held := fault.Fault{Kind: fault.Slow, Delay: aMoment}
	product := &fault.Error{ID: "Product.Error", Message: "The disk is full."}
	ours := &fault.Error{ID: powershell.KeyDenied, Message: "An entry denies the account."}
	return []faultCase{
		{name: "connection refused", fault: fault.Fault{Kind: fault.Refused}},
		{name: "connection dropped", fault: fault.Fault{Kind: fault.Dropped}},
		{name: "logon refused", fault: fault.Fault{Kind: fault.Unauthorized}, wantText: "user, password"},
		{name: "service busy", fault: fault.Fault{Kind: fault.SOAPFault, Code: busy}},
		{name: "no answer", fault: fault.Fault{Kind: fault.Hang}},
		{name: "slow answer", fault: fault.Fault{Kind: fault.Slow, Delay: aMoment}},
		{name: "script error", fault: fault.Fault{Kind: fault.ScriptError, Error: product}},
		{name: "server rebooted", fault: fault.Fault{Kind: fault.Reboot, Delay: aMoment}},
		{name: "script error for good", fault: fault.Fault{Kind: fault.ScriptError, Error: ours, Times: -1}, wantText: "denies the account", permanent: true},
		{name: "rights taken for good", fault: fault.Fault{Kind: fault.SOAPFault, Code: denied, Times: -1}, wantText: "local administrator", permanent: true, rollsBack: true},
		{name: "worker killed", fault: held, inject: func(t *testing.T, s *testFarm) { s.worker.restart(t) }},
		{name: "Temporal killed", fault: held, inject: func(t *testing.T, s *testFarm) { s.temporal.restart(t) }},
		{name: "network cut", fault: held, inject: func(_ *testing.T, s *testFarm) { s.cutNetwork(cutFor) }},
	}
}

func TestEveryKindOfFaultIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		if !slices.ContainsFunc(faultCases(), func(x faultCase) bool { return x.fault.Kind == kind && x.inject == nil }) {
			t.Errorf("no trouble is of the kind %q", kind)
		}
	}
}

// policy is the one that the farm has meanwhile.
func (x faultCase) policy() farm.OnFailure {
	if x.rollsBack {
		return farm.OnFailureRollBack
	}
	return farm.OnFailurePause
}

// happened says that the trouble was met. What is for good is met again and
// again, so that only parking or the outcome can tell.
func (x faultCase) wasInjected(s *testFarm) bool { return x.permanent || len(s.sim.Pending()) == 0 }
