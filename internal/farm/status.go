package farm

import "time"

// Phase is how far a rotation, a rollback or a retirement is.
type Phase string

// The phases, in order. A rollback and a retirement have one of their own.
const (
	PhaseObserving   Phase = "observing"
	PhaseStaging     Phase = "staging"
	PhaseWaiting     Phase = "waiting"
	PhaseCutover     Phase = "cutover"
	PhaseRestarting  Phase = "restarting"
	PhaseVerifying   Phase = "verifying"
	PhaseRollingBack Phase = "rolling back"
	PhaseRetiring    Phase = "retiring"
	PhaseDone        Phase = "done"
)

// Status is how far a run is: its report so far, and what it waits for.
type Status struct {
	Phase  Phase  `json:"phase"`
	Report Report `json:"report"`
	// Wait is nil while the run waits for nothing.
	Wait *Wait `json:"wait,omitempty"`
}

// Wait is what a run waits for.
type Wait struct {
	For WaitFor `json:"for"`
	// Text says what is waited for and what an operator can do.
	Text string `json:"text"`
	// Until is when the wait ends by itself; zero if it does not.
	Until time.Time `json:"until,omitzero"`
	// Digest is what an approval must name.
	Digest string `json:"digest,omitempty"`
	// Blocked are the steps that wait for a decision.
	Blocked []Blocked `json:"blocked,omitempty"`
}

// WaitFor is the kind of a wait.
type WaitFor string

// What a run may wait for.
const (
	ForApproval WaitFor = "approval"
	ForWindow   WaitFor = "window"
	ForDecision WaitFor = "decision"
)
