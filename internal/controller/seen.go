package controller

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// overdueAfter is how long after it was due an inspection counts as missing. One takes
// up to an hour; see workflows.
const overdueAfter = 90 * time.Minute

// IsOverdue reports whether the farm has not been inspected for longer than it should.
func (s *State) IsOverdue(now time.Time) bool {
	return !s.Inspected.At.IsZero() && s.MayInspect() && now.After(s.NextInspectionAt().Add(overdueAfter))
}

// AwaitsInspection reports whether the last inspection and what was decided then are from
// before a run that has ended: what is so now, the inspection shows that follows.
func (s *State) AwaitsInspection() bool { return s.Active == nil && s.Inspected.Outdated }

// IsTrusted reports whether the farm may be said to be trusted: the last inspection saw
// all of it as desired, it is recent, and nothing has worked on the farm since.
func (s *State) IsTrusted(now time.Time) bool {
	settled := s.Next.Action == farm.ActionNone && !s.Next.NeedsOperator || s.Next.Action == farm.ActionAwaitCertificate
	switch {
	case !settled, s.Inspected.Outdated, s.Inspected.Unreachable, s.Last.At.After(s.Inspected.At):
		return false
	case s.Active != nil && !s.RunsRetirement(), s.Recalling, s.Unmanaged != "", s.Inspected.RefreshDoubt != "", len(s.Watch.Incidents) > 0:
		return false
	}
	return !s.IsOverdue(now)
}

// GoesBack reports whether a run restores what was before.
func (a *ActiveRun) GoesBack() bool {
	return a != nil && (a.Intent.GoesBack() || a.Phase == farm.PhaseRollingBack)
}
