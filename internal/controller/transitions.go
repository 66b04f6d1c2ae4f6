package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// DecisionInput returns what a decision after an inspection rests on.
// Unobserved says why the farm could not be inspected; empty when it was.
func (s *State) DecisionInput(now time.Time, n farm.Inspection, unobserved string) farm.DecisionInput {
	return farm.DecisionInput{
		Now: now, Farm: n.Config, Current: n.Current, KnownBefore: s.lastKnown(), Target: n.Target,
		Differences: n.Plan, Findings: n.Findings, Unobserved: unobserved,
		EventPending: len(s.Mailbox.Pending) > 0 || s.Foreign.ForEvents || s.Postponed.isForEvents(), Suspended: s.Suspended,
		NotReleased: s.IsUnreleased(), PostponedUntil: s.PostponedUntil(now), PostponedBy: s.Postponed.describe(),
	}
}

// ApplyPolicy takes the farm's policy as a worker has it. A retention that has begun is
// as long as it says now.
func (s *State) ApplyPolicy(p Policy) {
	s.Policy = p
	if s.Format >= formatReleases && !s.Retention.Begun.IsZero() {
		s.Retention.Until = s.retentionEnd()
	}
}

// beginRetention begins a retention that lasts as long as the policy says, and not
// shorter than a time.
func (s *State) beginRetention(now time.Time, atLeast time.Duration) {
	s.Retention.Begun, s.Retention.AtLeast = now, atLeast
	s.Retention.Until = s.retentionEnd()
}

func (s *State) retentionEnd() time.Time {
	r := s.Retention
	if r.AtLeast == 0 && r.Snapshot != nil && r.Snapshot.Compromised {
		return r.Begun
	}
	return r.Begun.Add(max(s.Policy.KeepOldFor, r.AtLeast))
}

// BeginInspection notes that an inspection begins. What makes another one due
// meanwhile counts: this one may not have seen it.
func (s *State) BeginInspection() { s.Inspected.Due = false }

// ApplyInspection takes what an inspection found and what was decided after it.
// Where a server could not be reached, the certificate that was in use before
// still counts.
func (s *State) ApplyInspection(now time.Time, n farm.Inspection, unobserved string, next farm.Next) {
	s.NoteObservation(now, n, unobserved)
	s.Inspected.Outdated = false
	s.noteDeferred(next)
	if s.Next = next; next.Action != farm.ActionRotate {
		s.Foreign = ForeignRun{}
	}
	s.beginRetentionOnceSettled(now)
}

// NoteObservation takes what an inspection found while a run waits, which decides
// nothing.
func (s *State) NoteObservation(now time.Time, n farm.Inspection, unobserved string) {
	s.Inspected.At, s.Inspected.Unreachable = now, unobserved != ""
	s.Interest.noteInspection(n)
	if n.Config.Rotation.InspectionInterval > 0 {
		s.ApplyPolicy(PolicyOf(n.Config.Rotation))
	}
	if !s.Inspected.Unreachable {
		if s.Inspected.Lost = s.lastKnown(); n.Current.Thumbprint != "" {
			s.Inspected.Lost = ""
		}
		s.Inspected.Current, s.Inspected.RefreshDoubt = n.Current, n.RefreshDoubt
		s.noteWayBack(now, n)
	}
}

// noteWayBack notes whether the last renewal could be undone. Until its
// certificate is in use there is nothing but staging to go back behind, which is
// always possible.
func (s *State) noteWayBack(now time.Time, n farm.Inspection) {
	snapshot := s.Retention.Snapshot
	if s.Retention.NoWayBack = ""; snapshot == nil || n.Current.Thumbprint != snapshot.Target.Thumbprint {
		return
	}
	if !snapshot.Previous.NotAfter.IsZero() {
		s.Retention.NoWayBack = snapshot.ExpiredAt(now)
	}
	s.Retention.NoWayBack = cmp.Or(s.Retention.NoWayBack, snapshot.NoWayBackAsOf(n))
}

// lastKnown returns the certificate that was last seen in use.
func (s *State) lastKnown() farm.Thumbprint {
	return cmp.Or(s.Inspected.Current.Thumbprint, s.Inspected.Lost)
}

// beginRetentionOnceSettled begins the retention of a renewal that did not end as
// planned once the farm is as that rotation wanted it, no matter who finished it.
func (s *State) beginRetentionOnceSettled(now time.Time) {
	current := s.Inspected.Current.Thumbprint
	if s.Next.Action != farm.ActionNone || s.Next.NeedsOperator || current == "" {
		return
	}
	if last := s.LastUnfinished(); last != nil && last.Target.Thumbprint == current {
		s.finish(now, last)
	}
	if kept := s.Retention.Snapshot; kept != nil && s.Retention.Unsettled && kept.Target.Thumbprint == current {
		s.settle(now)
	}
}

