package farm

import "time"

// Phase is how far a rotation, a rollback or a retirement is.
type Phase string

// The phases, in order. A rollback and a retirement each have one of their own.
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

// Status is how far a run is: its report so far, and what it is waiting for.
type Status struct {
	Phase  Phase  `json:"phase"`
	Report Report `json:"report"`
	// Wait is nil while the run is not waiting.
	Wait *Wait `json:"wait,omitempty"`
	// CutoverMS is how long the cutover and the restarts take, at an estimate, in
	// milliseconds; zero where there are none.
	CutoverMS int64 `json:"cutoverMs,omitempty"`
}

// Wait is what a run is waiting for.
type Wait struct {
	For WaitFor `json:"for"`
	// Text describes the wait and what an operator can do.
	Text string `json:"text"`
	// Until is when the wait times out; zero if it never does.
	Until time.Time `json:"until,omitzero"`
	// Local is Until on the clocks of the farm's window; empty without a window.
	Local string `json:"local,omitempty"`
	// Digest is what an approval must name, and Approval what it stands for; empty and nil
	// where no approval is waited for.
	Digest   string    `json:"digest,omitempty"`
	Approval *Approval `json:"approval,omitempty"`
	// Blocked are the steps that wait for a decision.
	Blocked []Blocked `json:"blocked,omitempty"`
	// TooLate reports whether the certificate in use ends before Until.
	TooLate bool `json:"tooLate,omitempty"`
	// RollbackBlocked says why the run cannot be rolled back; empty when it can.
	RollbackBlocked string `json:"rollbackBlocked,omitempty"`
	// Options are what an operator can decide now, and Then what follows if nobody does
	// until Until; empty where nothing follows.
	Options []Option `json:"options,omitempty"`
	Then    string   `json:"then,omitempty"`
}

// WithoutDetails returns the wait without what only the run's own page shows, for those
// that keep many.
func (w *Wait) WithoutDetails() *Wait {
	if w == nil {
		return nil
	}
	short := *w
	short.Approval, short.Options = nil, nil
	return &short
}

// NeedsOperator reports whether the wait ends by an operator only, or too late without
// one; false for nil.
func (w *Wait) NeedsOperator() bool {
	return w != nil && (w.TooLate || w.For != ForWindow && w.For != ForController && w.For != ForPostponement)
}

// WaitFor is the kind of a wait.
type WaitFor string

// What a run can wait for: an operator's approval, a maintenance window, an operator's
// decision about blocked steps, the time that an operator has postponed it to, or the
// answer of the farm's controller before the first change.
const (
	ForApproval   WaitFor = "approval"
	ForWindow     WaitFor = "window"
	ForDecision   WaitFor = "decision"
	ForController WaitFor = "controller"
	// ForPostponement is of a run that is postponed.
	ForPostponement WaitFor = "postponement"
)

// CanPostpone reports whether an operator can have the run wait until a time: it waits
// for an approval or a window, and nothing has taken effect.
func (w *Wait) CanPostpone() bool {
	return w != nil && (w.For == ForApproval || w.For == ForWindow || w.For == ForPostponement)
}

// Name is what is waited for, in words.
func (w WaitFor) Name() string {
	switch w {
	case ForApproval:
		return "an approval"
	case ForWindow:
		return "the window"
	case ForController:
		return "the farm's controller"
	case ForPostponement:
		return "the time that it is postponed to"
	}
	return "a decision"
}
