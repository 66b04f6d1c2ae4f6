package controller

import (
	"cmp"
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Release is a person's word that a farm may be rotated without being asked each time.
type Release struct {
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}

// Postponement is a person's word that nothing starts by itself until a time.
type Postponement struct {
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	// ForEvents reports whether events asked for what is put off. They have their result,
	// but what they asked for is not done.
	ForEvents bool `json:"forEvents,omitempty"`
}

// The formats of states. A state of an earlier version is treated as that did until it is
// upgraded.
const (
	// formatReleases: a farm is rotated by itself only where it is released, and a
	// retention is kept by when it began.
	formatReleases = 1
	// formatNotices: operators are told what they need to know, and what is urgent goes by
	// how long the certificate in use lives.
	formatNotices = 2

	// Format is that of the states that this version writes.
	Format = formatNotices
)

// byEarlierVersion is who released the farms that were rotated before there were
// releases.
const byEarlierVersion = "an earlier version"

// Upgrade makes a state of an earlier version one of this.
func (s *State) Upgrade() {
	s.UpgradeToReleases()
	if s.Format < formatNotices {
		s.Format = formatNotices
	}
}

// UpgradeToReleases makes a state of the earliest version one that knows releases, and no
// more: a farm that was rotated counts as released.
func (s *State) UpgradeToReleases() {
	if s.Format >= formatReleases {
		return
	}
	s.Format = formatReleases
	if hasRotated := !s.Last.At.IsZero() || s.Active != nil || s.Retention.Snapshot != nil; hasRotated && s.Released == nil {
		s.Released = &Release{By: byEarlierVersion, Reason: "it has rotated the farm"}
	}
	if r := &s.Retention; r.Begun.IsZero() && !r.Until.IsZero() {
		r.Begun = r.Until.Add(-s.Policy.KeepOldFor)
	}
}

// IsUnreleased reports whether nothing may start by itself because no person has said
// so.
func (s *State) IsUnreleased() bool { return s.Format >= formatReleases && s.Released == nil }

// IsHeld reports whether operators let nothing start by itself now.
func (s *State) IsHeld(now time.Time) bool {
	return s.IsUnreleased() || !s.PostponedUntil(now).IsZero()
}

// describeRelease says since when, by whom and why a farm is released.
func (s *State) describeRelease() string {
	if s.Released == nil {
		return s.Farm + " is released" // by a version that knew no releases
	}
	r := *s.Released
	text := fmt.Sprintf("%s has been released by %s", s.Farm, r.By)
	if !r.At.IsZero() {
		text = fmt.Sprintf("%s has been released since %s, by %s", s.Farm, farm.FormatTime(r.At), r.By)
	}
	return text + ": " + cmp.Or(r.Reason, "no reason is known")
}

func (s *State) release(now time.Time, r Request) {
	s.UpgradeToReleases()
	s.Released, s.Inspected.Due = &Release{At: now, By: r.By, Reason: r.Reason}, true
}

// takeReleaseBack has nothing start by itself any more. What runs goes on.
func (s *State) takeReleaseBack() {
	s.UpgradeToReleases()
	s.Released, s.Inspected.Due = nil, true
}

func (s *State) postpone(r Request) {
	s.Postponed, s.Inspected.Due = &Postponement{Until: r.Until, By: r.By, Reason: r.Reason, ForEvents: s.Postponed.isForEvents()}, true
}

func (p *Postponement) isForEvents() bool { return p != nil && p.ForEvents }

// noteDeferred keeps that events asked for what is put off, until that begins, or the farm
// needs nothing: a renewal that is not due yet is made for them alone.
func (s *State) noteDeferred(next farm.Next) {
	if s.Postponed == nil {
		return
	}
	p := *s.Postponed
	switch {
	case next.Code == farm.CodePostponed && len(s.Mailbox.Pending) > 0:
		p.ForEvents = true
	case next.Action == farm.ActionNone && !next.NeedsOperator:
		p.ForEvents = false
	}
	s.Postponed = &p
}

// endDeferral notes that what events asked for begins.
func (s *State) endDeferral() {
	if s.Postponed.isForEvents() {
		p := *s.Postponed
		p.ForEvents, s.Postponed = false, &p
	}
}

// PostponedUntil is until when nothing starts by itself; zero where nobody said so, or
// that time is over.
func (s *State) PostponedUntil(now time.Time) time.Time {
	if s.Postponed == nil || !s.Postponed.Until.After(now) {
		return time.Time{}
	}
	return s.Postponed.Until
}

// describe says who postponed, and why.
func (p *Postponement) describe() string {
	if p == nil {
		return ""
	}
	return p.By + " (" + p.Reason + ")"
}
