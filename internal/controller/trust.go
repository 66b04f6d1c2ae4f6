package controller

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Watch is what the SharePoint farms of a farm trust, as it was last seen. A certificate
// in it that is none of the farm's is an incident: who holds its key may be any user.
type Watch struct {
	// At is when it was last looked for; zero before the first time.
	At time.Time `json:"at,omitzero"`
	// Problem says what could not be seen then; empty when all was.
	Problem string `json:"problem,omitempty"`
	// Fingerprint is of what was seen; see [farm.TrustLook].
	Fingerprint string `json:"fingerprint,omitempty"`
	// Known is what was trusted at the first look, what an operator has accepted since,
	// and what was the farm's own when it was seen.
	Known []farm.Trusted `json:"known,omitempty"`
	// Incidents are those that are not over.
	Incidents []farm.Incident `json:"incidents,omitempty"`
}

// defaultWatchInterval is for a controller that does not know its farm's policy yet.
const defaultWatchInterval = 5 * time.Minute

// watches reports whether it is looked for foreign trust. What is trusted is compared
// with what the farm uses, so an inspection that saw all of it goes before the first look.
func (s *State) watches() bool {
	return s.Unmanaged == "" && (!s.Watch.At.IsZero() || !s.Inspected.At.IsZero() && !s.Inspected.Unreachable)
}

// nextWatchAt is when it is looked for foreign trust next.
func (s *State) nextWatchAt() time.Time {
	if s.Watch.At.IsZero() {
		return s.Inspected.At
	}
	return s.Watch.At.Add(cmp.Or(s.Policy.WatchInterval, defaultWatchInterval))
}

// WatchDue reports whether it is to be looked for foreign trust now.
func (s *State) WatchDue(now time.Time) bool {
	return s.watches() && (!now.Before(s.nextWatchAt()) || s.isAhead(s.Watch.At, now))
}

// UntilWatch is how long it need not be looked for foreign trust, but not longer than a
// time.
func (s *State) UntilWatch(now time.Time, atMost time.Duration) time.Duration {
	if !s.watches() {
		return atMost
	}
	return max(min(s.nextWatchAt().Sub(now), atMost), time.Second)
}

// SeenTrust is the fingerprint of what was last seen; empty while there are incidents,
// which what the source has since may end.
func (s *State) SeenTrust() string {
	if len(s.Watch.Incidents) > 0 {
		return ""
	}
	return s.Watch.Fingerprint
}

// NoteUnwatched notes why it could not be looked for foreign trust.
func (s *State) NoteUnwatched(now time.Time, problem string) {
	s.Watch.At, s.Watch.Problem = now, problem
}

// NoteTrust takes what the SharePoint farms were seen to trust. Incidents of front ends
// that did not answer go on.
func (s *State) NoteTrust(now time.Time, look farm.TrustLook) {
	w := &s.Watch
	first := w.At.IsZero() || w.Fingerprint == ""
	w.At, w.Problem, w.Fingerprint = now, look.Problem, look.Fingerprint
	if look.Unchanged {
		return
	}
	isUnseen := func(frontEnd string) bool { return slices.Contains(look.Unseen, frontEnd) }
	before := w.Known
	incidents := slices.DeleteFunc(slices.Clone(w.Incidents), func(i farm.Incident) bool { return !isUnseen(i.FrontEnd) })
	w.Known = nil
	for _, t := range look.Trusted {
		if why := s.whyForeign(t, look, first); why != "" && !slices.Contains(before, t) {
			incidents = append(incidents, farm.Incident{Trusted: t, Since: s.incidentSince(now, t), Why: why})
			continue
		}
		w.Known = append(w.Known, t)
	}
	w.Incidents = incidents
	// What stood where foreign trust stands now may come back.
	isDisplaced := func(t farm.Trusted) bool {
		return slices.ContainsFunc(incidents, func(i farm.Incident) bool { return i.Trusted != t && i.IsInPlaceOf(t) })
	}
	for _, t := range before {
		if (isUnseen(t.FrontEnd) || isDisplaced(t)) && !slices.Contains(w.Known, t) {
			w.Known = append(w.Known, t)
		}
	}
}

