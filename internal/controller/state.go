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
//	rotating   a rotation or a rollback runs              EndRotation
//	retiring   the old certificate is being retired       EndRetirement
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
//	ApplyConfiguration  a worker starts                        managed, and an inspection is due if it was not; or
//	                                                           unmanaged, and the request is dropped
//	BeginInspection     an inspection is due                   it no longer is
//	ApplyInspection     an inspection ended                    current certificate and next action are known
//	BeginRun            a child started                        pending events have their result: this run
//	MeetForeignRun      one that was started by hand runs      pending events have their result: that run; a
//	                                                           retirement is due again after another retention
//	AnswerEvents        an inspection starts nothing           pending events have their result: the reason
//	EndRotation         the child ended: verified              the snapshot is kept, the retention begins, a
//	                                                           suspension ends
//	                    rolled back                            suspended; its snapshot is forgotten
//	                    refused                                an operator is needed
//	                    unchanged                              nothing
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
	// Policy is the farm's, as of the last inspection.
	Policy Policy `json:"policy"`
}

// ActiveRun is a child of the controller that runs.
type ActiveRun struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Retirement is false for a rotation and for a rollback.
	Retirement bool      `json:"retirement,omitempty"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// LastRun is how the last child ended.
type LastRun struct {
	At time.Time `json:"at"`
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
	Retiring  Phase = "retiring"
	Suspended Phase = "suspended"
	Waiting   Phase = "waiting"
	Idle      Phase = "idle"
)

// Phase returns the phase, and reports whether an operator is needed.
func (s *State) Phase() (phase Phase, needsOperator bool) {
	switch {
	case s.Unmanaged != "":
		return Unmanaged, true
	case s.RunsRetirement():
		return Retiring, false
	case s.Active != nil:
		return Rotating, false
	case s.Suspended != "":
		return Suspended, true
	case s.Next.Action == farm.ActionNone:
		return Idle, s.Next.NeedsOperator
	}
	return Waiting, s.Next.NeedsOperator
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
	sum := fnv.New32a()
	sum.Write([]byte(s.Farm)) //nolint:errcheck // a hash takes everything
	const parts = 1000
	early := interval / 10 * time.Duration(sum.Sum32()%parts) / parts
	return s.Inspected.At.Add(interval - early)
}

// UntilNext is how long nothing is due: at least a second.
func (s *State) UntilNext(now time.Time) time.Duration {
	next := s.NextInspectionAt()
	switch {
	case s.Unmanaged != "", s.Active != nil && !s.RunsRetirement():
		next = now.Add(cmp.Or(s.Policy.InspectionInterval, unreachableInterval))
	case s.Active == nil && s.WillRetire() && s.Retention.Until.Before(next):
		next = s.Retention.Until
	}
	return max(next.Sub(now), time.Second)
}

// InspectionDue reports whether the farm is to be inspected now.
func (s *State) InspectionDue(now time.Time) bool {
	return s.Inspected.Due || !now.Before(s.NextInspectionAt())
}
