package farm

import (
	"fmt"
	"slices"
	"time"
)

// Choice is what an operator decides about a run. The zero Choice decides
// nothing.
type Choice string

const (
	// Approve lets the cutover begin if the plan still has the digest that the
	// operator was shown.
	Approve Choice = "approve"
	// Retry tries the blocked step again, on one server or on all.
	Retry Choice = "retry"
	// Skip leaves an office server out of the rotation.
	Skip Choice = "skip"
	// RollBack restores everything that the rotation changed.
	RollBack Choice = "rollback"
	// Forward ends a way back and carries the rotation out after all.
	Forward Choice = "forward"
	// Abort stops and leaves everything as it is.
	Abort Choice = "abort"
	// Postpone has a cutover wait until a time: what was approved until then does not
	// count any more.
	Postpone Choice = "postpone"
	// Cancel stops a run that is at work or waits, and puts back what it has changed.
	Cancel Choice = "cancel"
)

// Choices lists every choice.
func Choices() []Choice {
	return []Choice{Approve, Retry, Skip, RollBack, Forward, Abort, Postpone, Cancel}
}

// Decision is an operator's decision.
type Decision struct {
	Choice Choice `json:"choice"`
	// Server is the server that the choice is for; empty means all that are
	// blocked.
	Server string `json:"server,omitempty"`
	// Digest identifies what is approved; see [Approval.Digest].
	Digest string `json:"digest,omitempty"`
	// Until is when a postponement ends.
	Until time.Time `json:"until,omitzero"`
	// Accept names findings that a retry accepts, in the form of [Finding.Ref].
	Accept []string `json:"accept,omitempty"`
	// Force skips a server although it still serves users.
	Force bool `json:"force,omitempty"`
	// By names the operator. Temporal does not verify the name: Proof does, where approvers
	// are configured.
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Proof proves who has decided; nil where nobody has to.
	Proof *Proof `json:"proof,omitempty"`
}

// Bounds of a decision, in bytes: one who may decide must not fill the history of a
// run, and what shows it.
const (
	maxDecisionName   = 300
	maxDecisionReason = 1000
	maxDecisionAccept = 100
)

// Validate returns an error for the first field that is missing, invalid or too long.
// It does not look at the run: whether the run takes the decision now is for the
// workflow to say.
func (d Decision) Validate() error {
	switch {
	case !slices.Contains(Choices(), d.Choice):
		return fmt.Errorf("%.20q is not one of the choices %v", d.Choice, Choices())
	case d.By == "":
		return fmt.Errorf("%s: say who decides", d.Choice)
	case d.Reason == "":
		return fmt.Errorf("%s: give a reason, which the report shows", d.Choice)
	case d.Choice == Approve && d.Digest == "":
		return fmt.Errorf("approve: give the digest that you approve")
	case d.Choice == Skip && d.Server == "":
		return fmt.Errorf("skip: name the server")
	case (d.Choice == Postpone) == d.Until.IsZero():
		return fmt.Errorf("%s: a time to wait until belongs to a postponement, and to nothing else", d.Choice)
	case d.Choice != Retry && len(d.Accept) > 0:
		return fmt.Errorf("%s: only a retry accepts findings", d.Choice)
	}
	if err := d.checkLengths(); err != nil {
		return err
	}
	return CheckAcceptances(d.Accept)
}

func (d Decision) checkLengths() error {
	switch isLong := func(text string) bool { return len(text) > maxDecisionName }; {
	case isLong(d.By) || isLong(d.Server) || isLong(d.Digest):
		return fmt.Errorf("%s: a name may have %d bytes", d.Choice, maxDecisionName)
	case len(d.Reason) > maxDecisionReason:
		return fmt.Errorf("%s: the reason may have %d bytes", d.Choice, maxDecisionReason)
	case len(d.Accept) > maxDecisionAccept || slices.ContainsFunc(d.Accept, isLong):
		return fmt.Errorf("%s: at most %d findings are accepted at once, with %d bytes each", d.Choice, maxDecisionAccept, maxDecisionName)
	}
	return nil
}

// RecordedDecision is a decision that a run accepted, and when.
type RecordedDecision struct {
	Decision
	At time.Time `json:"at"`
	// Verified says what proved who decided; empty where nothing did.
	Verified string `json:"verified,omitempty"`
}

// Option is one thing that an operator can decide now, and what follows from it.
type Option struct {
	Choice Choice `json:"choice"`
	// Server is the server that the choice is for; empty where it is for all.
	Server string `json:"server,omitempty"`
	// Accept names the findings that a retry accepts; Force is set where a skip must be
	// forced. See [Decision].
	Accept []string `json:"accept,omitempty"`
	Force  bool     `json:"force,omitempty"`
	// Effect says in one line what follows, as in "restarts 7 servers".
	Effect string `json:"effect"`
}

// Blocked is a step that failed and waits for an operator.
type Blocked struct {
	Server string `json:"server"`
	Step   Step   `json:"step"`
	// Text says what happened and what to do.
	Text string `json:"text"`
	// Until is when the wait times out, and Then what happens after that.
	Until time.Time `json:"until"`
	Then  string    `json:"then"`
	// Skippable reports whether the run can go on without the server, Serving
	// whether the server still belongs to the farm, so that skipping it must be
	// forced.
	Skippable bool `json:"skippable,omitempty"`
	Serving   bool `json:"serving,omitempty"`
	// Accept names the findings that a retry can accept; see [Decision].
	Accept []string `json:"accept,omitempty"`
}