// BeginRun notes a child that has started, and answers pending events with it.
func (s *State) BeginRun(run ActiveRun) {
	s.Active, s.Foreign = &run, ForeignRun{}
	if !run.Retirement {
		s.endDeferral()
		s.AnswerEvents(EventResult{At: run.Since, WorkflowID: run.WorkflowID, RunID: run.RunID, Reason: run.Reason})
	}
}

// ForeignRun is a run that was started by hand under the workflow ID of a rotation.
type ForeignRun struct {
	WorkflowID string `json:"workflowId"`
	// RunID is empty where it is not known.
	RunID string `json:"runId,omitempty"`
	// MetAt is when it was first met.
	MetAt time.Time `json:"metAt"`
	// ForEvents reports whether events asked for the rotation. They have their result,
	// but what they asked for is not done.
	ForEvents bool `json:"forEvents,omitempty"`
}

// foreignPatience is how long a run that was started by hand may take before an
// operator must see to it: it cannot change anything, and ends by itself once it
// tries to, unless it waits.
const foreignPatience = 10 * time.Minute

// MeetForeignRun notes that a child could not be started, because an operator
// started one by hand that still runs, if only until this moment. It answers pending
// events, and the farm is soon inspected again. A retirement is due again after
// another retention.
func (s *State) MeetForeignRun(now time.Time, run ActiveRun, runID string) {
	if run.Retirement {
		s.postponeRetirement(now)
		return
	}
	if met := s.Foreign; met.RunID != runID || met.WorkflowID != run.WorkflowID {
		s.Foreign = ForeignRun{WorkflowID: run.WorkflowID, RunID: runID, MetAt: now, ForEvents: met.ForEvents}
	}
	s.Foreign.ForEvents = s.Foreign.ForEvents || len(s.Mailbox.Pending) > 0
	s.Next = farm.Next{
		Code: farm.CodeStartedElsewhere, Reason: run.WorkflowID + " is already running; it was started by hand",
		NeedsOperator: now.Sub(s.Foreign.MetAt) >= foreignPatience,
	}
	s.AnswerEvents(EventResult{At: now, WorkflowID: run.WorkflowID, Reason: s.Next.Reason, NeedsOperator: s.Next.NeedsOperator})
}

// EndRotation takes how a rotation or a rollback ended. Problem is set when it
// left no report. The farm is then inspected at once, but not after a refusal,
// whose cause an inspection may not show. One that was ended from outside left its
// snapshot with the controller before its first change.
func (s *State) EndRotation(now time.Time, r farm.RotationResult, problem string) {
	if r.Snapshot == nil && s.Active != nil && problem != "" {
		r.Snapshot = s.Active.Snapshot
	}
	if r.Outcome == farm.NoChange || r.Outcome == farm.Refused {
		s.keepTakenBefore(r.Snapshot)
	}
	run := s.Active
	staysSuspended := run != nil && run.StaysSuspended
	s.endRun(now, r.Report, problem)
	s.Inspected.Due = s.Inspected.Due || r.Outcome != farm.Refused
	switch {
	case r.Outcome == farm.NoChange:
	case r.Outcome == farm.Refused && r.Cancelled:
		s.Suspend("the rotation was cancelled")
	case r.Outcome == farm.Refused:
		s.Next = farm.Next{NeedsOperator: true, Code: farm.CodeRefused, Reason: s.Last.Statement}
	case r.Outcome == farm.Verified:
		s.endVerified(now, r, staysSuspended)
	case r.Outcome == farm.RolledBack:
		s.endRolledBack(now, r)
	default:
		s.endUnfinished(now, r)
	}
	s.noteEnd(now, run)
}

func (s *State) endVerified(now time.Time, r farm.RotationResult, staysSuspended bool) {
	if !staysSuspended {
		s.Suspended = ""
	}
	s.finish(now, r.Snapshot)
	if s.Retention.Unsettled {
		s.settle(now)
	}
}

func (s *State) endRolledBack(now time.Time, r farm.RotationResult) {
	if !r.NotApproved {
		s.Suspended = "the rotation was rolled back"
	}
	if r.Snapshot != nil && r.Snapshot.Previous.Thumbprint == "" {
		s.Inspected.Current, s.Inspected.Lost = farm.StoreCertificate{}, "" // nothing is lost: it was the first set-up
	}
	switch {
	case s.Shared:
		s.forgetShared(r.Snapshot)
	case s.Retention.Snapshot.IsOf(r.Snapshot):
		s.Suspended, s.UndoneAt = "the rotation was undone", now
		s.forgetRetention()
	case s.LastUnfinished().IsOf(r.Snapshot):
		s.dropUnfinished()
	}
}

// endUnfinished suspends the farm, unless the rotation ended because nobody approved it:
// that one begins again.
func (s *State) endUnfinished(now time.Time, r farm.RotationResult) {
	if !r.NotApproved {
		s.Suspended = "the rotation did not end as planned: " + s.Last.Statement
	}
	switch {
	case r.Settled:
		renewed := r.Snapshot != nil && r.Snapshot.IsRenewal()
		s.finish(now, r.Snapshot)
		s.Retention.Unsettled = s.Retention.Unsettled || renewed
	case r.Snapshot != nil:
		if s.Retention.Snapshot.IsOf(r.Snapshot) && !s.Shared {
			s.forgetRetention() // it was being undone, and is unfinished now
		}
		s.keepUnfinished(r.Snapshot)
	}
}

