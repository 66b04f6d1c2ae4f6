// Package workflows is the order of the steps, the waits, the decisions and
// the way back of a rotation. It is deterministic: it reads no clock, file,
// environment or map in an order that matters, and touches no server itself.
package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// TaskQueue is the queue that farmtrust's workers poll.
const TaskQueue = "farmtrust"

// StatusQuery asks a rotation for its [Status].
const StatusQuery = "status"

// RotateID is the workflow ID of a farm's rotation. One farm has at most one.
func RotateID(farmName string) string { return "rotate/" + farmName }

// InspectID is the workflow ID of a farm's inspection.
func InspectID(farmName string) string { return "inspect/" + farmName }

// The search attributes that a rotation sets. They are never encrypted.
var (
	FarmAttribute          = temporal.NewSearchAttributeKeyKeyword("Farm")
	PhaseAttribute         = temporal.NewSearchAttributeKeyKeyword("Phase")
	ThumbprintAttribute    = temporal.NewSearchAttributeKeyKeyword("Thumbprint")
	NeedsOperatorAttribute = temporal.NewSearchAttributeKeyBool("NeedsOperator")
)

// RotateInput asks for a rotation. It names the farm and nothing about where
// its servers are: that is the worker's own configuration.
type RotateInput struct {
	Farm string `json:"farm"`
	// Reason is shown to people: the event, or who asked.
	Reason string `json:"reason"`
	// Intent is what to do; the zero value rotates. That it replaces an
	// expired certificate it finds out by itself.
	Intent farm.Intent `json:"intent,omitempty"`
	// Snapshot is that of an earlier rotation that is still held: one towards
	// the same target goes on with it, an undo undoes it.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Keeper is the workflow ID of the keeper to tell the end to; empty when
	// it was started without one.
	Keeper string `json:"keeper,omitempty"`
}

// RotationResult is the result of [RotateTrust]: the report, and the journal for
// whoever may want to undo it. In JSON the report's fields are its own.
type RotationResult struct {
	farm.Report
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
}

// InspectInput asks for a look at a farm.
type InspectInput struct {
	Farm string `json:"farm"`
}

// Inspection is what was found, and what a rotation would do.
type Inspection struct {
	Farm string `json:"farm"`
	// Config is what is configured, without secrets.
	Config farm.Farm `json:"config"`
	// Target is the certificate a rotation would work towards.
	Target farm.Certificate `json:"target"`
	// Current is the S2S certificate that the farm uses now, empty at first set-up.
	Current  farm.StoreCertificate `json:"current"`
	Servers  []InspectedServer     `json:"servers"`
	Plan     []farm.Difference     `json:"plan"`
	Findings []farm.Finding        `json:"findings"`
}

// InspectedServer is how one server answered.
type InspectedServer struct {
	Host    string       `json:"host"`
	Role    farm.Role    `json:"role"`
	Machine farm.Machine `json:"machine"`
	// Detail describes the product on it: version, health.
	Detail string `json:"detail,omitempty"`
	// Problem says what happened and what to do; empty when it was observed.
	Problem string `json:"problem,omitempty"`
}

// Phase is where a rotation is.
type Phase string

// The phases of a rotation.
const (
	Observing  Phase = "observing"
	Staging    Phase = "staging"
	Waiting    Phase = "waiting"
	CuttingOver  Phase = "switching"
	Restarting Phase = "restarting"
	Verifying  Phase = "verifying"
	RollingBack  Phase = "going back"
	Retiring   Phase = "retiring"
	Done       Phase = "done"
)

// Status answers [StatusQuery]: the report so far, and what is waited for.
type Status struct {
	Phase  Phase       `json:"phase"`
	Report farm.Report `json:"report"`
	Wait   *Wait       `json:"wait,omitempty"`
}

// Wait is what a rotation waits for.
type Wait struct {
	For WaitFor `json:"for"`
	// Text says what is waited for and what a person can do.
	Text string `json:"text"`
	// Until is when it ends by itself; zero if it does not.
	Until time.Time `json:"until,omitzero"`
	// Digest is what an approval must name.
	Digest string `json:"digest,omitempty"`
	// Blocked are the steps that wait for a decision.
	Blocked []farm.Blocked `json:"blocked,omitempty"`
}

// WaitFor is the kind of a wait.
type WaitFor string

// The kinds.
const (
	ForApproval WaitFor = "approval"
	ForWindow   WaitFor = "window"
	ForDecision WaitFor = "decision"
)

// The types of the application errors that end a rotation. Where not said
// otherwise their details hold one [farm.Report].
const (
	// RefusedError: a precondition failed; nothing was changed.
	RefusedError = "Refused"
	// IncompleteError: retries ran out; rotating again resumes.
	IncompleteError = "Incomplete"
	// UnknownFarmError: the worker's configuration has no such farm. It has
	// no details.
	UnknownFarmError = activities.UnknownFarm
)
