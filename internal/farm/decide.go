package farm

import (
	"fmt"
	"slices"
	"time"
)

// DecisionInput is what a controller knows about its farm after an inspection.
type DecisionInput struct {
	// Now is the worker's clock.
	Now  time.Time `json:"now"`
	Farm Farm      `json:"farm"`
	// Current is the certificate in use, empty before the first set-up and where the
	// office farms do not tell. KnownBefore is the last that was seen in use. Target
	// is the newest certificate that the source offers.
	Current     StoreCertificate `json:"current"`
	KnownBefore Thumbprint       `json:"knownBefore,omitempty"`
	Target      Certificate      `json:"target"`
	Differences []Difference     `json:"differences"`
	Findings    []Finding        `json:"findings"`
	// Unobserved says why the farm could not be observed; empty when it could.
	Unobserved string `json:"unobserved,omitempty"`
	// EventPending reports whether an event caused this inspection.
	EventPending bool `json:"eventPending"`
	// Suspended says why no rotation may start automatically; empty when one may.
	Suspended string `json:"suspended,omitempty"`
	// NotReleased reports whether no person has released the farm.
	NotReleased bool `json:"notReleased,omitempty"`
	// PostponedUntil is until when nothing may start automatically, and PostponedBy who
	// said so, and why; zero where nobody did.
	PostponedUntil time.Time `json:"postponedUntil,omitzero"`
	PostponedBy    string    `json:"postponedBy,omitempty"`
}

// Decide decides what a farm needs next. The farm's own state decides; an event
// can only bring forward what is needed anyway.
func Decide(in DecisionInput) Next {
	next := in.nextAction()
	if in.isExpired() {
		next.Reason = fmt.Sprintf("EXPIRED: %s expired on %s, and data refresh has failed since; %s",
			in.Current.Thumbprint.Short(), FormatTime(in.Current.NotAfter), next.Reason)
	}
	if why, code, unless := in.held(); why != "" {
		return in.hold(next, why, code, unless)
	}
	return in.addWindow(in.postpone(next))
}

func (in DecisionInput) isExpired() bool {
	return in.Current.Thumbprint != "" && in.Now.After(in.Current.NotAfter)
}

func (in DecisionInput) nextAction() Next {
	stops := Stops(in.Findings)
	switch {
	case in.Unobserved != "":
		return needsOperator(CodeUnobserved, "cannot inspect the farm: %s", in.Unobserved).unless("an inspection succeeds")
	case len(stops) > 0:
		return needsOperator(CodeStopped, "%s: %s", stops[0].Text, stops[0].Remedy).unless("an inspection no longer finds that")
	case len(in.Differences) == 0:
		return in.nextAsDesired()
	case in.Current.Thumbprint == "":
		return in.nextWithoutCurrent()
	case in.unnamed() != nil && !in.EventPending && !in.renewalIsDue():
		f := in.unnamed()
		return needsOperator(ReasonCode(f.Code), "%s", f.Explain()).unless(unlessRotated)
	case in.Target.Thumbprint == in.Current.Thumbprint:
		return in.nextOnDrift()
	}
	return in.nextRenewal()
}

// nextWithoutCurrent decides for a farm of which no certificate is known to be in
// use: it was never set up, or something happened to it that a rotation repairs.
func (in DecisionInput) nextWithoutCurrent() Next {
	next := needsOperator(CodeNotSetUp, "%s", "the trust was never set up: no office farm has an S2SCertificateName: rotate once by hand"+in.orSendAnEvent())
	if f := in.finding(FindingNameLost, FindingNameDangling, FindingCertificatesDiffer, FindingNeverSet); f != nil {
		next.Code, next.Reason = ReasonCode(f.Code), f.Explain()
	} else if in.KnownBefore != "" {
		next.Code = CodeNameLost
		next.Reason = fmt.Sprintf("the office farm has lost its S2SCertificateName, which selected %s, as happens when Microsoft's update procedure re-creates the farm: rotate, which sets the name again; next time give New-OfficeWebAppsFarm -S2SCertificateName", in.KnownBefore.Short())
	}
	switch {
	case !in.EventPending:
		return next.unless(unlessRotated)
	case next.Code == CodeNotSetUp:
		return in.rotate(CodeSetUp, "first set-up")
	}
	return in.rotate(next.Code, next.Reason)
}

