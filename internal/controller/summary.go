package controller

import (
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Summary is what is known of a farm where many are listed: the marks that its
// controller and what runs for it have set in Temporal, which needs no worker, or what
// the controller itself says; see [Summary.Answer].
type Summary struct {
	Farm string
	// Site is where its workers are; empty for none.
	Site string
	// Managed reports whether the controller runs. What follows, up to Inspected, is
	// what it said last.
	Managed bool
	// Phase is what the controller does; empty until it has said so.
	Phase Phase
	// NeedsOperator reports whether the controller waits for an operator.
	NeedsOperator bool
	// Thumbprint is of the certificate in use, and NotAfter its end; empty and zero
	// where none is, or none was seen yet.
	Thumbprint farm.Thumbprint
	NotAfter   time.Time
	// Inspected is when the farm was last inspected; zero if never.
	Inspected time.Time
	// Run is the rotation, or else the retirement, that runs; zero while none does.
	Run RunSummary
	// Worker is whether a worker is there; empty where none was asked.
	Worker WorkerState
	// State is the controller's own; nil where it did not answer.
	State *State
	// Problem says what the controller answered instead, as where its history cannot be
	// replayed; empty otherwise.
	Problem string
}

// WorkerState is whether a worker is there.
type WorkerState string

// What may be known of the workers of a site.
const (
	// WorkerAnswers: one has answered just now.
	WorkerAnswers WorkerState = "answers"
	// WorkerSilent: Temporal has seen one in the last minutes, but none answers: it was
	// killed, or cannot reach Temporal any more.
	WorkerSilent WorkerState = "silent"
	// WorkerNone: none polls the task queue of the site.
	WorkerNone WorkerState = "none"
)

// WorkerStates lists what may be known of the workers of a site.
func WorkerStates() []WorkerState { return []WorkerState{WorkerAnswers, WorkerSilent, WorkerNone} }

// RunSummary is what is known of a run where many are listed.
type RunSummary struct {
	WorkflowID string
	Retirement bool
	// Phase is how far it is; empty until it has said so.
	Phase     farm.Phase
	StartedAt time.Time
	// NeedsOperator reports whether it waits for an operator.
	NeedsOperator bool
}

// Answer takes over what the controller itself says, which is newer than its marks.
func (s *Summary) Answer(state State, now time.Time) {
	s.State = &state
	s.Phase, s.NeedsOperator = state.Phase(), state.NeedsOperator(now)
	s.Thumbprint, s.NotAfter, s.Inspected = state.Inspected.Current.Thumbprint, state.Inspected.Current.NotAfter, state.Inspected.At
}

// Standing is how a farm stands, in the words that lists show and programs may rely on.
type Standing string

// The standings.
const (
	// Trusted: the last inspection found the farm as desired.
	Trusted Standing = "trusted"
	// AwaitsCertificate: it is to be renewed, and its source has no newer certificate.
	AwaitsCertificate Standing = "waiting for a certificate"
	// AwaitsRenewal: it waits for its renewal, as for a newer certificate or its time.
	AwaitsRenewal Standing = "waiting for renewal"
	// InRotation and the next ones: a rotation is at work, or waits.
	InRotation     Standing = "rotating"
	InRollback     Standing = "rolling back"
	AwaitsApproval Standing = "waiting for approval"
	AwaitsWindow   Standing = "waiting for window"
	Blocked        Standing = "blocked"
	// InRetirement: the old certificate is being retired.
	InRetirement Standing = "retiring"
	// IsSuspended: nothing starts by itself.
	IsSuspended Standing = "suspended"
	// IsUnmanaged: no worker has it in its configuration.
	IsUnmanaged Standing = "unmanaged"
	// BeingInspected: a run has just ended, and the farm is inspected after it.
	BeingInspected Standing = "being inspected"
	// InspectedLongAgo: the last inspection is older than it should be.
	InspectedLongAgo Standing = "inspected long ago"
	// NotInspected: nothing is known of it yet.
	NotInspected Standing = "not inspected"
	// Expired: the certificate in use has ended, and nothing is being done about it.
	Expired Standing = "expired"
	// InDoubt: data refreshes fail, or may fail, and no rotation is at work.
	InDoubt Standing = "in doubt"
	// NotReleased: it is in order, and nothing starts by itself because nobody has
	// released it; IsObserved: because its configuration says so; IsPostponed: because an
	// operator has put it off.
	NotReleased Standing = "not released"
	IsObserved  Standing = "observe only"
	IsPostponed Standing = "postponed"
	// NotInOrder: an operator is needed; the farm's page says what for.
	NotInOrder Standing = "needs operator"
	// NoController: its controller was terminated, and no worker has started another.
	NoController Standing = "no controller"
)

// Standings lists all standings.
func Standings() []Standing {
	return []Standing{
		Trusted, AwaitsCertificate, AwaitsRenewal, InRotation, InRollback, AwaitsApproval, AwaitsWindow, Blocked,
		InRetirement, IsSuspended, IsUnmanaged, BeingInspected, InspectedLongAgo, NotInspected, Expired,
		InDoubt, NotReleased, IsObserved, IsPostponed, NotInOrder, NoController,
	}
}

// Standing returns how the farm stands.
func (s *Summary) Standing(now time.Time) Standing {
	switch {
	case !s.Managed:
		return NoController
	case s.Phase == Unmanaged:
		return IsUnmanaged
	case s.Run.WorkflowID != "" && !s.Run.Retirement:
		return s.Run.standing(s.wait())
	case !s.NotAfter.IsZero() && !s.NotAfter.After(now):
		return Expired
	case s.Phase == Suspended:
		return IsSuspended
	case s.Run.Retirement:
		return s.Run.standing(s.wait())
	case s.Inspected.IsZero():
		return NotInspected
	}
	return s.standingAsInspected(now)
}

// standingAsInspected is how a farm stands for which nothing runs, by its last inspection.
func (s *Summary) standingAsInspected(now time.Time) Standing {
	switch {
	case s.State != nil && s.State.AwaitsInspection():
		return BeingInspected
	case s.isDoubtful():
		return InDoubt
	case s.hold(now) != "":
		return s.hold(now)
	case s.NeedsOperator:
		return NotInOrder
	case s.isOutdated(now):
		return InspectedLongAgo
	case s.State != nil && s.State.Next.Action == farm.ActionAwaitCertificate:
		return AwaitsCertificate
	case s.Phase == Waiting:
		return AwaitsRenewal
	}
	return Trusted
}

// longAgo is how old the last inspection may be of a farm for which no worker answers:
// more than one was due since, by the usual interval.
const longAgo = 12 * time.Hour

// isOutdated reports whether the last inspection is older than it should be.
func (s *Summary) isOutdated(now time.Time) bool {
	if s.State != nil {
		return s.State.IsOverdue(now)
	}
	return now.Sub(s.Inspected) > longAgo
}

// isDoubtful reports whether data refreshes fail, or may fail, of a farm that is set up.
func (s *Summary) isDoubtful() bool {
	return s.State != nil && s.Thumbprint != "" && s.State.Inspected.RefreshDoubt != ""
}

// hold is what keeps the farm from being rotated by itself; empty where nothing does, or
// where something else needs an operator.
func (s *Summary) hold(now time.Time) Standing {
	switch state := s.State; {
	case state == nil, s.NeedsOperator && !slices.Contains([]farm.ReasonCode{farm.CodeNotReleased, farm.CodeObserveOnly, farm.CodePostponed}, state.Next.Code):
	case state.Policy.Mode == farm.ModeObserve:
		return IsObserved
	case state.IsUnreleased():
		return NotReleased
	case state.Postponed != nil && state.Postponed.Until.After(now):
		return IsPostponed
	}
	return ""
}

// wait is what the active run waits for, as far as the controller has said; nil for
// nothing.
func (s *Summary) wait() *farm.Wait {
	if s.State == nil || s.State.Active == nil {
		return nil
	}
	return s.State.Active.Wait
}

// standing tells what a run waits for by its marks, where the controller has not said
// it: a run that waits for an operator outside the phase of gates is blocked.
func (r RunSummary) standing(wait *farm.Wait) Standing {
	switch {
	case wait != nil && wait.For == farm.ForDecision:
		return Blocked
	case wait != nil && wait.For == farm.ForPostponement:
		return IsPostponed
	case wait != nil && wait.For == farm.ForApproval,
		wait == nil && r.NeedsOperator && (r.Phase == farm.PhaseWaiting || r.Retirement):
		return AwaitsApproval
	case wait == nil && r.NeedsOperator:
		return Blocked
	case r.Retirement:
		return InRetirement
	case r.Phase == farm.PhaseWaiting:
		return AwaitsWindow
	case r.Phase == farm.PhaseRollingBack:
		return InRollback
	}
	return InRotation
}

// Troubled reports whether an operator is needed: the farm waits for one, or its
// certificate ends within the time given while no rotation is at work.
func (s *Summary) Troubled(now time.Time, warn time.Duration) bool {
	atWork := s.Run.WorkflowID != "" && !s.Run.Retirement && !s.Run.NeedsOperator
	return s.WaitsForOperator() || !atWork && s.EndsWithin(now, warn)
}

// WaitsForOperator reports whether the farm or a run says so, or nobody looks after the
// farm.
func (s *Summary) WaitsForOperator() bool {
	return !s.Managed || s.Problem != "" || s.NeedsOperator || s.isDoubtful() && s.Run.WorkflowID == "" || s.Run.NeedsOperator
}

// EndsWithin reports whether the certificate in use is known to end within a time.
func (s *Summary) EndsWithin(now time.Time, within time.Duration) bool {
	return !s.NotAfter.IsZero() && s.NotAfter.Before(now.Add(within))
}
