package farm

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

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
	// CodeNotReleased: a rotation is needed, but no person has released the farm.
	CodeNotReleased ReasonCode = "not-released"
	// CodeObserveOnly: a rotation is needed, but the configuration has the farm
	// observed only.
	CodeObserveOnly ReasonCode = "observe-only"
	// CodePostponed: a rotation is needed, and begins when the time has come that an
	// operator has postponed it to.
	CodePostponed ReasonCode = "postponed"
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
	// Do is what will be done without anybody's word; empty where nothing is.
	Do string `json:"do,omitempty"`
	// At is when it will be done; zero is as soon as possible. Local is the same moment
	// on the clocks of the farm's window; empty without a window.
	At    time.Time `json:"at,omitzero"`
	Local string    `json:"local,omitempty"`
	// Because is why, where Reason says something else.
	Because string `json:"because,omitempty"`
	// Unless is what keeps it from being done; of nothing, what would change that.
	Unless string `json:"unless,omitempty"`
}

// Sentence says what will be done by itself and when, why, and what would prevent it.
// It is the only place that says so: pages, logs and programs have it from here.
func (n Next) Sentence(now time.Time) string {
	parts := []string{"next: " + n.planned(now)}
	if because := cmp.Or(n.Because, n.Reason); because != "" {
		parts = append(parts, "because "+because)
	}
	if n.Unless != "" {
		parts = append(parts, "unless "+n.Unless)
	}
	return strings.Join(parts, ", ")
}

// Inspect is what is done where nothing else will be.
const Inspect = "inspect the farm"

// IsInspection reports whether the farm is inspected next, and nothing else is known to
// come.
func (n Next) IsInspection() bool { return n.Do == Inspect }

// planned is what will be done, and when.
func (n Next) planned(now time.Time) string {
	switch {
	case n.Do == "":
		return "nothing by itself"
	case !n.At.After(now):
		return n.Do + ", now"
	case n.Local != "":
		return fmt.Sprintf("%s, at %s (%s)", n.Do, FormatTime(n.At), n.Local)
	}
	return n.Do + ", at " + FormatTime(n.At)
}
