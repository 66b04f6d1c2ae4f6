package controller

import (
	"cmp"
	"hash/fnv"
	"math"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Phase is what a controller does, in a word.
type Phase string

// The phases; see the package comment.
const (
	Unmanaged Phase = "unmanaged"
	Incident  Phase = "incident"
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
	case len(s.Watch.Incidents) > 0:
		return Incident
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
	case s.Unmanaged != "", len(s.Watch.Incidents) > 0:
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
	return s.Suspended != "" || !s.AwaitsInspection() && (urgent || s.Next.NeedsOperator)
}

// Urgency is how close the end of the certificate in use is.
func (s *State) Urgency(now time.Time) farm.Urgency {
	return farm.UrgencyAt(now, s.Inspected.Current.NotAfter, s.lifeInUse())
}

// lifeInUse is how long the certificate in use is valid, from its beginning to its end;
// zero where that is not known.
func (s *State) lifeInUse() time.Duration {
	c := s.Inspected.Current
	if s.Format < formatNotices || c.NotBefore.IsZero() {
		return 0
	}
	return max(c.NotAfter.Sub(c.NotBefore), 0)
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
	interval = min(interval, s.awaitingInterval())
	sum := fnv.New32a()
	sum.Write([]byte(s.Farm)) //nolint:errcheck // a hash takes everything
	const parts = 1000
	early := interval / 10 * time.Duration(sum.Sum32()%parts) / parts
	next := s.Inspected.At.Add(interval - early)
	// What was said to be done at a moment is done then, and not an interval later.
	if at := s.Next.At; s.Format >= formatReleases && at.After(s.Inspected.At) && at.Before(next) {
		return at
	}
	return next
}

// partsOfRest is how often the source is looked at, at least, in what is left of a
// certificate that waits for its successor: one that lives for hours must not end between
// two looks.
const partsOfRest = 8

// awaitingInterval is when the farm is inspected again while a newer certificate is waited
// for: the closer the end, the sooner, but no sooner than a run is read. After the end it
// is as for a farm that cannot be reached.
func (s *State) awaitingInterval() time.Duration {
	if s.Format < formatNotices || s.Next.Action != farm.ActionAwaitCertificate {
		return math.MaxInt64
	}
	left := s.Inspected.Current.NotAfter.Sub(s.Inspected.At)
	if left <= 0 {
		return unreachableInterval
	}
	return max(left/partsOfRest, watchInterval)
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
	case s.Active == nil && s.WillRetire() && s.RetirementAt(now).Before(next):
		next = s.RetirementAt(now)
	}
	if r := s.Mailbox.Request; r != nil && !r.Expires.IsZero() && r.Expires.Before(next) {
		next = r.Expires
	}
	if s.Active != nil && s.nextReadAt().Before(next) {
		next = s.nextReadAt()
	}
	if urgent := farm.NextUrgencyAt(now, s.Inspected.Current.NotAfter, s.lifeInUse()); !urgent.IsZero() && urgent.Before(next) {
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
	return s.MayInspect() && (s.Inspected.Due || !now.Before(s.NextInspectionAt()) || s.isAhead(s.Inspected.At, now))
}

// isAhead reports whether something was done at a time that is still to come: the clock
// was wrong then, and what is due after that would be due when it comes round again. The
// clocks of one Temporal are not an hour apart.
func (s *State) isAhead(at, now time.Time) bool {
	return s.Format >= formatNotices && at.After(now.Add(time.Hour))
}
