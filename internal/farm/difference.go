package farm

import (
	"fmt"
	"slices"
	"strings"
)

// Difference is one way in which a farm is not as desired.
type Difference struct {
	Step Step `json:"step"`
	// Server is where the step that removes the difference runs.
	Server string `json:"server"`
	// Subject distinguishes the differences of one step on one server.
	Subject string `json:"subject,omitempty"`
	// Have and Want are the two values, as operators read them.
	Have string `json:"have"`
	Want string `json:"want"`
	// Text says in one sentence what will be done, and why.
	Text string `json:"text"`
}

// CutoverDifferences selects the differences that a cutover, or a rollback of one,
// removes, which users can notice, but not the restarts that follow.
func CutoverDifferences(differences []Difference) []Difference {
	return selectSteps(differences, StepS2SName, StepReplication, StepHTTPSettings, StepIssuer,
		StepRestoreIssuers, StepRestoreHTTPSettings, StepRestoreS2SName, StepReplicationAgain)
}

// IsWait reports whether nothing is changed to remove the difference: Office Online
// Server replicates a setting of its master by itself.
func (d Difference) IsWait() bool {
	return (d.Step == StepReplication || d.Step == StepReplicationAgain) && d.Subject != visibleSubject
}

// Changes selects the differences that something is changed for.
func Changes(differences []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(differences), Difference.IsWait)
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

// Severity is what a finding means for a rotation.
type Severity string

const (
	// Stop prevents a rotation before anything is changed.
	Stop Severity = "stop"
	// Warn is shown to operators and prevents nothing.
	Warn Severity = "warn"
)

// Finding is a condition of a farm that no step of a rotation changes.
type Finding struct {
	// Code is machine-readable, such as "pending-reboot".
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Server is a host, or a computer name when the machine is not configured;
	// empty when the finding is about the farm.
	Server string `json:"server,omitempty"`
	// Text says what was found, Remedy what to do about it.
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
	// Accepted is who accepted the finding, which then only warns; nil when nobody
	// did.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// Explain says in one line where and what was found, and what to do.
func (f Finding) Explain() string {
	parts := slices.DeleteFunc([]string{f.Server, f.Text, f.Remedy}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}
