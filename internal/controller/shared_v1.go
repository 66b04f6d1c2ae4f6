package controller

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Until 2026-11-29 a farm had one snapshot, in Retention, for what an unfinished rotation
// had left as for what a verified one replaced: its retention had not begun while Until
// was zero. A controller that began before goes on so, because its history says what
// followed, until it next rests and continues as new. This file may go, with
// [State.Shared], once no worker is upgraded any more from a version before; but for
// Separate, which then reads such a state no more.

// Separate takes a snapshot that is of an unfinished rotation out of the retention.
func (s *State) Separate() {
	if kept := s.Retention.Snapshot; kept != nil && s.Retention.Until.IsZero() {
		s.Unfinished = append(s.Unfinished, *kept)
		s.forgetRetention()
	}
	s.Shared = false
}

func (s *State) lastUnfinishedShared() *farm.Snapshot {
	if s.Retention.Until.IsZero() {
		return s.Retention.Snapshot
	}
	return nil
}

func (s *State) isOtherShared(snapshot *farm.Snapshot) bool {
	kept := s.Retention.Snapshot
	return kept != nil && snapshot != nil && kept.Target.Thumbprint != snapshot.Target.Thumbprint
}

// keepShared keeps the snapshot of a rotation, and remembers what the one before it
// replaced.
func (s *State) keepShared(snapshot *farm.Snapshot) {
	kept := s.Retention.Snapshot
	if s.isOtherShared(snapshot) && kept.Replaces() && kept.Previous.Thumbprint != snapshot.Previous.Thumbprint {
		s.Retention.Older = append(s.Retention.Older, kept.Previous)
	}
	s.Retention.Snapshot, s.Retention.NoWayBack = snapshot, ""
}

func (s *State) keepUnfinishedShared(snapshot *farm.Snapshot) {
	other := s.isOtherShared(snapshot)
	if s.keepShared(snapshot); other {
		s.Retention.Until = time.Time{}
	}
}

func (s *State) forgetShared(snapshot *farm.Snapshot) {
	if !s.isOtherShared(snapshot) {
		s.forgetRetention()
	}
}

func (s *State) finishShared(now time.Time, snapshot *farm.Snapshot) {
	if snapshot != nil {
		s.keepShared(snapshot)
	}
	s.Retention.VerifiedAt, s.Retention.Until = now, now.Add(s.Policy.KeepOldFor)
	if snapshot != nil && snapshot.Compromised {
		s.Retention.Until = now
	}
}

// rollbackBlockedShared lets a rollback restore what is kept of a verified rotation too.
func (s *State) rollbackBlockedShared() string {
	if kept := s.Retention.Snapshot; kept != nil {
		return blockedFor(kept)
	}
	return "there is no snapshot: nothing was rotated since the old certificate was retired"
}
