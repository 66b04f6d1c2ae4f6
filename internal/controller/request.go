package controller

import (
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// RequestKind is what an operator may ask a controller for. The zero value asks
// for nothing.
type RequestKind string

// The requests.
const (
	// RequestRotate rotates now, whatever the controller would do.
	RequestRotate RequestKind = "rotate"
	// RequestRollback restores what the last rotation has changed, if that was not
	// finished.
	RequestRollback RequestKind = "rollback"
	// RequestUndo goes back behind the last renewal that was verified, until the deletion
	// of its old certificate has begun.
	RequestUndo RequestKind = "undo"
	// RequestResume ends a suspension.
	RequestResume RequestKind = "resume"
	// RequestRelease lets the farm be rotated without being asked each time, and
	// RequestObserve takes that back.
	RequestRelease RequestKind = "release"
	RequestObserve RequestKind = "observe"
	// RequestPostpone has nothing start by itself until a time.
	RequestPostpone RequestKind = "postpone"
	// RequestWithdraw takes back a request that waits to be begun.
	RequestWithdraw RequestKind = "withdraw"
	// RequestAccept accepts that SharePoint trusts a certificate that is none of the farm's.
	RequestAccept RequestKind = "accept"
	// RequestForget ends the controller of a farm that is gone: no worker's
	// configuration names it any more.
	RequestForget RequestKind = "forget"
)

// requestKinds lists the requests.
var requestKinds = []RequestKind{
	RequestRotate, RequestRollback, RequestUndo, RequestResume, RequestRelease, RequestObserve, RequestPostpone, RequestWithdraw, RequestAccept, RequestForget,
}

// isImmediate reports whether a request is carried out as soon as it is accepted: it
// starts no run.
func (k RequestKind) isImmediate() bool {
	return slices.Contains([]RequestKind{RequestResume, RequestRelease, RequestObserve, RequestPostpone, RequestWithdraw, RequestAccept}, k)
}

// changesServers reports whether a request leads to a change of servers.
func (k RequestKind) changesServers() bool {
	return k != RequestForget && (!k.isImmediate() || k == RequestRelease)
}

// Request is what an operator asks for.
type Request struct {
	Kind RequestKind `json:"kind"`
	// ID is of the update that asked; the controller notes it.
	ID string `json:"id,omitempty"`
	// Expires is until when the request may be begun; zero is for good, as earlier
	// versions asked.
	Expires time.Time `json:"expires,omitzero"`
	// Until is when a postponement ends.
	Until time.Time `json:"until,omitzero"`
	// Thumbprint is the certificate that may be trusted.
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	// Compromised says that the certificate in use must not be trusted any
	// longer: see [farm.ReplaceCompromised].
	Compromised bool `json:"compromised,omitempty"`
	// Except are the hosts of office servers that such a rotation leaves out from the
	// start: it reads nothing there and changes nothing.
	Except []string `json:"except,omitempty"`
	// Accept names findings that must not stop the rotation, in the form of
	// [farm.Finding.Ref].
	Accept []string `json:"accept,omitempty"`
	// Now has an undo not wait for the maintenance window.
	Now bool `json:"now,omitempty"`
	// By is who asks, and Reason why. Temporal does not prove the name: Proof does, where
	// approvers are configured.
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Proof proves who asks; nil where nobody has to.
	Proof *farm.Proof `json:"proof,omitempty"`
	// Authorization is what a worker found about that, once it has.
	Authorization *farm.Authorization `json:"authorization,omitempty"`
}

// CheckRequest returns the reason why a request makes no sense now; nil when it
// does. Starting is the reason of a rotation that is just being started by the
// controller; empty when none is.
func (s *State) CheckRequest(now time.Time, r Request, starting string) error {
	if err := r.CheckComplete(); err != nil {
		return err
	}
	switch {
	case r.IsExpired(now):
		return r.ExplainExpired()
	case s.checkManaged(r) != nil:
		return s.checkManaged(r)
	case s.Policy.Mode == farm.ModeObserve && r.Kind.changesServers():
		return fmt.Errorf("%s: %s", r.Kind, farm.ObservesOnly)
	case r.Kind.isImmediate():
		return s.checkImmediate(now, r, starting)
	case s.Active != nil && !s.RunsRetirement():
		return fmt.Errorf("%s: %s has been running since %s: %s", r.Kind, s.Active.WorkflowID, farm.FormatTime(s.Active.Since), s.Active.Reason)
	case starting != "":
		return fmt.Errorf("%s: a rotation is starting: %s", r.Kind, starting)
	case s.Mailbox.Request != nil:
		return fmt.Errorf("%s: %s has just asked to %s", r.Kind, s.Mailbox.Request.By, s.Mailbox.Request.Kind)
	}
	if why := s.WhyNotBack(r.Kind); why != "" {
		return fmt.Errorf("%s: %s", r.Kind, why)
	}
	return nil
}

// checkManaged returns the reason why a request does not suit whether a worker has the
// farm in its configuration: forget is for one that none has, most others are not.
func (s *State) checkManaged(r Request) error {
	switch {
	case r.Kind == RequestForget && s.Unmanaged == "":
		return fmt.Errorf("forget: a worker has %s in its configuration: remove it there and restart the worker first", s.Farm)
	case s.Unmanaged != "" && r.Kind != RequestForget && r.Kind != RequestResume && r.Kind != RequestWithdraw:
		return fmt.Errorf("%s: the farm is unmanaged: %s", r.Kind, s.Unmanaged)
	}
	return nil
}

// checkImmediate returns the reason why a request makes no sense that is carried out
// at once.
func (s *State) checkImmediate(now time.Time, r Request, starting string) error {
	switch {
	case r.Kind == RequestResume && s.Suspended == "":
		return fmt.Errorf("resume: %s is not suspended", s.Farm)
	case r.Kind == RequestRelease && !s.IsUnreleased():
		return fmt.Errorf("release: %s", s.describeRelease())
	case r.Kind == RequestObserve && s.IsUnreleased():
		return fmt.Errorf("observe: %s is not released: nothing starts by itself", s.Farm)
	case r.Kind == RequestObserve && starting != "":
		return fmt.Errorf("observe: a rotation is starting: %s: cancel it first", starting)
	case r.Kind == RequestPostpone:
		return s.checkPostponement(now, r, starting)
	case r.Kind == RequestAccept:
		return s.checkTrust(r)
	case r.Kind == RequestWithdraw && s.Mailbox.Request == nil:
		return fmt.Errorf("withdraw: no request of %s waits", s.Farm)
	case r.Kind == RequestWithdraw && starting != "":
		return fmt.Errorf("withdraw: what was asked for is beginning: cancel it instead")
	}
	return nil
}

// maxPostponement is how long a farm can be postponed at once: longer is a decision
// against rotating, which an operator makes by taking the release back.
const maxPostponement = 366 * 24 * time.Hour

func (s *State) checkPostponement(now time.Time, r Request, starting string) error {
	switch {
	case !r.Until.After(now):
		return fmt.Errorf("postpone: %s is over: name a time to come", farm.FormatTime(r.Until))
	case r.Until.After(now.Add(maxPostponement)):
		return fmt.Errorf("postpone: %s is more than a year away: to stop rotating by itself, take the release back", farm.FormatTime(r.Until))
	case s.Active != nil && !s.RunsRetirement():
		return fmt.Errorf("postpone: %s has been running since %s: decide about that", s.Active.WorkflowID, farm.FormatTime(s.Active.Since))
	case starting != "":
		return fmt.Errorf("postpone: a rotation is starting: %s", starting)
	}
	return nil
}

// IsExpired reports whether a request has waited too long to be begun.
func (r Request) IsExpired(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// ExplainExpired says that nothing was begun for a request, and why.
func (r Request) ExplainExpired() error {
	return fmt.Errorf("%s: the request of %s expired at %s, and nothing was begun: ask again", r.Kind, r.By, farm.FormatTime(r.Expires))
}

// maxRequestText bounds who asks, and the reason, in bytes.
const maxRequestText = 1000

// CheckComplete returns what is missing of a request, regardless of the moment.
func (r Request) CheckComplete() error {
	if !slices.Contains(requestKinds, r.Kind) {
		return fmt.Errorf("unknown request %.20q: ask for one of %v", r.Kind, requestKinds)
	}
	switch {
	case r.By == "" || r.Reason == "":
		return fmt.Errorf("%s: say who asks, and why", r.Kind)
	case len(r.By) > maxRequestText || len(r.Reason) > maxRequestText:
		return fmt.Errorf("%s: the name and the reason may have %d bytes each", r.Kind, maxRequestText)
	}
	if r.Kind != RequestRotate && len(r.Accept) > 0 {
		return fmt.Errorf("%s: only a rotation accepts findings", r.Kind)
	}
	if len(r.Except) > 0 && (r.Kind != RequestRotate || !r.Compromised) {
		return fmt.Errorf("%s: only a rotation away from a compromised certificate leaves servers out from the start; any other one leaves out what blocks it, once it is skipped", r.Kind)
	}
	return farm.CheckAcceptances(r.Accept)
}

// LeftOut returns what a request leaves out from the start, as decisions about the run.
func (r Request) LeftOut() []farm.Decision {
	var all []farm.Decision
	for _, host := range r.Except {
		all = append(all, farm.Decision{Choice: farm.Skip, Server: host, By: r.By, Reason: r.Reason})
	}
	return all
}

// AcceptRequest makes a request pending that CheckRequest found nothing
// against.
func (s *State) AcceptRequest(r *Request) { s.Mailbox.Request = r }

// DropExpired drops a pending request that has waited too long, and returns why.
func (s *State) DropExpired(now time.Time) error {
	r := s.Mailbox.Request
	if r == nil || !r.IsExpired(now) {
		return nil
	}
	s.Mailbox.Request = nil
	return r.ExplainExpired()
}

// ApplyImmediate carries out a request that starts no run, and that CheckRequest found
// nothing against; false where it is none of those.
func (s *State) ApplyImmediate(now time.Time, r Request) bool {
	switch r.Kind {
	case RequestResume:
		s.Resume()
	case RequestRelease:
		s.release(now, r)
	case RequestObserve:
		s.takeReleaseBack()
	case RequestPostpone:
		s.postpone(r)
	case RequestAccept:
		s.AcceptTrust(r.Thumbprint)
	case RequestWithdraw:
		s.WithdrawRequest(Withdrawal{ID: s.Mailbox.Request.ID})
	default:
		return false
	}
	return true
}

// Resume ends a suspension.
func (s *State) Resume() {
	s.Suspended, s.Inspected.Due = "", true
	if s.Active != nil {
		s.Active.StaysSuspended = false
	}
}

// WhyNotBack says why a request for a way back is refused; empty when it is not, or is
// for something else.
func (s *State) WhyNotBack(kind RequestKind) string {
	switch kind {
	case RequestRollback:
		return s.RollbackBlocked()
	case RequestUndo:
		return s.UndoBlocked()
	}
	return ""
}

// RollbackBlocked says why nothing can be rolled back; empty when something can.
func (s *State) RollbackBlocked() string {
	last := s.LastUnfinished()
	switch {
	case last != nil:
		return blockedFor(last)
	case s.Shared:
		return s.rollbackBlockedShared()
	case s.Retention.Snapshot != nil:
		when := ""
		if at := s.Retention.VerifiedAt; !at.IsZero() {
			when = " on " + farm.FormatTime(at)
		}
		return fmt.Sprintf("nothing to roll back: the last rotation was verified%s; to go back behind it: farmtrust undo %s", when, s.Farm)
	case !s.UndoneAt.IsZero():
		return "nothing to roll back: the last rotation was undone on " + farm.FormatTime(s.UndoneAt)
	}
	return "nothing to roll back: no rotation is unfinished"
}

// UndoBlocked says why the last renewal cannot be undone; empty when it can.
func (s *State) UndoBlocked() string {
	last, kept := s.LastUnfinished(), s.Retention.Snapshot
	switch {
	case last != nil:
		return fmt.Sprintf("the rotation to %s is not finished: roll it back first, with farmtrust rollback %s, or finish it, with farmtrust rotate %s",
			last.Target.Thumbprint.Short(), s.Farm, s.Farm)
	case kept != nil:
		return blockedFor(kept)
	case !s.UndoneAt.IsZero():
		return fmt.Sprintf("nothing to undo: the last rotation was already undone on %s", farm.FormatTime(s.UndoneAt))
	}
	return "nothing to undo: no rotation was verified since the old certificate was retired"
}

// blockedFor says why a snapshot is never restored; empty when it may be. One that has
// only staged restores nothing.
func blockedFor(snapshot *farm.Snapshot) string {
	switch {
	case snapshot.Staged:
		return ""
	case snapshot.Compromised:
		return fmt.Sprintf("the previous certificate %s is compromised and is never restored", snapshot.Previous.Thumbprint.Short())
	case snapshot.Deleting:
		return fmt.Sprintf("the deletion of the previous certificate %s has begun", snapshot.Previous.Thumbprint.Short())
	}
	return ""
}
