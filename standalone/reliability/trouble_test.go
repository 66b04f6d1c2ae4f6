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
type trouble struct {
	name string
	// fault is what the simulated server does about the step.
	fault fault.Fault
	// strike is done from outside while the step is held; nil when the fault
	// is all.
	strike func(*testing.T, *site)
	// says is what a person who is asked reads; empty when nobody should be.
	says string
	// forGood does not pass by itself: somebody has to clear it.
	forGood bool
	// goesBack has the farm's policy undo what fails, instead of parking it.
	goesBack bool
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

func troubles() []trouble {
	held := fault.Fault{Kind: fault.Slow, Delay: aMoment}
	product := &fault.Error{ID: "Product.Error", Message: "The disk is full."}
	ours := &fault.Error{ID: powershell.KeyDenied, Message: "An entry denies the account."}
	return []trouble{
		{name: "connection refused", fault: fault.Fault{Kind: fault.Refused}},
		{name: "connection dropped", fault: fault.Fault{Kind: fault.Dropped}},
		{name: "logon refused", fault: fault.Fault{Kind: fault.Unauthorized}, says: "user, password"},
		{name: "service busy", fault: fault.Fault{Kind: fault.SOAPFault, Code: busy}},
		{name: "no answer", fault: fault.Fault{Kind: fault.Hang}},
		{name: "slow answer", fault: fault.Fault{Kind: fault.Slow, Delay: aMoment}},
		{name: "script error", fault: fault.Fault{Kind: fault.ScriptError, Error: product}},
		{name: "server rebooted", fault: fault.Fault{Kind: fault.Reboot, Delay: aMoment}},
		{name: "script error for good", fault: fault.Fault{Kind: fault.ScriptError, Error: ours, Times: -1}, says: "denies the account", forGood: true},
		{name: "rights taken for good", fault: fault.Fault{Kind: fault.SOAPFault, Code: denied, Times: -1}, says: "local administrator", forGood: true, goesBack: true},
		{name: "worker killed", fault: held, strike: func(t *testing.T, s *site) { s.worker.restart(t) }},
		{name: "Temporal killed", fault: held, strike: func(t *testing.T, s *site) { s.temporal.restart(t) }},
		{name: "network cut", fault: held, strike: func(_ *testing.T, s *site) { s.cut(cutFor) }},
	}
}

func TestEveryKindOfFaultIsInTheTable(t *testing.T) {
	t.Parallel()
	for _, kind := range fault.Kinds() {
		if !slices.ContainsFunc(troubles(), func(x trouble) bool { return x.fault.Kind == kind && x.strike == nil }) {
			t.Errorf("no trouble is of the kind %q", kind)
		}
	}
}

// policy is the one that the farm has meanwhile.
func (x trouble) policy() farm.OnFailure {
	if x.goesBack {
		return farm.OnFailureRollBack
	}
	return farm.OnFailurePause
}

// happened says that the trouble was met. What is for good is met again and
// again, so that only parking or the outcome can tell.
func (x trouble) happened(s *site) bool { return x.forGood || len(s.sim.Pending()) == 0 }
