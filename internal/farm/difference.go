package farm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Difference is one way in which a farm is not as desired.
type Difference struct {
	Step Step `json:"step"`
	// Server is where the step that removes the difference runs.
	Server string `json:"server"`
	// Subject tells differences of one step on one server apart.
	Subject string `json:"subject,omitempty"`
	// Have and Want are the two values, as operators read them.
	Have string `json:"have"`
	Want string `json:"want"`
	// Text says it in a sentence: what will be done, and why.
	Text string `json:"text"`
}

// Digest names a target and the differences that a cutover removes. An approval
// of it is one of exactly these: the digest changes when they do.
func Digest(target Thumbprint, differences []Difference) string {
	lines := []string{string(target)}
	for _, d := range CutoverDifferences(differences) {
		lines = append(lines, fmt.Sprintf("%q %q %q %q %q", d.Step, d.Server, d.Subject, d.Have, d.Want))
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}

// CutoverDifferences selects the differences whose removal users can notice,
// without the restarts that follow from them.
func CutoverDifferences(differences []Difference) []Difference {
	return selectSteps(differences, StepS2SName, StepReplication, StepHTTPSettings, StepIssuer)
}

// Drift lists what changed between the differences that were planned and those
// found just before the cutover, apart from what staging removed.
func Drift(planned, found []Difference) []string {
	var out []string
	same := func(a, b Difference) bool {
		return a.Step == b.Step && a.Server == b.Server && a.Subject == b.Subject && a.Have == b.Have && a.Want == b.Want
	}
	before, now := CutoverDifferences(planned), CutoverDifferences(found)
	for _, d := range now {
		if !slices.ContainsFunc(before, func(p Difference) bool { return same(p, d) }) {
			out = append(out, fmt.Sprintf("%s: %s is now %s", d.Server, d.Subject, d.Have))
		}
	}
	for _, p := range before {
		if !slices.ContainsFunc(now, func(d Difference) bool { return d.Step == p.Step && d.Server == p.Server && d.Subject == p.Subject }) {
			out = append(out, fmt.Sprintf("%s: %s is already %s", p.Server, p.Subject, p.Want))
		}
	}
	for _, d := range selectSteps(found, StepImport, StepGrant, StepRootAuthority) {
		out = append(out, fmt.Sprintf("%s: %s is %s again", d.Server, d.Subject, d.Have))
	}
	return out
}

// Severity says what a finding means for a rotation.
type Severity string

// What a finding may mean.
const (
	// Stop ends a rotation before anything is changed.
	Stop Severity = "stop"
	// Warn is shown and does not stop.
	Warn Severity = "warn"
)

// Finding is something about a farm that no step changes.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Server   string   `json:"server,omitempty"`
	// Text says what was found, Remedy what to do about it.
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}
