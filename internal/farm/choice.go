package farm

import (
	"fmt"
	"slices"
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
