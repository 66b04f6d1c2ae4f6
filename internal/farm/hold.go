package farm

import (
	"fmt"
	"time"
)

// Mode is whether anything is changed on the servers of a farm. The zero value
// rotates.
type Mode string

const (
	// ModeRotate lets the farm be changed.
	ModeRotate Mode = "rotate"
	// ModeObserve inspects the farm, and changes nothing, no matter who asks.
	ModeObserve Mode = "observe"
)

// ObservesOnly explains a farm of [ModeObserve].
const ObservesOnly = "the configuration says mode: observe: farmtrust only looks"

// What would let something be done of which nothing is done by itself, or keep from
// being done what will be.
const (
	unlessRotated   = "an operator rotates"
	unlessPostponed = "an operator postpones it or takes the release back"
)

// held says why nothing starts by itself until somebody acts, and what would change
// that; empty where it may.
func (in DecisionInput) held() (why string, code ReasonCode, unless string) {
	switch {
	case in.Farm.Rotation.Mode == ModeObserve:
		return ObservesOnly, CodeObserveOnly, "the configuration is changed to mode: rotate"
	case in.Suspended != "" && in.NotReleased:
		return "suspended: " + in.Suspended, CodeSuspended, "an operator resumes and releases it, or rotates"
	case in.Suspended != "":
		return "suspended: " + in.Suspended, CodeSuspended, "an operator resumes it, or rotates"
	case in.NotReleased:
		return "not released: farmtrust only looks", CodeNotReleased, "an operator releases the farm, or rotates"
	}
	return "", "", ""
}

// hold has nothing start by itself. Where a rotation would begin now, an operator is
// needed.
func (in DecisionInput) hold(next Next, why string, code ReasonCode, unless string) Next {
	if next.Do == "" {
		return next
	}
	next.Because = fmt.Sprintf("%s; otherwise it would %s: %s", why, next.planned(in.Now), next.Reason)
	if next.Action == ActionRotate {
		next.Action, next.Code, next.NeedsOperator = ActionNone, code, true
		next.Reason, next.Because = why+"; otherwise it would rotate: "+next.Reason, ""
	}
	next.Do, next.At, next.Unless = "", time.Time{}, unless
	return next
}

// postpone has a rotation begin no earlier than operators have said. One that would
// come too late for the certificate in use needs them again.
func (in DecisionInput) postpone(next Next) Next {
	until := in.PostponedUntil
	if next.Do == "" || !until.After(in.Now) || next.At.After(until) {
		return next
	}
	next.At, next.Because = until, ""
	next.Reason = fmt.Sprintf("postponed until %s by %s; then: %s", FormatTime(until), in.PostponedBy, next.Reason)
	if next.Action == ActionRotate {
		next.Action, next.Code = ActionWait, CodePostponed
	}
	if end := in.Current.NotAfter; !end.IsZero() && !end.After(until) {
		next.NeedsOperator = true
		next.Reason = fmt.Sprintf("%s; the certificate in use ends before that, on %s", next.Reason, FormatTime(end))
	}
	return next
}

// rotate is a rotation that begins by itself.
func (in DecisionInput) rotate(code ReasonCode, reason string) Next {
	return Next{Action: ActionRotate, Code: code, Reason: reason, Do: in.rotation(), Unless: unlessPostponed}
}

// rotation says what a rotation does by itself, and what it waits for.
func (in DecisionInput) rotation() string {
	policy := in.Farm.Rotation
	switch {
	case policy.Approval && !policy.Window.IsZero():
		return "stage a rotation, and wait for an approval and for the window " + policy.Window.String()
	case policy.Approval:
		return "stage a rotation, and wait for an approval"
	case !policy.Window.IsZero():
		return "stage a rotation, and cut over in the window " + policy.Window.String()
	}
	return "rotate"
}

// addWindow says when the window opens that the cutover waits for.
func (in DecisionInput) addWindow(next Next) Next {
	window := in.Farm.Rotation.Window
	if next.Do == "" || window.IsZero() {
		return next
	}
	begin := in.Now
	if next.At.After(begin) {
		begin, next.Local = next.At, window.Local(next.At)
	}
	if opening, ok := window.Next(begin, in.Farm.CutoverEstimate()); ok && opening.From.After(begin) {
		next.Do += fmt.Sprintf(", which then opens at %s (%s)", FormatTime(opening.From), window.Local(opening.From))
	}
	return next
}

// unless is the same with what would change it.
func (n Next) unless(what string) Next {
	n.Unless = what
	return n
}
