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
	// Changes are the values that the step changed.
	Changes []Change `json:"changes,omitempty"`
	// StartedAt is when the step first began; zero in reports of earlier versions.
	StartedAt time.Time `json:"startedAt,omitzero"`
	// DurationMS is how long the step took, in milliseconds, without what it waited
	// for an operator.
	DurationMS int64 `json:"durationMs"`
	// Attempts counts the attempts of a step that failed at least once; zero where none
	// did. LastError is the error of the last attempt that failed, also where a later
	// one succeeded; empty where it was lost with the worker that made it.
	Attempts  int    `json:"attempts,omitempty"`
	LastError string `json:"lastError,omitempty"`
}

// Change is a value that a step changed, as operators read it.
type Change struct {
	// Name is what was changed, such as a setting.
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
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

// CertificateInUse is the certificate that a farm uses, as it was last observed.
type CertificateInUse struct {
	// Thumbprint is empty while the farm has none.
	Thumbprint   Thumbprint `json:"thumbprint,omitempty"`
	FriendlyName string     `json:"friendlyName,omitempty"`
	NotBefore    time.Time  `json:"notBefore,omitzero"`
	NotAfter     time.Time  `json:"notAfter,omitzero"`
	// At is when the farm was observed.
	At time.Time `json:"at"`
}

// UseOf returns a certificate as the one that a farm was seen to use at a moment.
func UseOf(c StoreCertificate, at time.Time) *CertificateInUse {
	return &CertificateInUse{Thumbprint: c.Thumbprint, FriendlyName: c.FriendlyName, NotBefore: c.NotBefore, NotAfter: c.NotAfter, At: at}
}

// WaitReport is what a run has waited for.
type WaitReport struct {
	// For is what it waited for, in words, such as "an approval".
	For  string    `json:"for"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// By is what ended the wait: who decided what, a window that opened, or a deadline.
	By string `json:"by,omitempty"`
}

// Report is what a rotation did and found.
type Report struct {
	Farm string `json:"farm"`
	// WorkflowID and RunID name the run in Temporal, and Version the builds of the
	// workers that carried it out; all are empty in reports of earlier versions.
	WorkflowID string `json:"workflowId,omitempty"`
	RunID      string `json:"runId,omitempty"`
	Version    string `json:"version,omitempty"`
	// Outcome is empty while the rotation runs.
	Outcome Outcome `json:"outcome"`
	// InUse is the certificate that the farm uses, as the run observed it last; nil
	// where it did not.
	InUse *CertificateInUse `json:"inUse,omitempty"`
	// Reason is why the rotation was started.
	Reason string `json:"reason,omitempty"`
	Intent Intent `json:"intent,omitempty"`
	// Target is the certificate that the rotation works towards, under
	// FriendlyName; it expires at NotAfter.
	Target       Thumbprint `json:"target"`
	FriendlyName string     `json:"friendlyName,omitempty"`
	NotAfter     time.Time  `json:"notAfter,omitzero"`
	// Previous is the certificate in use before, empty at first set-up, under
	// PreviousName; it expires at PreviousNotAfter.
	Previous         Thumbprint `json:"previous,omitempty"`
	PreviousName     string     `json:"previousName,omitempty"`
	PreviousNotAfter time.Time  `json:"previousNotAfter,omitzero"`
	StartedAt        time.Time  `json:"startedAt"`
	// EndedAt is zero while the run goes on, and in reports of earlier versions: see
	// [Report.End].
	EndedAt time.Time `json:"endedAt,omitzero"`
	// DurationMS is how long the rotation took, in milliseconds, and Waits what of that
	// it waited.
	DurationMS int64          `json:"durationMs"`
	Waits      []WaitReport   `json:"waits,omitempty"`
	Servers    []ServerReport `json:"servers"`
	// Statement claims only what was observed.
	Statement string `json:"statement"`
	// Proofs say what was verified and how, and what was not.
	Proofs []string `json:"proofs,omitempty"`
	// Differences are those that were left when the farm was compared at ComparedAt,
	// without those that the run has removed since. Unseen says why the farm, or a
	// part of it, could not be compared at the end; empty when it was.
	Differences []Difference       `json:"differences,omitempty"`
	ComparedAt  time.Time          `json:"comparedAt,omitzero"`
	Unseen      string             `json:"unseen,omitempty"`
	Decisions   []RecordedDecision `json:"decisions,omitempty"`
	Findings    []Finding          `json:"findings,omitempty"`
	// Done says what was done where Servers is left out.
	Done []string `json:"done,omitempty"`
	// Shortened says what of the report is left out where it is kept for long; empty
	// where it is whole.
	Shortened string `json:"shortened,omitempty"`
}

// End is when the run ended.
func (r Report) End() time.Time {
	if !r.EndedAt.IsZero() {
		return r.EndedAt
	}
	return r.StartedAt.Add(time.Duration(r.DurationMS) * time.Millisecond)
}

// ChangeMade is a change, and the servers on which it was made.
type ChangeMade struct {
	Change

	Hosts []string
}

// ChangesMade lists what was changed, in the order of the steps: what is the same on
// several servers once.
func (r Report) ChangesMade() []ChangeMade {
	var all []ChangeMade
	at := map[Change]int{}
	for _, step := range AllSteps() {
		for _, s := range r.Servers {
			row := r.Row(s.Host, step)
			if row == nil {
				continue
			}
			for _, c := range row.Changes {
				if _, ok := at[c]; !ok {
					at[c] = len(all)
					all = append(all, ChangeMade{Change: c})
				}
				all[at[c]].Hosts = append(all[at[c]].Hosts, s.Host)
			}
		}
	}
	return all
}

// Row returns a step on a server; nil where the run has not begun it there.
func (r Report) Row(host string, step Step) *StepReport {
	for i := range r.Servers {
		if r.Servers[i].Host != host {
			continue
		}
		for j := range r.Servers[i].Steps {
			if row := &r.Servers[i].Steps[j]; row.Step == step {
				return row
			}
		}
	}
	return nil
}

// Reached reports whether a step has begun on any server.
func (r Report) Reached(step Step) bool {
	return slices.ContainsFunc(r.Servers, func(s ServerReport) bool {
		return slices.ContainsFunc(s.Steps, func(row StepReport) bool { return row.Step == step })
	})
}
