package farm

import (
	"fmt"
	"slices"
	"time"
)

// DecisionInput is what a keeper knows of its farm after a look.
type DecisionInput struct {
	Now  time.Time `json:"now"`
	Farm Farm      `json:"farm"`
	// Current is the certificate in use, empty before the first set-up; Target
	// the newest that the source holds.
	Current     StoreCertificate `json:"current"`
	Target      Certificate      `json:"target"`
	Differences []Difference     `json:"differences"`
	Findings    []Finding        `json:"findings"`
	// Unobserved says why the farm could not be observed; empty when it was.
	Unobserved string `json:"unobserved,omitempty"`
	// EventPending says that an event asked for this look.
	EventPending bool `json:"eventPending"`
	// Suspended says why nothing is to be done by itself; empty when it may.
	Suspended string `json:"suspended,omitempty"`
}

// Action is what a keeper does next. The zero value does nothing.
type Action string

// What a keeper does.
const (
	// ActionNone: all is well, or a person must act first.
	ActionNone Action = ""
	// ActionAwaitCertificate waits for the source to hold a newer certificate.
	ActionAwaitCertificate Action = "await certificate"
	// ActionWait waits until the certificate in use nears its end.
	ActionWait Action = "await time"
	// ActionRotate rotates.
	ActionRotate Action = "rotate"
)

// Next is what a keeper does next, and why, for people.
type Next struct {
	Action  Action     `json:"action"`
	Reason string `json:"reason"`
	// NeedsOperator says that it stays so until a person acts.
	NeedsOperator bool `json:"needsOperator"`
}

// Decide judges a situation. The farm's own state decides; events only ask.
func Decide(s DecisionInput) Next {
	next := decideAction(s)
	if s.expired() {
		next.Reason = fmt.Sprintf("EXPIRED: %s ended on %s, and data refresh fails since; %s", s.Current.Thumbprint.Short(), formatTime(s.Current.NotAfter), next.Reason)
	}
	if next.Action == ActionRotate && s.Suspended != "" {
		return Next{Action: ActionNone, NeedsOperator: true, Reason: "held: " + s.Suspended + "; it would rotate: " + next.Reason}
	}
	return next
}

// expired says whether the certificate in use has ended.
func (s DecisionInput) expired() bool {
	return s.Current.Thumbprint != "" && s.Now.After(s.Current.NotAfter)
}

func decideAction(s DecisionInput) Next {
	stops := Stops(s.Findings)
	rotates := s.Target.Thumbprint != s.Current.Thumbprint
	renewal := s.Current.renewal(s.Farm.Certificate.LeadTime)
	near := !s.Now.Before(renewal)
	switch {
	case s.Unobserved != "":
		return Next{NeedsOperator: true, Reason: "cannot look: " + s.Unobserved}
	case len(stops) > 0:
		return Next{NeedsOperator: true, Reason: stops[0].Text + ": " + stops[0].Remedy}
	case len(s.Differences) == 0 && near:
		return Next{Action: ActionAwaitCertificate, NeedsOperator: true, Reason: fmt.Sprintf("waits for a newer certificate: %s ends on %s", s.Current.Thumbprint.Short(), formatTime(s.Current.NotAfter))}
	case len(s.Differences) == 0:
		return Next{Reason: "trusted until " + formatTime(s.Current.NotAfter)}
	case s.Current.Thumbprint == "" && !s.EventPending:
		return Next{NeedsOperator: true, Reason: "the trust is not set up; rotate it once by hand, or send an event"}
	case s.Current.Thumbprint == "":
		return Next{Action: ActionRotate, Reason: "first set-up"}
	case !rotates:
		return decideDrift(s)
	case s.Target.NotAfter.Before(s.Current.NotAfter):
		return Next{NeedsOperator: true, Reason: fmt.Sprintf("the source's newest certificate %s ends before %s, which is in use: provide that one, or rotate by hand", s.Target.Thumbprint.Short(), s.Current.Thumbprint.Short())}
	case s.EventPending || near:
		return Next{Action: ActionRotate, Reason: fmt.Sprintf("from %s, which ends on %s, to %s", s.Current.Thumbprint.Short(), formatTime(s.Current.NotAfter), s.Target.Thumbprint.Short())}
	}
	return Next{Action: ActionWait, Reason: fmt.Sprintf("%s is there; the rotation begins on %s", s.Target.Thumbprint.Short(), formatTime(renewal))}
}

// renewal is when a certificate is to be replaced: the lead time before its
// end, but not before two thirds of its life are over. Else one that lives
// shorter than the lead time would be due on the day it was issued, and every
// event about it would ask for the next.
func (c StoreCertificate) renewal(leadTime time.Duration) time.Time {
	if life := c.NotAfter.Sub(c.NotBefore); !c.NotBefore.IsZero() {
		leadTime = min(leadTime, life/3)
	}
	return c.NotAfter.Add(-leadTime)
}

// decideDrift: the certificate is the right one, but something differs. A
// restart alone is not caused by this trust: any change of the office farm's
// settings makes one owed, and whoever changed them chooses when.
func decideDrift(s DecisionInput) Next {
	first := slices.IndexFunc(s.Differences, func(d Difference) bool { return d.Step != StepRestart })
	if first < 0 {
		return Next{NeedsOperator: true, Reason: fmt.Sprintf("a restart is owed on %s, which starter rotate makes when it suits: %s", s.Differences[0].Server, s.Differences[0].Text)}
	}
	return Next{Action: ActionRotate, Reason: fmt.Sprintf("drift on %s: %s", s.Differences[first].Server, s.Differences[first].Text)}
}
