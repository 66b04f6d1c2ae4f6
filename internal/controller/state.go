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
//	incident   a foreign certificate is trusted           NoteTrust, AcceptTrust
//	rotating   a rotation or a rollback runs              EndRotation, NoteRun
//	recalling  it is not known yet what ran before         Adopt
//	retiring   the old certificate is being retired       EndRetirement, NoteRun
//	suspended  nothing starts by itself                   ApplyImmediate, BeginRun
//	waiting    for a newer certificate, or for its time   ApplyInspection, BeginRun
//	idle       in order, or an operator must act first    ApplyInspection, BeginRun
//
// ApplyConfiguration leads from any phase to unmanaged. A phase changes by these
// transitions:
//
//	transition          cause                                  effect
//	ReceiveEvent        a signal                               the event is pending, unless it was seen before
//	AcceptRequest       an operator's update                   the request is pending
//	ApplyImmediate      an operator's update                   the suspension ends, or the farm is released, or is
//	                                                           not any more, or postponed; an inspection is due. Or
//	                                                           the request that waits is withdrawn
//	DropExpired         a request has waited too long          it is dropped
//	WithdrawRequest     a signal                               the request of that update is dropped, or will not be
//	                                                           accepted
//	ApplyPolicy         a worker's configuration was read      retention, inspections and mode count from now on
//	BeginRecall         a controller starts, or was reset      nothing is started until Adopt
//	FailRecall          that cannot be found out for now       an operator may be needed
//	Adopt               what ran before was recalled           what the controller before knew is known, and
//	                                                           what its runs say since
//	ApplyConfiguration  a worker starts                        managed, and an inspection is due if it was not, or
//	                                                           if the farm's configuration has changed; or
//	                                                           unmanaged, and the request is dropped
//	Suspend             the controller is cancelled            suspended, also once a rotation that is at work
//	                                                           has ended well
//	BeginInspection     an inspection is due                   it no longer is
//	ApplyInspection     an inspection ended                    current certificate and next action are known
//	NoteTrust           it was looked what is trusted          incidents begin, or are over
//	AcceptTrust         an operator's update                   its incidents are over
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
//	EndRotation         the child ended: verified              nothing is unfinished; a suspension ends; the snapshot
//	                                                           of a renewal is kept, and its retention begins
//	                    rolled back                            suspended; its snapshot is forgotten
//	                    an undo, rolled back                   suspended; the retention is over
//	                    refused                                an operator is needed
//	                    cancelled before its first change      suspended
//	                    unchanged                              nothing
//	                    nobody approved it                     it begins again
//	                    verified but for servers left out      suspended; as verified, but nothing is retired
//	                    anything else                          suspended; its snapshot is of an unfinished rotation
//	                    any but refused                        an inspection is due
//	EndRetirement       the child ended: verified              the snapshot is forgotten; one that was compromised
//	                                                           only once older certificates are retired, too
//	                    anything else                          the retention begins again
//	                    any                                    an inspection is due
//	NoteNeed            what is shown of the farm has changed  operators are told that one of them is needed, or
//	                                                           not any more, or that the end comes closer
//	EndNotice           operators were told, or that failed    the next notice is told
package controller

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// State is everything that the controller of a farm knows. It survives
// continue-as-new, and is the answer to the state query.
type State struct {
	Farm string `json:"farm"`
	// Format is the one of this state; see [Format].
	Format int `json:"format,omitempty"`
	// Released says who lets the farm be rotated by itself; nil where nobody does.
	Released *Release `json:"released,omitempty"`
	// Postponed is until when nothing starts by itself; nil where nobody postponed. It
	// stays when that time is over.
	Postponed *Postponement `json:"postponed,omitempty"`
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
	// Reports are those of the last runs that worked on the farm, which Temporal deletes.
	Reports Reports `json:"reports,omitzero"`
	// Retention is what is kept of the last renewal that was verified, until its old
	// certificate is retired. An undo restores its snapshot.
	Retention Retention `json:"retention,omitzero"`
	// Unfinished are the snapshots of rotations since then that have changed something and
	// did not end well, oldest first. A rollback restores the newest one, and the next
	// rotation towards the same target carries it on.
	Unfinished []farm.Snapshot `json:"unfinished,omitempty"`
	// UndoneAt is when the last renewal was undone; zero when it was not.
	UndoneAt time.Time `json:"undoneAt,omitzero"`
	// Shared reports whether Retention holds what belongs into Unfinished too; see
	// shared_v1.go.
	Shared bool `json:"shared,omitempty"`
	// Inspected is what the last inspection found.
	Inspected Inspected `json:"inspected,omitzero"`
	// Interest is which expiry events concern the farm, as of all inspections.
	Interest Interest `json:"interest,omitzero"`
	// Watch is what the SharePoint farms were last seen to trust.
	Watch Watch `json:"watch,omitzero"`
	// Next is what was decided then.
	Next farm.Next `json:"next"`
	// Foreign is the run that kept a rotation from starting; zero when none did.
	Foreign ForeignRun `json:"foreign,omitzero"`
	// Notices are what operators are told without asking.
	Notices Notices `json:"notices,omitzero"`
	// Warned is how urgent the log was told that the end of the certificate is.
	Warned farm.Urgency `json:"warned,omitempty"`
	// Policy is the farm's, as of the last inspection.
	Policy Policy `json:"policy"`
	// Seal is of the worker that wrote the state; empty while a run works with it. See
	// [State.SealFor].
	Seal string `json:"seal,omitempty"`
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

// Retention is what is kept of the last renewal that was verified.
type Retention struct {
	// Snapshot is the state before it, which an undo restores.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// VerifiedAt is when the farm was verified after it.
	VerifiedAt time.Time `json:"verifiedAt,omitzero"`
	// Unsettled reports whether servers were left out of it: the old certificate is not
	// retired until the farm is as the rotation wanted it.
	Unsettled bool `json:"unsettled,omitempty"`
	// NoWayBack says why it could not be restored when the farm was last observed; empty
	// when it could. An undo observes the farm itself before it changes anything.
	NoWayBack string `json:"noWayBack,omitempty"`
	// Begun is when the retention began, and AtLeast how long it is whatever the policy
	// says; Until, when the old certificate is retired, follows from them and the
	// policy. An earlier version kept Until alone.
	Begun   time.Time     `json:"begun,omitzero"`
	AtLeast time.Duration `json:"atLeast,omitempty"`
	Until   time.Time     `json:"until,omitzero"`
	// Retired reports whether the certificate before is retired, while older ones are
	// still to be: it was compromised, and went first.
	Retired bool `json:"retired,omitempty"`
	// Older are certificates whose retention had not ended when the next
	// rotation replaced their successor. They are retired first.
	Older []farm.StoreCertificate `json:"older,omitempty"`
	// LeftBehind is the certificate that was too many of those last: nobody retires it, nor
	// any older one. It is empty where there were never too many.
	LeftBehind farm.Thumbprint `json:"leftBehind,omitempty"`
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
	// Outdated reports whether a run has ended since what was decided last.
	Outdated bool `json:"outdated,omitempty"`
	// RefreshDoubt says why a data refresh fails, or may fail, as of that; empty when it
	// works.
	RefreshDoubt string `json:"refreshDoubt,omitempty"`
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
	WatchInterval      time.Duration `json:"watchInterval,omitempty"`
	// Mode is empty where it rotates.
	Mode farm.Mode `json:"mode,omitempty"`
}

// PolicyOf returns the controller's part of a farm's policy.
func PolicyOf(p farm.RotationPolicy) Policy {
	policy := Policy{InspectionInterval: p.InspectionInterval, KeepOldFor: p.KeepOldFor, WatchInterval: p.WatchInterval}
	if p.Mode == farm.ModeObserve {
		policy.Mode = p.Mode
	}
	return policy
}
