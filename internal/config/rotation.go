package config

import (
	"fmt"
	"math"
	"regexp"
	"time"
	// A window names a time zone, and the worker's machine may lack the time zone
	// database: Windows and minimal containers do.
	_ "time/tzdata"

	"go.yaml.in/yaml/v3"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Bounds and defaults of a rotation's durations.
const (
	day = 24 * time.Hour

	defaultDecisionTimeout    = day
	defaultApprovalTimeout    = 7 * day
	defaultKeepOldFor         = 14 * day
	defaultInspectionInterval = 6 * time.Hour
	defaultWatchInterval      = 5 * time.Minute
	defaultHealthyWithin      = 8 * time.Minute
	defaultHealthyFor         = time.Minute

	// minDuration gives an operator time to decide, and an inspection time to
	// finish.
	minDuration = time.Minute
	// What is staged for an approval must not be older than a plan can be trusted.
	minApprovalTimeout = time.Hour
	maxApprovalTimeout = 90 * day
	// minRetention is how long SharePoint servers may take to recognize a new
	// token issuer (source: Microsoft, "High-trust configuration scripts for
	// SharePoint").
	minRetention = day
	// maxInspectionInterval leaves time for several inspections within the default
	// lead time.
	maxInspectionInterval = 7 * day
	// maxWatchInterval still finds a certificate that is none of the farm's within a day.
	maxWatchInterval = day
	// The shortest times suit a simulated farm, the longest the time that a restart
	// may take.
	minHealthyWithin = time.Second
	maxHealthyWithin = 10 * time.Minute
	minHealthyFor    = 100 * time.Millisecond
	maxHealthyFor    = 5 * time.Minute
	unbounded        = time.Duration(math.MaxInt64)
)

// windowsZonePattern matches the names that Windows gives to time zones, which tzutil /l
// lists.
var windowsZonePattern = regexp.MustCompile(` (Standard|Daylight) Time$`)

// approval is whether an operator must approve the cutover.
type approval string

const (
	approvalRequired approval = "required"
	approvalNone     approval = "none"
)

// modes are what a farm and a worker may be set to.
var modes = []farm.Mode{farm.ModeRotate, farm.ModeObserve}

// defaultPolicy is the policy of a farm without a rotation section.
func defaultPolicy() farm.RotationPolicy {
	return farm.RotationPolicy{
		Mode: farm.ModeRotate, AtOnce: defaultAtOnce, RestartAtOnce: defaultRestartAtOnce,
		Approval: true, OnFailure: farm.OnFailurePause,
		DecisionTimeout: defaultDecisionTimeout, ApprovalTimeout: defaultApprovalTimeout, KeepOldFor: defaultKeepOldFor, InspectionInterval: defaultInspectionInterval,
		WatchInterval: defaultWatchInterval,
		HealthyWithin: defaultHealthyWithin, HealthyFor: defaultHealthyFor,
	}
}

// readRotation reads the policy and returns it with the nodes of its window and of
// fourEyes. A window without an approval setting is itself the consent to cut over in it.
func (r *reader) readRotation(n node, policy farm.RotationPolicy) (_ farm.RotationPolicy, window, fourEyes node) {
	var asked approval
	r.readMapping(n, fields{
		"mode":          {read: func(n node) { policy.Mode = readChoice(r, n, modes, nil) }},
		"atOnce":        {read: func(n node) { policy.AtOnce = r.readNumber(n, maxAtOnce) }},
		"restartAtOnce": {read: func(n node) { policy.RestartAtOnce = r.readNumber(n, maxAtOnce) }},
		"approval":      {read: func(n node) { asked = readChoice(r, n, []approval{approvalRequired, approvalNone}, nil) }},
		"fourEyes":      {read: func(n node) { policy.FourEyes, fourEyes = r.readFlag(n), n }},
		"window":        {read: func(n node) { policy.Window, window = r.readWindow(n), n }},
		"onFailure": {read: func(n node) {
			policy.OnFailure = readChoice(r, n, []farm.OnFailure{farm.OnFailurePause, farm.OnFailureRollBack}, nil)
		}},
		"healthyWithin":      {read: func(n node) { policy.HealthyWithin = r.readDurationWithin(n, minHealthyWithin, maxHealthyWithin) }},
		"healthyFor":         {read: func(n node) { policy.HealthyFor = r.readDurationWithin(n, minHealthyFor, maxHealthyFor) }},
		"decisionTimeout":    {read: func(n node) { policy.DecisionTimeout = r.readDurationWithin(n, minDuration, unbounded) }},
		"approvalTimeout":    {read: func(n node) { policy.ApprovalTimeout = r.readDurationWithin(n, minApprovalTimeout, maxApprovalTimeout) }},
		"keepOldFor":         {read: func(n node) { policy.KeepOldFor = r.readRetention(n) }},
		"inspectionInterval": {read: func(n node) { policy.InspectionInterval = r.readDurationWithin(n, minDuration, maxInspectionInterval) }},
		"watchInterval":      {read: func(n node) { policy.WatchInterval = r.readDurationWithin(n, minDuration, maxWatchInterval) }},
	})
	policy.Approval = asked == approvalRequired || asked == "" && policy.Window.IsZero()
	return policy, window, fourEyes
}

func (r *reader) readWindow(n node) farm.Window {
	text, ok := r.readText(n)
	if !ok {
		return farm.Window{}
	}
	if windowsZonePattern.MatchString(text) {
		r.addProblem(n, "write the IANA name, such as Europe/Berlin for W. Europe Standard Time", "the names that Windows gives to time zones are not understood")
		return farm.Window{}
	}
	window, err := farm.ParseWindow(text)
	if err != nil {
		r.addProblem(n, "write days (Sat, Mon-Fri or daily), hours and a time zone", "%v", err)
	}
	return window
}

// checkWindow compares a farm's window, written at n, with how long its cutover
// takes: a window that is too short would silently never be used.
func (r *reader) checkWindow(n node, f farm.Farm) {
	window, need := f.Rotation.Window, f.CutoverEstimate()
	if !window.IsZero() && window.Length() < need {
		r.addProblem(n, "make it at least that long", "is open for %s, but the cutover of this farm takes about %s",
			formatDuration(window.Length()), formatDuration(need))
	}
}

// readRetention reads how long the previous certificate is kept. Zero, in any unit,
// is allowed, with a warning.
func (r *reader) readRetention(n node) time.Duration {
	if length, err := parseDuration(n.Value); err == nil && length == 0 && n.Kind == yaml.ScalarNode {
		r.addWarning(n, "keep it for 24h or longer",
			"the previous certificate is not kept, although SharePoint servers may take 24 hours to recognize the new one")
		return 0
	}
	return r.readDurationWithin(n, minRetention, unbounded)
}

// readDurationWithin reads a duration from low to high, both included.
func (r *reader) readDurationWithin(n node, low, high time.Duration) time.Duration {
	length := r.readDuration(n)
	if length == 0 || low <= length && length <= high { // 0 has been reported
		return length
	}
	remedy := fmt.Sprintf("write %s or longer", formatDuration(low))
	if high < unbounded {
		remedy = fmt.Sprintf("write a duration from %s to %s", formatDuration(low), formatDuration(high))
	}
	r.addProblem(n, remedy, "%s is out of bounds", n.Value)
	return 0
}
