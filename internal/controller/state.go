// Package controller is what the controller of a farm knows, and how that
// changes: pure transitions of one state, which take the time and nothing of
// Temporal.
//
// The loop that feeds it is workflows.ManageFarm.
//
// A farm is always in one phase:
//
//	phase      meaning                                    left by
//	unmanaged  no worker's configuration names the farm   ApplyConfiguration
//	rotating   a rotation or a rollback runs              EndRotation, NoteRun
//	recalling  it is not known yet what ran before         Adopt
//	retiring   the old certificate is being retired       EndRetirement, NoteRun
//	suspended  nothing starts by itself                   Resume, BeginRun
//	waiting    for a newer certificate, or for its time   ApplyInspection, BeginRun
//	idle       in order, or an operator must act first    ApplyInspection, BeginRun
//
// ApplyConfiguration leads from any phase to unmanaged. A phase changes by these
// transitions:
//
//	transition          cause                                  effect
//	ReceiveEvent        a signal                               the event is pending, unless it was seen before
//	AcceptRequest       an operator's update                   the request is pending
//	Resume              an operator's update                   the suspension ends; an inspection is due
//	BeginRecall         a controller starts, or was reset      nothing is started until Adopt
//	FailRecall          that cannot be found out for now       an operator may be needed
//	Adopt               what ran before was recalled           what the controller before knew is known, and
//	                                                           what its runs say since
//	ApplyConfiguration  a worker starts                        managed, and an inspection is due if it was not, or
//	                                                           if the farm's configuration has changed; or
//	                                                           unmanaged, and the request is dropped
//	Suspend             the controller is cancelled            suspended
//	BeginInspection     an inspection is due                   it no longer is
//	ApplyInspection     an inspection ended                    current certificate and next action are known
//	NoteObservation     an inspection while a run waits        current certificate is known; nothing is decided
//	BeginRun            a child started                        pending events have their result: this run
//	NoteRun             a run was read: it goes on             its snapshot, and what it waits for, are known; one
//	                                                           that the controller did not know is its child again
//	                    it has ended                           as EndRotation and EndRetirement, once for each run
//	                    it is none of the controller's         nothing
//	NoteUnread          a run could not be read                the page says so
//	LoseRun             Temporal does not know it any more     as NoteRun of one that left no report
//	MeetForeignRun      one that was started by hand runs      pending events have their result: that run; a
//	                                                           retirement is due again after another retention;
//	                                                           an operator is needed if it stays
//	AnswerEvents        an inspection starts nothing           pending events have their result: the reason
//	EndRotation         the child ended: verified              the snapshot is kept, the retention begins, a
//	                                                           suspension ends
//	                    rolled back                            suspended; its snapshot is forgotten
//	                    refused                                an operator is needed
//	                    cancelled before its first change      suspended
//	                    unchanged                              nothing
//	                    nobody approved it                     it begins again
//	                    anything else                          suspended; the snapshot is kept
//	                    any but refused                        an inspection is due
//	EndRetirement       the child ended: verified              the snapshot is forgotten
//	                    anything else                          the retention begins again
//	                    any                                    an inspection is due
package controller