// orSendAnEvent is the other way to a first set-up, where an event may begin one.
func (in DecisionInput) orSendAnEvent() string {
	if why, _, _ := in.held(); why != "" {
		return ""
	}
	return ", or send an event"
}

// unnamed returns the finding about an office farm without an S2S name; nil when
// each has one.
func (in DecisionInput) unnamed() *Finding { return in.finding(FindingNameLost, FindingNeverSet) }

// finding returns the first finding with one of the codes; nil when there is none.
func (in DecisionInput) finding(codes ...string) *Finding {
	f, ok := findFirst(in.Findings, func(f Finding) bool { return slices.Contains(codes, f.Code) })
	if !ok {
		return nil
	}
	return &f
}

// nextAsDesired decides for a farm without differences.
func (in DecisionInput) nextAsDesired() Next {
	expiry := FormatTime(in.Current.NotAfter)
	if in.renewalIsDue() {
		next := needsOperator(CodeNoNewer, "waiting for a newer certificate: %s expires on %s", in.Current.Thumbprint.Short(), expiry)
		next.Action = ActionAwaitCertificate
		return next.unless("the source offers a newer certificate")
	}
	next := in.rotate(CodeTrusted, "trusted until "+expiry)
	next.Action, next.At = ActionNone, in.renewalDate()
	next.Because = fmt.Sprintf("%s expires on %s", in.Current.Thumbprint.Short(), expiry)
	next.Do += ", if the source then holds a newer certificate"
	return next
}

// nextRenewal decides for a farm whose source offers a certificate other than the
// one in use.
func (in DecisionInput) nextRenewal() Next {
	from, to := in.Current.Thumbprint.Short(), in.Target.Thumbprint.Short()
	switch {
	case in.EventPending || in.renewalIsDue():
		return in.rotate(CodeRenewal, fmt.Sprintf("from %s, which expires on %s, to %s", from, FormatTime(in.Current.NotAfter), to))
	}
	next := in.rotate(CodeNotYetDue, fmt.Sprintf("%s is available; the rotation begins on %s", to, FormatTime(in.renewalDate())))
	next.Action, next.At = ActionWait, in.renewalDate()
	next.Because = fmt.Sprintf("%s is available, and %s expires on %s", to, from, FormatTime(in.Current.NotAfter))
	return next
}

// nextOnDrift decides for a farm that uses the right certificate but differs in
// something else. A pending restart alone is not ours to make: any change of
// settings causes one, and the administrator who made it picks the time.
func (in DecisionInput) nextOnDrift() Next {
	differences := in.Differences
	first := slices.IndexFunc(differences, func(d Difference) bool { return d.Step != StepRestart })
	if first < 0 {
		d := differences[0]
		return needsOperator(CodeRestartPending, "a restart is pending on %s; a rotation makes it, at a time that an operator chooses: %s", d.Server, d.Text).unless(unlessRotated)
	}
	d := differences[first]
	return in.rotate(CodeDrift, fmt.Sprintf("drift on %s: %s", d.Server, d.Text))
}

func needsOperator(code ReasonCode, format string, args ...any) Next {
	return Next{Code: code, NeedsOperator: true, Reason: fmt.Sprintf(format, args...)}
}

func (in DecisionInput) renewalIsDue() bool { return !in.Now.Before(in.renewalDate()) }

// renewalDate returns when the certificate in use should be replaced: the lead
// time before it expires, but not before two thirds of its lifetime have passed.
// Otherwise a certificate that is valid for less than the lead time would be due
// on the day it was issued, and each event about it would ask for another one.
func (in DecisionInput) renewalDate() time.Time {
	leadTime, c := in.Farm.Certificate.LeadTime, in.Current
	if life := c.NotAfter.Sub(c.NotBefore); !c.NotBefore.IsZero() {
		leadTime = min(leadTime, life/3)
	}
	return c.NotAfter.Add(-leadTime)
}
