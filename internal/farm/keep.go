package farm

import (
	"fmt"
	"slices"
	"time"
)

// Situation is what a keeper knows of its farm after a look.
type Situation struct {
	Now  time.Time `json:"now"`
	Farm Farm      `json:"farm"`
	// Current is the certificate in use, empty before the first set-up; Target
	// the newest that the source holds.
	Current     StoreCertificate `json:"current"`
	Target      Certificate      `json:"target"`
	Differences []Difference     `json:"differences"`
	Findings    []Finding        `json:"findings"`
	// Unseen says why the farm could not be observed; empty when it was.
	Unseen string `json:"unseen,omitempty"`
	// Asked says that an event asked for this look.
	Asked bool `json:"asked"`
	// Held says why nothing is to be done by itself; empty when it may.
	Held string `json:"held,omitempty"`
}

// Do is what a keeper does next. The zero value does nothing.
type Do string

// What a keeper does.
const (
	// Rest: all is well, or a person must act first.
	Rest Do = ""
	// AwaitCertificate waits for the source to hold a newer certificate.
	AwaitCertificate Do = "await certificate"
	// AwaitTime waits until the certificate in use nears its end.
	AwaitTime Do = "await time"
	// Turn rotates.
	Turn Do = "rotate"
)

// Next is what a keeper does next, and why, for people.
type Next struct {
	Do  Do     `json:"do"`
	Why string `json:"why"`
	// NeedsPerson says that it stays so until a person acts.
	NeedsPerson bool `json:"needsPerson"`
}

// Decide judges a situation. The farm's own state decides; events only ask.
func Decide(s Situation) Next {
	next := judge(s)
	if s.expired() {
		next.Why = fmt.Sprintf("EXPIRED: %s ended on %s, and data refresh fails since; %s", s.Current.Thumbprint.Short(), clock(s.Current.NotAfter), next.Why)
	}
	if next.Do == Turn && s.Held != "" {
		return Next{Do: Rest, NeedsPerson: true, Why: "held: " + s.Held + "; it would rotate: " + next.Why}
	}
	return next
}

// expired says whether the certificate in use has ended.
func (s Situation) expired() bool {
	return s.Current.Thumbprint != "" && s.Now.After(s.Current.NotAfter)
}

func judge(s Situation) Next {
	stops := Stops(s.Findings)
	rotates := s.Target.Thumbprint != s.Current.Thumbprint
	renewal := s.Current.renewal(s.Farm.Certificate.LeadTime)
	near := !s.Now.Before(renewal)
	switch {
	case s.Unseen != "":
		return Next{NeedsPerson: true, Why: "cannot look: " + s.Unseen}
	case len(stops) > 0:
		return Next{NeedsPerson: true, Why: stops[0].Text + ": " + stops[0].Remedy}
	case len(s.Differences) == 0 && near:
		return Next{Do: AwaitCertificate, NeedsPerson: true, Why: fmt.Sprintf("waits for a newer certificate: %s ends on %s", s.Current.Thumbprint.Short(), clock(s.Current.NotAfter))}
	case len(s.Differences) == 0:
		return Next{Why: "trusted until " + clock(s.Current.NotAfter)}
	case s.Current.Thumbprint == "" && !s.Asked:
		return Next{NeedsPerson: true, Why: "the trust is not set up; rotate it once by hand, or send an event"}
	case s.Current.Thumbprint == "":
		return Next{Do: Turn, Why: "first set-up"}
	case !rotates:
		return judgeDrift(s)
	case s.Target.NotAfter.Before(s.Current.NotAfter):
		return Next{NeedsPerson: true, Why: fmt.Sprintf("the source's newest certificate %s ends before %s, which is in use: provide that one, or rotate by hand", s.Target.Thumbprint.Short(), s.Current.Thumbprint.Short())}
	case s.Asked || near:
		return Next{Do: Turn, Why: fmt.Sprintf("from %s, which ends on %s, to %s", s.Current.Thumbprint.Short(), clock(s.Current.NotAfter), s.Target.Thumbprint.Short())}
	}
	return Next{Do: AwaitTime, Why: fmt.Sprintf("%s is there; the rotation begins on %s", s.Target.Thumbprint.Short(), clock(renewal))}
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

// judgeDrift: the certificate is the right one, but something differs. A
// restart alone is not caused by this trust: any change of the office farm's
// settings makes one owed, and whoever changed them chooses when.
func judgeDrift(s Situation) Next {
	first := slices.IndexFunc(s.Differences, func(d Difference) bool { return d.Step != StepRestart })
	if first < 0 {
		return Next{NeedsPerson: true, Why: fmt.Sprintf("a restart is owed on %s, which starter rotate makes when it suits: %s", s.Differences[0].Server, s.Differences[0].Text)}
	}
	return Next{Do: Turn, Why: fmt.Sprintf("drift on %s: %s", s.Differences[first].Server, s.Differences[first].Text)}
}
