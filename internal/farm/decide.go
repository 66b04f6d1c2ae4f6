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
}

// Action is what a controller does next. The zero value does nothing.
type Action string

const (
	// ActionNone does nothing: all is in order, or an operator must act first.
	ActionNone Action = ""
	// ActionAwaitCertificate waits until the source offers a newer certificate.
	ActionAwaitCertificate Action = "await certificate"
	// ActionWait waits until the certificate in use is due for renewal.
	ActionWait Action = "wait"
	// ActionRotate starts a rotation.
	ActionRotate Action = "rotate"
)

// ReasonCode is a machine-readable reason for an [Action].
type ReasonCode string

// The reasons that [Decide] gives.
const (
	// CodeTrusted: the farm is as desired, and no renewal is due.
	CodeTrusted ReasonCode = "trusted"
	// CodeNotSetUp: the first set-up takes an event or an operator.
	CodeNotSetUp ReasonCode = "not-set-up"
	// The next four are not a first set-up, but take an event or an operator too:
	// the finding of the same name says what happened to an office farm.
	CodeNameLost           ReasonCode = FindingNameLost
	CodeNameDangling       ReasonCode = FindingNameDangling
	CodeNeverSet           ReasonCode = FindingNeverSet
	CodeCertificatesDiffer ReasonCode = FindingCertificatesDiffer
	// CodeSetUp: an event asked for the first set-up.
	CodeSetUp ReasonCode = "set-up"
	// CodeRenewal: a newer certificate is there, and its time has come.
	CodeRenewal ReasonCode = "renewal"
	// CodeNotYetDue: a newer certificate is there, but the one in use is not due.
	CodeNotYetDue ReasonCode = "not-yet-due"
	// CodeNoNewer: a renewal is due, but the source has no newer certificate.
	CodeNoNewer ReasonCode = "no-newer-certificate"
	// CodeDrift: something other than the certificate is not as desired.
	CodeDrift ReasonCode = "drift"
	// CodeRestartPending: a server has yet to load its settings.
	CodeRestartPending ReasonCode = "restart-pending"
	// CodeStopped: a finding with severity [Stop] prevents a rotation.
	CodeStopped ReasonCode = "stopped-by-finding"
	// CodeUnobserved: some server could not be observed.
	CodeUnobserved ReasonCode = "unobserved"
	// CodeSuspended: a rotation is needed, but automatic rotation is suspended.
	CodeSuspended ReasonCode = "suspended"
)

// The reasons that a controller adds.
const (
	// CodeRefused: the last rotation, or a requested rollback, was refused.
	CodeRefused ReasonCode = "refused"
	// CodeUndecided: the decision itself failed.
	CodeUndecided ReasonCode = "undecided"
	// CodeOutdated: what was decided last does not count any more, because a run works,
	// or has ended since, or because no inspection has followed in time.
	CodeOutdated ReasonCode = "outdated"
	// CodeStartedElsewhere: a run of the farm was started by hand.
	CodeStartedElsewhere ReasonCode = "started-elsewhere"
)

// Next is what a controller does next, and why.
type Next struct {
	Action Action     `json:"action"`
	Code   ReasonCode `json:"code"`
	// Reason is Code in words for operators, with names and times.
	Reason string `json:"reason"`
	// NeedsOperator reports whether nothing will change until an operator acts.
	NeedsOperator bool `json:"needsOperator"`
}

// Decide decides what a farm needs next. The farm's own state decides; an event
// can only bring forward what is needed anyway.
func Decide(in DecisionInput) Next {
	next := in.nextAction()
	if in.isExpired() {
		next.Reason = fmt.Sprintf("EXPIRED: %s expired on %s, and data refresh has failed since; %s",
			in.Current.Thumbprint.Short(), FormatTime(in.Current.NotAfter), next.Reason)
	}
	if next.Action == ActionRotate && in.Suspended != "" {
		return Next{
			Code: CodeSuspended, NeedsOperator: true,
			Reason: "suspended: " + in.Suspended + "; otherwise it would rotate: " + next.Reason,
		}
	}
	return next
}

