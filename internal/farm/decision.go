package farm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Choice is what a person decides about a rotation. The zero Choice decides
// nothing.
type Choice string

// The choices.
const (
	// Approve lets the switch begin, for the digest that was shown.
	Approve Choice = "approve"
	// Retry tries what is parked again, on one server or all.
	Retry Choice = "retry"
	// Skip leaves an office server out of the rotation.
	Skip Choice = "skip"
	// RollBack puts everything back.
	RollBack Choice = "rollback"
	// Abort stops and leaves everything as it is.
	Abort Choice = "abort"
)

// Choices lists all choices.
func Choices() []Choice { return []Choice{Approve, Retry, Skip, RollBack, Abort} }

// Decision is a person's decision.
type Decision struct {
	Choice Choice `json:"choice"`
	// Server is the server it is about; empty means all that are parked.
	Server string `json:"server,omitempty"`
	// Digest is what is approved; see [Digest].
	Digest string `json:"digest,omitempty"`
	// Force skips a server although it still serves users.
	Force bool `json:"force,omitempty"`
	// By is who claims to have made it, and Reason why. Temporal does not
	// prove the name.
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Validate says what is missing of a decision, whenever it is made.
func (d Decision) Validate() error {
	switch {
	case !slices.Contains(Choices(), d.Choice):
		return fmt.Errorf("%q is none of the choices %v", d.Choice, Choices())
	case d.By == "":
		return fmt.Errorf("%s: say who decides", d.Choice)
	case d.Reason == "":
		return fmt.Errorf("%s: say why, for those who read the report", d.Choice)
	case d.Choice == Approve && d.Digest == "":
		return fmt.Errorf("approve: give the digest that you approve")
	case d.Choice == Skip && d.Server == "":
		return fmt.Errorf("skip: name the server")
	}
	return nil
}

// RecordedDecision is a decision that was taken.
type RecordedDecision struct {
	Decision
	At time.Time `json:"at"`
}

// Blocked is a step that failed and waits for a person.
type Blocked struct {
	Server string `json:"server"`
	Step   Step   `json:"step"`
	// Text says what happened and what to do.
	Text string `json:"text"`
	// Until is when it waits no longer, zero if for ever, and Then what
	// follows.
	Until time.Time `json:"until,omitzero"`
	Then  string    `json:"then"`
}

// Digest names a target and the differences to be switched. Whoever approves
// approves exactly these: it changes when they do.
func Digest(target Thumbprint, differences []Difference) string {
	lines := []string{string(target)}
	for _, d := range CutoverDifferences(differences) {
		lines = append(lines, fmt.Sprintf("%q %q %q %q %q", d.Step, d.Server, d.Subject, d.Have, d.Want))
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:6])
}

// CutoverDifferences are those differences that users can notice being removed, without
// the restarts that follow from them.
func CutoverDifferences(differences []Difference) []Difference {
	return pendingSteps(differences, StepS2SName, StepReplication, StepHTTPSettings, StepIssuer)
}

// Drift says what changed between the differences that were planned and those
// found just before the switch, apart from what staging removed.
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
	for _, d := range pendingSteps(found, StepImport, StepGrant, StepRootAuthority) {
		out = append(out, fmt.Sprintf("%s: %s is %s again", d.Server, d.Subject, d.Have))
	}
	return out
}
