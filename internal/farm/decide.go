package farm

import (
	"fmt"
	"slices"
	"time"
)

// DecisionInput is what a controller knows of its farm after an inspection.
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
	// EventPending says that an event asked for this inspection.
	EventPending bool `json:"eventPending"`
	// Suspended says why nothing may start by itself; empty when it may.
	Suspended string `json:"suspended,omitempty"`
}

// Action is what a controller does next. The zero value does nothing.
type Action string

// What a controller may do.
const (
	// ActionNone: all is in order, or an operator must act first.
	ActionNone Action = ""
	// ActionAwaitCertificate waits for the source to hold a newer certificate.
	ActionAwaitCertificate Action = "await certificate"
	// ActionWait waits until the certificate in use nears its end.
	ActionWait Action = "wait"
	// ActionRotate starts a rotation.
	ActionRotate Action = "rotate"
)

// ReasonCode tells programs why a controller does what it does.
type ReasonCode string

// The reasons.
const (
	CodeTrusted          ReasonCode = "trusted"
	CodeNotSetUp         ReasonCode = "not-set-up"
	CodeSetUp            ReasonCode = "set-up"
	CodeRenewal          ReasonCode = "renewal"
	CodeNotYetDue        ReasonCode = "not-yet-due"
	CodeNoNewer          ReasonCode = "no-newer-certificate"
	CodeExpiresEarlier   ReasonCode = "target-expires-earlier"
	CodeDrift            ReasonCode = "drift"
	CodeRestartPending   ReasonCode = "restart-pending"
	CodeStopped          ReasonCode = "stopped-by-finding"
	CodeUnobserved       ReasonCode = "unobserved"
	CodeSuspended        ReasonCode = "suspended"
	CodeRefused          ReasonCode = "refused"
	CodeUndecided        ReasonCode = "undecided"
	CodeStartedElsewhere ReasonCode = "started-elsewhere"
)

// Next is what a controller does next, and why.
type Next struct {
	Action Action     `json:"action"`
	Code   ReasonCode `json:"code"`
	// Reason is Code in an operator's words.
	Reason string `json:"reason"`
	// NeedsOperator says that it stays so until an operator acts.
	NeedsOperator bool `json:"needsOperator"`
}

// Decide decides what a farm needs next. The farm's own state decides; events
// only ask.
func Decide(in DecisionInput) Next {
	next := in.nextAction()
	if in.isExpired() {
		next.Reason = fmt.Sprintf("EXPIRED: %s expired on %s, and data refresh has failed since; %s",
			in.Current.Thumbprint.Short(), formatTime(in.Current.NotAfter), next.Reason)
	}
	if next.Action == ActionRotate && in.Suspended != "" {
		return Next{
			Code: CodeSuspended, NeedsOperator: true,
			Reason: "suspended: " + in.Suspended + "; it would rotate: " + next.Reason,
		}
	}
	return next
}

// isExpired reports whether the certificate in use has expired.
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
		return in.nextInOrder()
	case in.Current.Thumbprint == "" && !in.EventPending:
		return needsOperator(CodeNotSetUp, "the trust is not set up: rotate once by hand, or send an event")
	case in.Current.Thumbprint == "":
		return Next{Action: ActionRotate, Code: CodeSetUp, Reason: "first set-up"}
	case in.Target.Thumbprint == in.Current.Thumbprint:
		return nextOnDrift(in.Differences)
	}
	return in.nextRenewal()
}

// nextInOrder decides for a farm that is as desired.
func (in DecisionInput) nextInOrder() Next {
	expiry := formatTime(in.Current.NotAfter)
	if in.renewalIsDue() {
		next := needsOperator(CodeNoNewer, "waiting for a newer certificate: %s expires on %s", in.Current.Thumbprint.Short(), expiry)
		next.Action = ActionAwaitCertificate
		return next
	}
	return Next{Code: CodeTrusted, Reason: "trusted until " + expiry}
}

// nextRenewal decides for a farm whose source holds another certificate than
// the one in use.
func (in DecisionInput) nextRenewal() Next {
	from, to := in.Current.Thumbprint.Short(), in.Target.Thumbprint.Short()
	switch {
	case in.Target.NotAfter.Before(in.Current.NotAfter):
		return needsOperator(CodeExpiresEarlier, "the newest certificate of the source, %s, expires before %s, which is in use: provide a newer one, or rotate by hand", to, from)
	case in.EventPending || in.renewalIsDue():
		return Next{Action: ActionRotate, Code: CodeRenewal, Reason: fmt.Sprintf("from %s, which expires on %s, to %s", from, formatTime(in.Current.NotAfter), to)}
	}
	return Next{Action: ActionWait, Code: CodeNotYetDue, Reason: fmt.Sprintf("%s is available; the rotation begins on %s", to, formatTime(in.renewalDate()))}
}

// nextOnDrift decides for a farm that uses the right certificate and differs in
// something else. A pending restart alone is not ours to make: any settings
// change causes one, and its author picks the time.
func nextOnDrift(differences []Difference) Next {
	first := slices.IndexFunc(differences, func(d Difference) bool { return d.Step != StepRestart })
	if first < 0 {
		d := differences[0]
		return needsOperator(CodeRestartPending, "a restart is pending on %s, which `farmtrust rotate` makes when it suits: %s", d.Server, d.Text)
	}
	d := differences[first]
	return Next{Action: ActionRotate, Code: CodeDrift, Reason: fmt.Sprintf("drift on %s: %s", d.Server, d.Text)}
}

func needsOperator(code ReasonCode, format string, args ...any) Next {
	return Next{Code: code, NeedsOperator: true, Reason: fmt.Sprintf(format, args...)}
}

func (in DecisionInput) renewalIsDue() bool { return !in.Now.Before(in.renewalDate()) }

// renewalDate is when the certificate in use is to be replaced: the lead time
// before it expires, but not before two thirds of its life are over. Otherwise
// one that lives shorter than the lead time would be due on the day it was
// issued, and every event about it would ask for the next.
func (in DecisionInput) renewalDate() time.Time {
	leadTime, c := in.Farm.Certificate.LeadTime, in.Current
	if life := c.NotAfter.Sub(c.NotBefore); !c.NotBefore.IsZero() {
		leadTime = min(leadTime, life/3)
	}
	return c.NotAfter.Add(-leadTime)
}
