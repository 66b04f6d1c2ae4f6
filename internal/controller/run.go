package controller

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// RunRecord is what Temporal says of a rotation, a rollback or a retirement of the
// farm: read from the run itself, and not told by a message.
type RunRecord struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// OriginalRunID is the run ID that the run was started with. A reset gives a run
	// another ID, and leaves this one.
	OriginalRunID string `json:"originalRunId"`
	// Retirement is false for a rotation and for a rollback.
	Retirement bool `json:"retirement,omitempty"`
	// ByController reports whether the farm's controller started it. Nobody else can
	// start a workflow as a child of the controller.
	ByController bool      `json:"byController,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	StartedAt    time.Time `json:"startedAt"`
	// EndedAt is zero while the run goes on.
	EndedAt time.Time `json:"endedAt,omitzero"`
	// Phase is how far the run is, and Wait what it waits for; nil while it waits for
	// nothing.
	Phase farm.Phase `json:"phase,omitempty"`
	Wait  *farm.Wait `json:"wait,omitempty"`
	// Paused are the activities that an operator has paused in Temporal, in words.
	Paused []string `json:"paused,omitempty"`
	// Snapshot is the state before its first change; nil until it is taken.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Result is how the run ended. Where the run left no report it has no outcome, which
	// Problem then explains; so it does where a run that goes on does not answer.
	Result  farm.RotationResult `json:"result,omitzero"`
	Problem string              `json:"problem,omitempty"`
}

// Running reports whether the run has not ended.
func (r RunRecord) Running() bool { return r.EndedAt.IsZero() }

// RunHint tells a controller that a run of its farm has something to tell. It is not
// believed: the controller reads the run.
type RunHint struct {
	RunID string `json:"runId"`
	// Ending reports whether the run is about to end.
	Ending bool `json:"ending,omitempty"`
}

// Admission asks a controller whether a run may change servers.
type Admission struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
}

// Admitted is the answer to an [Admission] that is granted.
type Admitted struct {
	// Farm and RunID are those of the question: an answer to another one does not count.
	Farm  string `json:"farm,omitempty"`
	RunID string `json:"runId,omitempty"`
	// Names is the ID of the snapshot of the controller's own with which the run may go on,
	// or to which it may go back; empty where there is none but the run's own.
	Names string `json:"names,omitempty"`
	// Snapshot is that of an earlier, unfinished rotation towards the same target,
	// which counts instead of the run's own; nil when the run's own does.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
}

// ActiveRun is a child of the controller that runs.
type ActiveRun struct {
	WorkflowID string `json:"workflowId"`
	// RunID is the run that goes on now, and OriginalRunID the one that was started:
	// they differ after a reset.
	RunID         string `json:"runId"`
	OriginalRunID string `json:"originalRunId,omitempty"`
	// Retirement is false for a rotation and for a rollback.
	Retirement bool `json:"retirement,omitempty"`
	// Intent is what the run was started for.
	Intent farm.Intent `json:"intent,omitempty"`
	Reason string      `json:"reason"`
	Since  time.Time   `json:"since"`
	// ReadAt is when the run was last read, and Phase, Wait and Paused what it then said;
	// see [RunRecord].
	ReadAt time.Time  `json:"readAt,omitzero"`
	Phase  farm.Phase `json:"phase,omitempty"`
	Wait   *farm.Wait `json:"wait,omitempty"`
	Paused []string   `json:"paused,omitempty"`
	// Unread says why it could not be read then; empty when it could.
	Unread string `json:"unread,omitempty"`
	// StaysSuspended reports whether the farm was suspended while the run was at work.
	StaysSuspended bool `json:"staysSuspended,omitempty"`
	// Snapshot is the one that the run has taken, from the moment when it has.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
}

// OriginalID returns the run ID that the active run was started with.
func (a *ActiveRun) OriginalID() string { return cmp.Or(a.OriginalRunID, a.RunID) }

// IsSameRun reports whether two active runs are one, resets aside; nil is none.
func (a *ActiveRun) IsSameRun(b *ActiveRun) bool {
	return a != nil && b != nil && a.WorkflowID == b.WorkflowID && a.OriginalID() == b.OriginalID()
}

// isSame reports whether a record is of the active run, or of what a reset has made
// of it.
func (a *ActiveRun) isSame(r RunRecord) bool {
	return a != nil && a.WorkflowID == r.WorkflowID && (a.RunID == r.RunID || a.OriginalID() == r.OriginalRunID)
}

// CheckAdmission returns the reason why a run must not change servers; nil when it
// may: it is the one that the controller has started, or what a reset has made of
// that. The record is what was read of it; nil where Temporal knows no such run.
func (s *State) CheckAdmission(a Admission, r *RunRecord) error {
	switch {
	case r == nil || !r.Running() || r.RunID != a.RunID:
		return fmt.Errorf("%s (run %s) has ended, or was reset", a.WorkflowID, a.RunID)
	case s.Active.isSame(*r):
		return nil
	case s.Active != nil:
		return fmt.Errorf("%s (run %s) is not the run that the controller has started, which is %s (run %s): cancel this one",
			a.WorkflowID, a.RunID, s.Active.WorkflowID, s.Active.RunID)
	case s.Suspended != "":
		return fmt.Errorf("%s (run %s) was not started by the farm's controller, and the farm is suspended: %s: resume it, or ask the controller to rotate",
			a.WorkflowID, a.RunID, s.Suspended)
	}
	return fmt.Errorf("%s (run %s) was not started by the farm's controller: ask that to rotate, with farmtrust rotate %s", a.WorkflowID, a.RunID, s.Farm)
}

// KeptFor returns the snapshot that counts for the active run: that of an earlier
// rotation towards the same target that was not finished, or the one that the run took
// before it was reset. It is nil when the run's own counts.
func (s *State) KeptFor(own *farm.Snapshot) *farm.Snapshot {
	isTowardsSame := func(kept *farm.Snapshot) bool {
		return kept != nil && own != nil && kept.Target.Thumbprint == own.Target.Thumbprint
	}
	if kept := s.LastUnfinished(); isTowardsSame(kept) {
		return kept
	}
	if taken := s.takenBefore(own); isTowardsSame(taken) {
		return taken
	}
	return nil
}

// Admit answers a run that may change servers, and that has a snapshot of its own or was
// given one.
func (s *State) Admit(a Admission, own *farm.Snapshot) Admitted {
	admitted := Admitted{Farm: s.Farm, RunID: a.RunID, Snapshot: s.KeptFor(own)}
	for _, known := range []*farm.Snapshot{admitted.Snapshot, s.LastUnfinished(), s.Retention.Snapshot} {
		if known != nil && own != nil && (known == admitted.Snapshot || known.ID == own.ID) {
			admitted.Names = known.ID
			break
		}
	}
	return admitted
}

// takenBefore returns the snapshot that the active run has taken, if this is not it: the
// run was reset since, and has taken what it had half changed itself for the state before.
func (s *State) takenBefore(own *farm.Snapshot) *farm.Snapshot {
	if s.Active == nil || s.Active.Snapshot == nil || own != nil && s.Active.Snapshot.TakenAt.Equal(own.TakenAt) {
		return nil
	}
	return s.Active.Snapshot
}

// keepTakenBefore keeps the snapshot that the active run took before it was reset, where
// the run's own goes towards another target, or does not count: its rotation is one that
// was not finished.
func (s *State) keepTakenBefore(own *farm.Snapshot) {
	if taken := s.takenBefore(own); taken != nil && taken.Replaces() && s.KeptFor(taken) == nil {
		s.keepUnfinished(taken)
	}
}

// NoteRun takes what was read of a run. One that goes on is adopted if the
// controller started it and knows of no other; one that has ended is ended here,
// once. A run that an operator started, or made by a reset of one that had ended, is
// none of the controller's: it is not let change anything.
func (s *State) NoteRun(now time.Time, r RunRecord) {
	switch isActive := s.Active.isSame(r); {
	case isActive && r.Running():
		s.noteProgress(now, r)
	case isActive:
		s.endRecorded(r)
	case s.Active != nil || !r.ByController:
	case r.Running() && r.OriginalRunID != cmp.Or(s.Last.OriginalRunID, s.Last.RunID):
		s.BeginRun(ActiveRun{
			WorkflowID: r.WorkflowID, RunID: r.RunID, OriginalRunID: r.OriginalRunID, Retirement: r.Retirement, Reason: r.Reason, Since: r.StartedAt,
		})
		s.noteProgress(now, r)
	case !r.Running() && r.EndedAt.After(s.Last.At) && r.RunID != s.Last.RunID:
		s.Active = &ActiveRun{WorkflowID: r.WorkflowID, RunID: r.RunID, OriginalRunID: r.OriginalRunID, Retirement: r.Retirement, Since: r.StartedAt}
		s.endRecorded(r)
	}
}

// noteProgress takes what a run says that goes on.
func (s *State) noteProgress(now time.Time, r RunRecord) {
	a := s.Active
	a.OriginalRunID, a.RunID = a.OriginalID(), r.RunID
	a.ReadAt, a.Wait, a.Paused, a.Unread = now, r.Wait, r.Paused, r.Problem
	a.Phase, a.Intent = cmp.Or(r.Phase, a.Phase), cmp.Or(r.Result.Intent, a.Intent)
	if r.Wait != nil && r.Wait.For == farm.ForController {
		a.Wait = nil // it asks this controller, and goes on at once
	}
	s.noteSnapshot(r.Snapshot)
}

// noteSnapshot keeps the snapshot that the active run has taken; an earlier one that
// counts instead goes before it.
func (s *State) noteSnapshot(own *farm.Snapshot) {
	if own == nil {
		return
	}
	kept := s.KeptFor(own)
	if kept == nil {
		s.keepTakenBefore(own)
	}
	// Whether no more than staging was done is said by a run that ends, and not by one
	// that goes on, or is terminated.
	counts := *cmp.Or(kept, own)
	counts.Staged = false
	s.Active.Snapshot = &counts
}

// endRecorded ends the active run as its record says. What it found before its first
// change is kept although it left no report.
func (s *State) endRecorded(r RunRecord) {
	s.noteSnapshot(r.Snapshot)
	s.Active.OriginalRunID, s.Active.RunID = s.Active.OriginalID(), r.RunID
	if s.Active.Retirement {
		if r.Result.Target == "" && s.WillRetire() {
			r.Result.Target = s.NextToRetire().Thumbprint
		}
		s.EndRetirement(r.EndedAt, r.Result, r.Problem)
		return
	}
	s.EndRotation(r.EndedAt, r.Result, r.Problem)
}

// NoteUnread notes why the active run could not be read. It is read again later.
func (s *State) NoteUnread(now time.Time, problem string) {
	s.Active.ReadAt, s.Active.Unread = now, problem
}

// LoseRun ends the active run, of which Temporal knows nothing any more, as of when
// it was last read.
func (s *State) LoseRun() {
	a := s.Active
	s.endRecorded(RunRecord{
		WorkflowID: a.WorkflowID, RunID: a.RunID, EndedAt: s.lastReadAt(),
		Problem: a.WorkflowID + " left no report: Temporal does not know it any more",
	})
}

// Recall takes what Temporal says of the farm's runs, in any order, after a time in
// which no controller heard of them. It makes the state of the controller before that
// of the farm now.
func (s *State) Recall(now time.Time, records []RunRecord) {
	s.Separate()
	s.Recalling, s.RecallProblem, s.Mailbox.Request = false, "", nil // the operator has been told that the controller ended
	s.Inspected.Due = true
	if s.Active != nil && !slices.ContainsFunc(records, s.Active.isSame) {
		s.LoseRun()
	}
	slices.SortStableFunc(records, func(a, b RunRecord) int {
		switch {
		case a.Running() && b.Running():
			return 0
		case a.Running():
			return 1
		case b.Running():
			return -1
		}
		return a.EndedAt.Compare(b.EndedAt)
	})
	for _, r := range records {
		s.NoteRun(now, r)
	}
}

// Adopt takes over what was recalled. Events that have arrived here meanwhile stay
// pending.
func (s *State) Adopt(now time.Time, recalled State) {
	pending, withdrawn, shared := s.Mailbox.Pending, s.Mailbox.Withdrawn, s.Shared
	if *s = recalled; !shared {
		s.Separate()
	}
	s.Shared = shared
	s.Mailbox.Withdrawn = append(s.Mailbox.Withdrawn, withdrawn...)
	for _, e := range pending {
		s.ReceiveEvent(now, e)
	}
}

// BeginRecall notes that what the controller knows may not be the truth: nothing is
// started until it was recalled.
func (s *State) BeginRecall() { s.Recalling, s.RecallProblem = true, "" }

// FailRecall notes why it could not be recalled yet.
func (s *State) FailRecall(problem string) { s.RecallProblem = problem }

// Suspend has nothing start by itself until an operator resumes. A rotation that is at
// work goes on, but does not end this.
func (s *State) Suspend(reason string) {
	if s.Active != nil {
		s.Active.StaysSuspended = true
	}
	if s.Suspended == "" {
		s.Suspended = reason
	}
}
