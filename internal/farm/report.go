package farm

import (
	"slices"
	"time"
)

// Outcome is how a rotation ended.
type Outcome string

const (
	// Verified means that no difference is left, and that each office server can
	// use the key.
	Verified Outcome = "verified"
	// NoChange means that there was no difference to begin with.
	NoChange Outcome = "unchanged"
	// Incomplete means that retries ran out. The report lists what is done and what
	// is not; another rotation continues from there.
	Incomplete Outcome = "incomplete"
	// Refused means that a precondition failed and nothing was changed.
	Refused Outcome = "refused"
	// RolledBack means that everything the rotation changed is as it was before.
	RolledBack Outcome = "rolled back"
	// Partial means that an operator skipped a server or aborted; the report lists
	// what differs.
	Partial Outcome = "partial"
)

// Intent is what a rotation is for.
type Intent string

const (
	// Renew sets up, renews or repairs the trust.
	Renew Intent = ""
	// Rollback restores what a rotation changed that was not finished.
	Rollback Intent = "rollback"
	// Undo goes back behind a rotation that was verified. Only an operator asks for it.
	Undo Intent = "undo"
	// ReplaceExpired renews a trust that already fails because its certificate
	// has expired. The expired certificate is never restored.
	ReplaceExpired Intent = "replace expired"
	// ReplaceCompromised replaces, at once, a certificate that must no longer be
	// trusted and is never restored.
	ReplaceCompromised Intent = "replace compromised"
)

// GoesBack reports whether a run with the intent begins by restoring a snapshot.
func (i Intent) GoesBack() bool { return i == Rollback || i == Undo }

// State is how far a step is on one server.
type State string

const (
	// StateRunning means that the step has begun; it may be waiting for a retry.
	StateRunning State = "running"
	// StateObserved means that the step, which only observes, is done.
	StateObserved State = "observed"
	// StateChanged means that the step is done and changed something.
	StateChanged State = "changed"
	// StateUnchanged means that the step is done and had nothing to change.
	StateUnchanged State = "unchanged"
	// StateFailed means that the last attempt failed.
	StateFailed State = "failed"
	// StateSkipped means that an operator left the server out.
	StateSkipped State = "skipped"
)

// StepReport is one step on one server.
type StepReport struct {
	Step  Step  `json:"step"`
	State State `json:"state"`
	// Changed reports whether something was changed, even if a later part failed.
	Changed bool `json:"changed"`
	// Detail says what was found or done, or what failed and what to do.
	Detail string `json:"detail,omitempty"`
	// Warnings are what the products' cmdlets warned of, in their own words.
	Warnings []string `json:"warnings,omitempty"`
	// DurationMS is how long the step took, in milliseconds.
	DurationMS int64 `json:"durationMs"`
}

// maxStepWarnings is how many warnings the report of a step keeps.
const maxStepWarnings = 5

// AddWarnings adds what cmdlets warned of, each text once, up to a limit: a step may
// run many times.
func (r *StepReport) AddWarnings(warnings []string) {
	for _, text := range warnings {
		if len(r.Warnings) < maxStepWarnings && !slices.Contains(r.Warnings, text) {
			r.Warnings = append(r.Warnings, text)
		}
	}
}

// ServerReport is everything that was done on one server.
type ServerReport struct {
	Host  string       `json:"host"`
	Role  Role         `json:"role"`
	Steps []StepReport `json:"steps"`
}

// Role is what a server is in its farm.
type Role string

// The roles of servers: a machine of the Office Online Server farm, or a server of
// a SharePoint farm.
const (
	OfficeRole     Role = "office"
	SharePointRole Role = "sharepoint"
)

// Report is what a rotation did and found.
type Report struct {
	Farm string `json:"farm"`
	// Outcome is empty while the rotation runs.
	Outcome Outcome `json:"outcome"`
	// Reason is why the rotation was started.
	Reason string `json:"reason,omitempty"`
	Intent Intent `json:"intent,omitempty"`
	// Target is the certificate that the rotation works towards, under
	// FriendlyName; it expires at NotAfter.
	Target       Thumbprint `json:"target"`
	FriendlyName string     `json:"friendlyName,omitempty"`
	NotAfter     time.Time  `json:"notAfter,omitzero"`
	// Previous is the certificate in use before; empty at first set-up.
	Previous  Thumbprint `json:"previous,omitempty"`
	StartedAt time.Time  `json:"startedAt"`
	// DurationMS is how long the rotation took, in milliseconds.
	DurationMS int64          `json:"durationMs"`
	Servers    []ServerReport `json:"servers"`
	// Statement claims only what was observed.
	Statement   string             `json:"statement"`
	Differences []Difference       `json:"differences,omitempty"`
	Decisions   []RecordedDecision `json:"decisions,omitempty"`
	Findings    []Finding          `json:"findings,omitempty"`
}

// Reached reports whether a step has begun on any server.
func (r Report) Reached(step Step) bool {
	return slices.ContainsFunc(r.Servers, func(s ServerReport) bool {
		return slices.ContainsFunc(s.Steps, func(row StepReport) bool { return row.Step == step })
	})
}
