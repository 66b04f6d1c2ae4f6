package farm

import (
	"slices"
	"time"
)

// Outcome is how a rotation ended.
type Outcome string

// How a rotation may end.
const (
	// Verified: the second comparison was empty and each server used the key.
	Verified Outcome = "verified"
	// NoChange: the first comparison was empty.
	NoChange Outcome = "unchanged"
	// Incomplete: retries ran out; the report lists what is done and what is
	// not, and rotating again resumes.
	Incomplete Outcome = "incomplete"
	// Refused: a precondition failed; nothing was changed.
	Refused Outcome = "refused"
	// RolledBack: everything that the rotation changed is as it was before.
	RolledBack Outcome = "rolled back"
	// Partial: an operator skipped a server or aborted; the report lists what
	// differs.
	Partial Outcome = "partial"
)

// Intent is what a rotation is for.
type Intent string

// What a rotation may be for.
const (
	// Renew sets the trust up, renews it or repairs it.
	Renew Intent = ""
	// Rollback rolls a rotation back.
	Rollback Intent = "rollback"
	// ReplaceExpired renews a trust that already fails, because its
	// certificate has expired; that is never restored.
	ReplaceExpired Intent = "replace expired"
	// ReplaceCompromised replaces a certificate that must not be trusted any
	// longer, at once; it is never restored.
	ReplaceCompromised Intent = "replace compromised"
)

// State is how far a step is on one server.
type State string

// How far a step may be.
const (
	StateRunning State = "running"
	// StateObserved: the step only observes, and has done so.
	StateObserved State = "observed"
	// StateChanged and StateUnchanged: the step is done, and had or had not to act.
	StateChanged   State = "changed"
	StateUnchanged State = "unchanged"
	StateFailed    State = "failed"
	// StateSkipped: an operator left the server out.
	StateSkipped State = "skipped"
)

// StepReport is one step on one server.
type StepReport struct {
	Step  Step  `json:"step"`
	State State `json:"state"`
	// StateChanged says that something was changed, even if a later part failed.
	Changed bool `json:"changed"`
	// Detail says what was found or done, or what failed and what to do.
	Detail string `json:"detail,omitempty"`
	// DurationMS is how long it took, in milliseconds.
	DurationMS int64 `json:"durationMs"`
}

// ServerReport is all that was done on one server.
type ServerReport struct {
	Host  string       `json:"host"`
	Role  Role         `json:"role"`
	Steps []StepReport `json:"steps"`
}

// Role is what a server is in its farm.
type Role string

// What a server may be.
const (
	OfficeRole     Role = "office"
	SharePointRole Role = "sharepoint"
)

// Report is what a rotation did and found.
type Report struct {
	Farm    string  `json:"farm"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Intent  Intent  `json:"intent,omitempty"`
	// Target and Previous are thumbprints; Previous is empty at first set-up.
	Target       Thumbprint     `json:"target"`
	FriendlyName string         `json:"friendlyName,omitempty"`
	NotAfter     time.Time      `json:"notAfter,omitzero"`
	Previous     Thumbprint     `json:"previous,omitempty"`
	StartedAt    time.Time      `json:"startedAt"`
	DurationMS   int64          `json:"durationMs"`
	Servers      []ServerReport `json:"servers"`
	// Statement claims only what was observed.
	Statement   string             `json:"statement"`
	Differences []Difference       `json:"differences,omitempty"`
	Decisions   []RecordedDecision `json:"decisions,omitempty"`
	Findings    []Finding          `json:"findings,omitempty"`
}

// Reached reports whether a step has begun on some server.
func (r Report) Reached(step Step) bool {
	return slices.ContainsFunc(r.Servers, func(s ServerReport) bool {
		return slices.ContainsFunc(s.Steps, func(row StepReport) bool { return row.Step == step })
	})
}