import (
	"cmp"
	"hash/fnv"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// State is everything that the controller of a farm knows. It survives
// continue-as-new, and is the answer to the state query.
type State struct {
	Farm string `json:"farm"`
	// Unmanaged says why the controller does nothing: no worker's
	// configuration names the farm. It is empty when one does.
	Unmanaged string `json:"unmanaged,omitempty"`
	// Recalling reports whether the controller does not know yet what ran before it.
	// Nothing is started meanwhile.
	Recalling bool `json:"recalling,omitempty"`
	// RecallProblem says why it could not find out so far; empty while nothing failed.
	RecallProblem string `json:"recallProblem,omitempty"`
	// Configured is what the worker that started last has in its configuration.
	Configured Configured `json:"configured,omitzero"`
	// Suspended says why nothing starts by itself until an operator resumes;
	// empty when it may.
	Suspended string `json:"suspended,omitempty"`
	// Mailbox is what has arrived. Events and requests fill it, BeginRun and
	// AnswerEvents empty it.
	Mailbox Mailbox `json:"mailbox,omitzero"`
	// Active is the child that runs; nil when none does. BeginRun sets it.
	Active *ActiveRun `json:"active,omitempty"`
	// Last is how the last child ended; zero before the first.
	Last LastRun `json:"last,omitzero"`
	// Retention is what is kept of the last rotation, until its old
	// certificate is retired.
	Retention Retention `json:"retention,omitzero"`
	// Inspected is what the last inspection found.
	Inspected Inspected `json:"inspected,omitzero"`
	// Next is what was decided then.
	Next farm.Next `json:"next"`
	// Foreign is the run that kept a rotation from starting; zero when none did.
	Foreign ForeignRun `json:"foreign,omitzero"`
	// Warned is how urgent the log was told that the end of the certificate is.
	Warned farm.Urgency `json:"warned,omitempty"`
	// Policy is the farm's, as of the last inspection.
	Policy Policy `json:"policy"`
}

// LastRun is how the last child ended.
type LastRun struct {
	At time.Time `json:"at"`
	// RunID is empty for a run of an earlier version.
	RunID string `json:"runId,omitempty"`
	// OriginalRunID is the run ID that it was started with, where that is another; see
	// [ActiveRun].
	OriginalRunID string `json:"originalRunId,omitempty"`
	// Outcome is empty when the run left no report: it was terminated.
	Outcome   farm.Outcome `json:"outcome"`
	Statement string       `json:"statement"`
	// Accepted are the findings that operators accepted for it.
	Accepted []farm.Finding `json:"accepted,omitempty"`
}

// Retention is what is kept of the last rotation.
type Retention struct {
	// Snapshot is the state before it, which a rollback restores.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Until is when the old certificate is retired; zero while the rotation is
	// not finished.
	Until time.Time `json:"until,omitzero"`
	// Older are certificates whose retention had not ended when the next
	// rotation replaced their successor. They are retired first.
	Older []farm.StoreCertificate `json:"older,omitempty"`
}

// Inspected is what the last inspection found.
type Inspected struct {
	// At is zero before the first.
	At time.Time `json:"at,omitzero"`
	// Current is the certificate in use, as of the last inspection that
	// reached every server.
	Current farm.StoreCertificate `json:"current,omitzero"`
	// Lost is the certificate that was last in use, while none is: an office farm
	// has lost the setting that names it.
	Lost farm.Thumbprint `json:"lost,omitempty"`
	// Unreachable reports whether the last one did not.
	Unreachable bool `json:"unreachable,omitempty"`
	// Due asks for an inspection without waiting for the timer. It is part of
	// the state so that continuing as new does not lose it.
	Due bool `json:"due,omitempty"`
}

// Policy is what the controller needs of [farm.RotationPolicy].
type Policy struct {
	InspectionInterval time.Duration `json:"inspectionInterval"`
	KeepOldFor         time.Duration `json:"keepOldFor"`
}

// PolicyOf returns the controller's part of a farm's policy.
func PolicyOf(p farm.RotationPolicy) Policy {
	return Policy{InspectionInterval: p.InspectionInterval, KeepOldFor: p.KeepOldFor}
}

// Phase is what a controller does, in a word.
type Phase string

// The phases; see the package comment.
const (
	Unmanaged Phase = "unmanaged"
	Rotating  Phase = "rotating"
	Recalling Phase = "recalling"
	Retiring  Phase = "retiring"
	Suspended Phase = "suspended"
	Waiting   Phase = "waiting"
	Idle      Phase = "idle"
)

// Phase returns the phase.
func (s *State) Phase() Phase {
	switch {
	case s.Unmanaged != "":
		return Unmanaged
	case s.Recalling:
		return Recalling
	case s.RunsRetirement():
		return Retiring
	case s.Active != nil:
		return Rotating
	case s.Suspended != "":
		return Suspended
	case s.Next.Action == farm.ActionNone:
		return Idle
	}
	return Waiting
}

// NeedsOperator reports whether nothing will change until an operator acts, or
// whether the certificate in use is about to end while nothing is done about it.
func (s *State) NeedsOperator(now time.Time) bool {
	urgent := s.Urgency(now) > farm.NotUrgent
	switch run := s.Active; {
	case s.Unmanaged != "":
		return true
	case s.RecallProblem != "":
		return true
	case run != nil && (len(run.Paused) > 0 || run.Wait.NeedsOperator() || run.Unread != ""):
		return true
	case s.RunsRetirement():
		return urgent || s.Suspended != "" || s.Next.NeedsOperator
	case run != nil:
		return urgent && run.Wait != nil
	}
	return urgent || s.Suspended != "" || s.Next.NeedsOperator
}

// Urgency is how close the end of the certificate in use is.
func (s *State) Urgency(now time.Time) farm.Urgency {
	return farm.UrgencyAt(now, s.Inspected.Current.NotAfter)
}

// RunsRetirement reports whether the child is a retirement, which waits for an
// operator for days and must not keep anything else waiting.
func (s *State) RunsRetirement() bool { return s.Active != nil && s.Active.Retirement }

// unreachableInterval is when a farm that could not be inspected is inspected
// again: a server that is away for a reboot must not look like trouble for hours.
const unreachableInterval = 15 * time.Minute

// NextInspectionAt is when the timer asks for an inspection. Controllers that start
// together, as all of a worker's do, drift apart: each inspects a little more
// often than configured, by up to a tenth, which depends on the farm's name
// alone.
func (s *State) NextInspectionAt() time.Time {
	// A controller that was never able to inspect its farm knows no policy.
	interval := cmp.Or(s.Policy.InspectionInterval, unreachableInterval)
	if s.Inspected.Unreachable {
		interval = min(interval, unreachableInterval)
	}
	if s.Next.Code == farm.CodeStartedElsewhere {
		interval = min(interval, watchInterval)
	}
	sum := fnv.New32a()
	sum.Write([]byte(s.Farm)) //nolint:errcheck // a hash takes everything
	const parts = 1000
	early := interval / 10 * time.Duration(sum.Sum32()%parts) / parts
	return s.Inspected.At.Add(interval - early)
}

// NoteUrgency reports whether the end of the certificate in use has become more
// urgent than it was when this was last asked.
func (s *State) NoteUrgency(now time.Time) (raised bool) {
	before := s.Warned
	s.Warned = s.Urgency(now)
	return s.Warned > before
}

// watchInterval is how often a run is read that works, and does not wait: what
// happens to it by hand is seen then.
const watchInterval = 5 * time.Minute

// ReadDue reports whether the active run is to be read now.
func (s *State) ReadDue(now time.Time) bool {
	return s.Active != nil && !now.Before(s.nextReadAt())
}

// lastReadAt is when the active run was last read, or when it started.
func (s *State) lastReadAt() time.Time {
	if s.Active.ReadAt.After(s.Active.Since) {
		return s.Active.ReadAt
	}
	return s.Active.Since
}

func (s *State) nextReadAt() time.Time {
	since := s.lastReadAt()
	if s.Active.Wait != nil {
		return since.Add(max(watchInterval, s.NextInspectionAt().Sub(s.Inspected.At)))
	}
	return since.Add(watchInterval)
}

// UntilNext is how long nothing is due: at least a second.
func (s *State) UntilNext(now time.Time) time.Duration {
	next := s.NextInspectionAt()
	switch {
	case s.Unmanaged != "", s.Active != nil && !s.MayInspect():
		next = now.Add(cmp.Or(s.Policy.InspectionInterval, unreachableInterval))
	case s.Active == nil && s.WillRetire() && s.Retention.Until.Before(next):
		next = s.Retention.Until
	}
	if s.Active != nil && s.nextReadAt().Before(next) {
		next = s.nextReadAt()
	}
	if urgent := farm.NextUrgencyAt(now, s.Inspected.Current.NotAfter); !urgent.IsZero() && urgent.Before(next) {
		next = urgent
	}
	return max(next.Sub(now), time.Second)
}

// MayInspect reports whether an inspection may begin: none disturbs a run that
// works, but one that waits must not keep the farm unseen.
func (s *State) MayInspect() bool {
	return s.Active == nil || s.RunsRetirement() || s.Active.Wait != nil
}

// InspectionDue reports whether the farm is to be inspected now.
func (s *State) InspectionDue(now time.Time) bool {
	return s.MayInspect() && (s.Inspected.Due || !now.Before(s.NextInspectionAt()))
}