func (s *State) endRun(now time.Time, r farm.Report, problem string) {
	var run ActiveRun
	if s.Active != nil {
		run = *s.Active
	}
	s.Active = nil
	s.Inspected.Outdated = s.Inspected.Outdated || r.Outcome != farm.Refused
	s.keepReport(run.Retirement, r)
	s.Last = LastRun{At: now, RunID: run.RunID, OriginalRunID: run.OriginalRunID, Outcome: r.Outcome, Statement: r.Statement, Accepted: farm.AcceptedFindings(r.Findings)}
	if problem != "" {
		s.Last.Statement = problem
	}
}

// LastUnfinished returns the snapshot of the last rotation that was not finished; nil
// when the farm was verified, or everything rolled back, since.
func (s *State) LastUnfinished() *farm.Snapshot {
	if s.Shared {
		return s.lastUnfinishedShared()
	}
	if n := len(s.Unfinished); n > 0 {
		return &s.Unfinished[n-1]
	}
	return nil
}

// keepUnfinished keeps the snapshot of a rotation that was not finished, in place of
// the one that it carried on.
func (s *State) keepUnfinished(snapshot *farm.Snapshot) {
	if s.Shared {
		s.keepUnfinishedShared(snapshot)
		return
	}
	if s.LastUnfinished().IsOf(snapshot) {
		s.dropUnfinished()
	}
	s.Unfinished = append(s.Unfinished, *snapshot)
	for len(s.Unfinished) > 1 && farm.SizeOf(s.Unfinished) > farm.MaxUnfinished {
		s.Unfinished = slices.Clone(s.Unfinished[1:]) // what Temporal cannot take would stop the controller
	}
}

// dropUnfinished forgets the last rotation that was not finished.
func (s *State) dropUnfinished() {
	s.Unfinished = slices.Clone(s.Unfinished[:len(s.Unfinished)-1])
}

// finish notes that the farm was verified at the end of a rotation with this snapshot:
// nothing is unfinished any more, and the snapshot of a renewal is kept. That of a
// repair is not, and leaves the retention of the renewal before it as it is.
func (s *State) finish(now time.Time, snapshot *farm.Snapshot) {
	if s.Shared {
		s.finishShared(now, snapshot)
		return
	}
	for _, u := range s.Unfinished {
		s.rememberOlder(u, snapshot)
	}
	s.Unfinished = nil
	if snapshot == nil || !snapshot.IsRenewal() {
		return
	}
	if kept := s.Retention.Snapshot; kept != nil {
		s.rememberOlder(*kept, snapshot)
	}
	s.UndoneAt = time.Time{}
	s.forgetRetention()
	s.Retention.Snapshot, s.Retention.VerifiedAt = snapshot, now
	s.beginRetention(now, 0)
}

// settle begins the retention of a renewal of which servers were left out.
func (s *State) settle(now time.Time) {
	s.Retention.Unsettled = false
	s.beginRetention(now, 0)
}

// rememberOlder remembers the certificate that a rotation replaced and that is not
// retired yet, once another rotation has been verified: also when that one was not
// finished, or a suspension deferred the retirement.
func (s *State) rememberOlder(replaced farm.Snapshot, by *farm.Snapshot) {
	old := replaced.Previous
	isOld := func(c farm.StoreCertificate) bool { return c.Thumbprint == old.Thumbprint }
	switch {
	case !replaced.Replaces() || slices.ContainsFunc(s.Retention.Older, isOld):
	case by != nil && (by.Target.Thumbprint == old.Thumbprint || by.IsRenewal() && by.Previous.Thumbprint == old.Thumbprint):
	case (by == nil || !by.IsRenewal()) && s.Retention.Snapshot != nil && s.Retention.Snapshot.Previous.Thumbprint == old.Thumbprint:
	default:
		s.Retention.Older = append(s.Retention.Older, old)
		for len(s.Retention.Older) > maxOlder || farm.SizeOf(s.Retention.Older) > maxOlderSize {
			s.Retention.LeftBehind = s.Retention.Older[0].Thumbprint
			s.Retention.Older = slices.Clone(s.Retention.Older[1:]) // what Temporal cannot take would stop the controller
		}
	}
}

// Bounds of [Retention.Older], in certificates and in bytes of JSON: a farm that is renewed
// again and again while its retirements wait must not fill the state.
const (
	maxOlder     = 50
	maxOlderSize = 64 << 10
)

// forgetRetention forgets the last renewal, but not what is older.
func (s *State) forgetRetention() {
	s.Retention = Retention{Older: s.Retention.Older, LeftBehind: s.Retention.LeftBehind}
}