func (in DecisionInput) isExpired() bool {
	return in.Current.Thumbprint != "" && in.Now.After(in.Current.NotAfter)
}

func (in DecisionInput) nextAction() Next {
	stops := Stops(in.Findings)
	switch {
	case in.Unobserved != "":
		return needsOperator(CodeUnobserved, "cannot inspect the farm: %s", in.Unobserved)
	case len(stops) > 0:
		return needsOperator(CodeStopped, "%s: %s", stops[0].Text, stops[0].Remedy)
	case len(in.Differences) == 0:
		return in.nextAsDesired()
	case in.Current.Thumbprint == "":
		return in.nextWithoutCurrent()
	case in.unnamed() != nil && !in.EventPending && !in.renewalIsDue():
		f := in.unnamed()
		return needsOperator(ReasonCode(f.Code), "%s", f.Explain())
	case in.Target.Thumbprint == in.Current.Thumbprint:
		return nextOnDrift(in.Differences)
	}
	return in.nextRenewal()
}

// nextWithoutCurrent decides for a farm of which no certificate is known to be in
// use: it was never set up, or something happened to it that a rotation repairs.
func (in DecisionInput) nextWithoutCurrent() Next {
	next := needsOperator(CodeNotSetUp, "the trust was never set up: no office farm has an S2SCertificateName: rotate once by hand, or send an event")
	if f := in.finding(FindingNameLost, FindingNameDangling, FindingCertificatesDiffer, FindingNeverSet); f != nil {
		next.Code, next.Reason = ReasonCode(f.Code), f.Explain()
	} else if in.KnownBefore != "" {
		next.Code = CodeNameLost
		next.Reason = fmt.Sprintf("the office farm has lost its S2SCertificateName, which selected %s, as happens when Microsoft's update procedure re-creates the farm: rotate, which sets the name again; next time give New-OfficeWebAppsFarm -S2SCertificateName", in.KnownBefore.Short())
	}
	switch {
	case !in.EventPending:
		return next
	case next.Code == CodeNotSetUp:
		return Next{Action: ActionRotate, Code: CodeSetUp, Reason: "first set-up"}
	}
	return Next{Action: ActionRotate, Code: next.Code, Reason: next.Reason}
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
		return next
	}
	return Next{Code: CodeTrusted, Reason: "trusted until " + expiry}
}

// nextRenewal decides for a farm whose source offers a certificate other than the
// one in use.
func (in DecisionInput) nextRenewal() Next {
	from, to := in.Current.Thumbprint.Short(), in.Target.Thumbprint.Short()
	switch {
	case in.EventPending || in.renewalIsDue():
		return Next{Action: ActionRotate, Code: CodeRenewal, Reason: fmt.Sprintf("from %s, which expires on %s, to %s", from, FormatTime(in.Current.NotAfter), to)}
	}
	return Next{Action: ActionWait, Code: CodeNotYetDue, Reason: fmt.Sprintf("%s is available; the rotation begins on %s", to, FormatTime(in.renewalDate()))}
}

// nextOnDrift decides for a farm that uses the right certificate but differs in
// something else. A pending restart alone is not ours to make: any change of
// settings causes one, and the administrator who made it picks the time.
func nextOnDrift(differences []Difference) Next {
	first := slices.IndexFunc(differences, func(d Difference) bool { return d.Step != StepRestart })
	if first < 0 {
		d := differences[0]
		return needsOperator(CodeRestartPending, "a restart is pending on %s; a rotation makes it, at a time that an operator chooses: %s", d.Server, d.Text)
	}
	d := differences[first]
	return Next{Action: ActionRotate, Code: CodeDrift, Reason: fmt.Sprintf("drift on %s: %s", d.Server, d.Text)}
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