// whyForeign says why trust is an incident; empty where it is none. At the first look
// only the procedure's issuers are judged: what else was trusted before is nobody's
// doing that farmtrust could tell.
func (s *State) whyForeign(t farm.Trusted, look farm.TrustLook, first bool) string {
	isOurs := slices.Contains(look.OfSource, t.Thumbprint) || slices.Contains(s.ownCertificates(), t.Thumbprint)
	switch {
	case t.Thumbprint != "" && t.Thumbprint == s.compromised():
		return "it is compromised"
	case isOurs, first && !t.IsOfProcedure():
		return ""
	case first && t.Thumbprint == s.lastKnown():
		return "" // the farm was set up by hand
	case t.Kind == farm.TrustedIssuer:
		return "neither the farm's source nor its last rotations know the certificate"
	}
	return "it was not trusted before, and is not of the farm's source"
}

// ownCertificates are those that the farm's rotations were about.
func (s *State) ownCertificates() []farm.Thumbprint {
	var own []farm.Thumbprint
	addSnapshot := func(snapshot *farm.Snapshot) {
		if snapshot == nil {
			return
		}
		own = append(own, snapshot.Target.Thumbprint, snapshot.Previous.Thumbprint)
		for _, c := range snapshot.Target.RootAuthorities() {
			own = append(own, c.Thumbprint)
		}
		for _, f := range snapshot.Before.SharePoint {
			for _, t := range farm.TrustedBy(f) {
				own = append(own, t.Thumbprint)
			}
		}
	}
	addSnapshot(s.Retention.Snapshot)
	for i := range s.Unfinished {
		addSnapshot(&s.Unfinished[i])
	}
	if s.Active != nil {
		addSnapshot(s.Active.Snapshot)
	}
	for _, c := range s.Retention.Older {
		own = append(own, c.Thumbprint)
	}
	return slices.DeleteFunc(own, func(t farm.Thumbprint) bool { return t == "" })
}

// compromised is the certificate that was replaced because it must not be trusted any
// more; empty where there is none.
func (s *State) compromised() farm.Thumbprint {
	if kept := s.Retention.Snapshot; kept != nil && kept.Compromised {
		return kept.Previous.Thumbprint
	}
	return ""
}

// incidentSince is when an incident was first seen.
func (s *State) incidentSince(now time.Time, t farm.Trusted) time.Time {
	for _, i := range s.Watch.Incidents {
		if i.Trusted == t {
			return i.Since
		}
	}
	return now
}

// checkTrust returns the reason why a certificate cannot be accepted as trusted.
func (s *State) checkTrust(r Request) error {
	switch {
	case len(s.Watch.Incidents) == 0:
		return fmt.Errorf("%s: SharePoint trusts no certificate that is none of the farm's", r.Kind)
	case r.Thumbprint == "":
		return fmt.Errorf("%s: say which certificate", r.Kind)
	case r.Thumbprint == s.compromised():
		return errors.New("a compromised certificate is never accepted: rotate, or remove the trust by hand")
	case !slices.ContainsFunc(s.Watch.Incidents, func(i farm.Incident) bool { return i.Thumbprint == r.Thumbprint }):
		return fmt.Errorf("%s: no incident is about certificate %.60s", r.Kind, r.Thumbprint)
	}
	return nil
}

// AcceptTrust ends the incidents of a certificate: an operator says that it may be
// trusted where it is now.
func (s *State) AcceptTrust(thumbprint farm.Thumbprint) {
	var left []farm.Incident
	for _, i := range s.Watch.Incidents {
		if i.Thumbprint == thumbprint {
			s.Watch.Known = append(s.Watch.Known, i.Trusted)
			continue
		}
		left = append(left, i)
	}
	s.Watch.Incidents = left
}
