package controller

import (
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// The retirement of old certificates.

// WillRetire reports whether an old certificate is to be retired when its
// retention ends.
func (s *State) WillRetire() bool {
	snapshot := s.Retention.Snapshot
	isSettled := !s.Retention.Until.IsZero() && !s.Retention.Unsettled && len(s.Unfinished) == 0
	isLeft := !s.Retention.Retired || len(s.Retention.Older) > 0
	return snapshot != nil && snapshot.Replaces() && isSettled && isLeft && s.Suspended == "" && s.mayRetire(snapshot)
}

// mayRetire reports whether the old certificate may be retired by itself: the farm is
// released, or its operator has asked for that with the rotation.
func (s *State) mayRetire(snapshot *farm.Snapshot) bool {
	return s.Policy.Mode != farm.ModeObserve && (snapshot.Compromised || !s.IsUnreleased())
}

// RetirementAt is when the old certificate is retired, which is not while the farm is
// postponed. It may be called when [State.WillRetire].
func (s *State) RetirementAt(now time.Time) time.Time {
	if until := s.PostponedUntil(now); until.After(s.Retention.Until) {
		return until
	}
	return s.Retention.Until
}

// RetirementDue reports whether a retention has ended.
func (s *State) RetirementDue(now time.Time) bool {
	return s.WillRetire() && !now.Before(s.RetirementAt(now))
}

// ForgetOlderInUse forgets older certificates of which one is in use again.
func (s *State) ForgetOlderInUse() {
	s.Retention.Older = slices.DeleteFunc(s.Retention.Older, func(c farm.StoreCertificate) bool {
		return c.Thumbprint == s.Inspected.Current.Thumbprint
	})
}

// NextToRetire returns the certificate that is to be retired first: one that is
// compromised, or else the oldest. It may be called when [State.WillRetire].
func (s *State) NextToRetire() farm.StoreCertificate {
	if older := s.Retention.Older; len(older) > 0 && !s.RetiresCompromised() {
		return older[0]
	}
	return s.Retention.Snapshot.Previous
}

// RetiresCompromised reports whether the certificate before is compromised, and still to
// be retired: it does not wait for the deletion of one that is only old.
func (s *State) RetiresCompromised() bool {
	snapshot := s.Retention.Snapshot
	return snapshot != nil && snapshot.Compromised && !s.Retention.Retired
}

// EndRetirement takes how a retirement ended. One that did not retire, because
// an operator kept the certificate or something else came first, is started
// again after another retention.
func (s *State) EndRetirement(now time.Time, r farm.RotationResult, problem string) {
	run := s.Active
	s.endRun(now, r.Report, problem)
	if s.Inspected.Due = true; r.Cancelled {
		s.Suspend("the retirement was cancelled")
	}
	snapshot := s.Retention.Snapshot
	if snapshot != nil && snapshot.Previous.Thumbprint == r.Target && r.Reached(farm.StepDelete) {
		snapshot.Deleting = true
	}
	isRetired := func(c farm.StoreCertificate) bool { return c.Thumbprint == r.Target }
	switch {
	case r.Outcome != farm.Verified:
		s.postponeRetirement(now)
	case slices.ContainsFunc(s.Retention.Older, isRetired):
		s.Retention.Older = slices.DeleteFunc(s.Retention.Older, isRetired)
		s.forgetRetired()
	default:
		s.Retention.Retired = true
		s.forgetRetired()
	}
	s.noteEnd(now, run)
}

// forgetRetired forgets the last renewal once no old certificate is left of it.
func (s *State) forgetRetired() {
	snapshot := s.Retention.Snapshot
	if s.Retention.Retired && (len(s.Retention.Older) == 0 || snapshot == nil || !snapshot.Compromised) {
		s.forgetRetention()
	}
}

// postponeRetirement has the retirement start after another retention, and not
// before the next inspection: one that cannot start must not be tried at once.
func (s *State) postponeRetirement(now time.Time) {
	s.beginRetention(now, s.Policy.InspectionInterval)
}
