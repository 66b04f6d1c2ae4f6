package config

import (
	"fmt"
	"math"
	"time"
	// A window names a time zone, and the worker's machine need not have the
	// database of them: Windows and the smallest containers do not.
	_ "time/tzdata"

	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Bounds and defaults of a rotation's lengths of time.
const (
	day = 24 * time.Hour

	defaultParkFor   = day
	defaultSoak      = 14 * day
	defaultLookEvery = 6 * time.Hour

	// shortest leaves a person time to decide, and a look time to end.
	shortest = time.Minute
	// shortestSoak is how long SharePoint servers may take to recognise a new
	// token issuer (source: Microsoft, "High-trust configuration scripts for
	// SharePoint").
	shortestSoak = day
	// longestLook lets several looks fall into the default lead time.
	longestLook = 7 * day
	unbounded   = time.Duration(math.MaxInt64)
)

// approval says whether a person approves before the switch.
type approval string

const (
	approvalRequired approval = "required"
	approvalNone     approval = "none"
)

// defaultRotation is how a farm is rotated that says nothing about it.
func defaultRotation() farm.RotationPolicy {
	return farm.RotationPolicy{
		AtOnce: defaultAtOnce, RestartAtOnce: defaultRestartAtOnce,
		Approval: true, OnFailure: farm.OnFailurePause,
		DecisionTimeout: defaultParkFor, KeepOldFor: defaultSoak, InspectionInterval: defaultLookEvery,
	}
}

// rotation reads the policy and returns it with the place of its window.
// A window that nobody asked to approve is itself the consent to switch in it.
func (r *reader) rotation(n node, policy farm.RotationPolicy) (_ farm.RotationPolicy, window node) {
	var asked approval
	r.mapping(n, fields{
		"atOnce":        {read: func(n node) { policy.AtOnce = r.number(n, 1, maxAtOnce) }},
		"restartAtOnce": {read: func(n node) { policy.RestartAtOnce = r.number(n, 1, maxAtOnce) }},
		"approval":      {read: func(n node) { asked = choice(r, n, []approval{approvalRequired, approvalNone}, nil) }},
		"window":        {read: func(n node) { policy.Window, window = r.window(n), n }},
		"onFailure":     {read: func(n node) { policy.OnFailure = choice(r, n, []farm.OnFailure{farm.OnFailurePause, farm.OnFailureRollBack}, nil) }},
		"parkFor":       {read: func(n node) { policy.DecisionTimeout = r.durationWithin(n, shortest, unbounded) }},
		"soak":          {read: func(n node) { policy.KeepOldFor = r.soak(n) }},
		"lookEvery":     {read: func(n node) { policy.InspectionInterval = r.durationWithin(n, shortest, longestLook) }},
	})
	policy.Approval = asked == approvalRequired || asked == "" && policy.Window.IsZero()
	return policy, window
}

func (r *reader) window(n node) farm.Window {
	text, ok := r.text(n)
	if !ok {
		return farm.Window{}
	}
	window, err := farm.ParseWindow(text)
	if err != nil {
		r.problem(n, "write days (Sat, Mon-Fri or daily), hours and a time zone", "%v", err)
	}
	return window
}

// checkWindow holds a farm's window, written at n, against how long its switch
// takes: one that is too short would never be used, and nobody would know.
func (r *reader) checkWindow(n node, f farm.Farm) {
	window, need := f.Rotation.Window, f.CutoverEstimate()
	if !window.IsZero() && window.Length() < need {
		r.problem(n, "make it at least that long", "is open for %s, but the switch of this farm takes about %s",
			formatDuration(window.Length()), formatDuration(need))
	}
}

// soak reads how long the previous certificate is kept; 0, in any unit, is
// allowed to those who mean it.
func (r *reader) soak(n node) time.Duration {
	if length, err := parseDuration(n.Value); err == nil && length == 0 && n.Kind == yaml.ScalarNode {
		r.warning(n, "keep it for 24h or longer",
			"the previous certificate is not kept, though SharePoint servers may take 24 hours to recognise the new one")
		return 0
	}
	return r.durationWithin(n, shortestSoak, unbounded)
}

// durationWithin reads a length of time from low to high.
func (r *reader) durationWithin(n node, low, high time.Duration) time.Duration {
	length := r.duration(n)
	if length == 0 || low <= length && length <= high { // 0 is a problem already
		return length
	}
	remedy := fmt.Sprintf("write %s or longer", formatDuration(low))
	if high < unbounded {
		remedy = fmt.Sprintf("write a length from %s to %s", formatDuration(low), formatDuration(high))
	}
	r.problem(n, remedy, "%s is out of bounds", n.Value)
	return 0
}
