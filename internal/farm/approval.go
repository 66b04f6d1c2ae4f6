package farm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Approval is what an operator is asked to approve: everything that users notice of
// what a run does next, and whom it leaves out. It serves once, for the run that asks:
// an approval of anything else has another [Approval.Digest].
type Approval struct {
	// Run is the run ID of the workflow that asks. A run that Temporal resets has
	// another one, and asks again.
	Run string `json:"run"`
	// Nth counts what the run has asked for, from 1: an approval that is void does not
	// become good again by everything being as it was.
	Nth int `json:"nth"`
	// What names what begins, such as "the cutover".
	What string `json:"what"`
	// Target is the certificate that the run works towards, or deletes. Previous is the
	// one in use before; empty at first set-up and for a deletion.
	Target   Thumbprint `json:"target"`
	Previous Thumbprint `json:"previous,omitempty"`
	// Steps are the changes that users notice, and Restarts what follows from them, in
	// the order in which they are made.
	Steps    []Difference     `json:"steps,omitempty"`
	Restarts []PlannedRestart `json:"restarts,omitempty"`
	// LeftOut are the servers that operators left out of the run.
	LeftOut []string `json:"leftOut,omitempty"`
	// Accepted is what operators accepted of what would stop the run.
	Accepted []Acceptance `json:"accepted,omitempty"`
	// EstimateMS is how long it takes, in milliseconds: a guess on the safe side.
	EstimateMS int64 `json:"estimateMs,omitempty"`
	// NoWayBack says what cannot be restored afterwards; empty when everything can.
	NoWayBack string `json:"noWayBack,omitempty"`
	// Opening is the maintenance window that it is meant for; zero without one.
	Opening Opening `json:"opening,omitzero"`
	// Notes are what an operator should know before deciding.
	Notes []string `json:"notes,omitempty"`
}

// digestSize is the length of a digest in bytes: 128 bits, which nobody can hit upon by
// trying.
const digestSize = 16

// Digest identifies an approval in 32 hexadecimal digits, over everything in it. An
// operator approves by naming the digest, so that the approval covers exactly what was
// shown. Workflows call it: the JSON of a value without maps is always the same.
//
//workflowcheck:ignore
func (a Approval) Digest() string {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // an approval holds nothing that JSON cannot
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:digestSize])
}

// Estimate is how long it takes: a guess on the safe side.
func (a Approval) Estimate() time.Duration { return time.Duration(a.EstimateMS) * time.Millisecond }

// IsNoticed reports whether users notice anything of what is approved.
func (a Approval) IsNoticed() bool { return len(a.Steps)+len(a.Restarts) > 0 }

// NewApproval returns what the operator of a farm is asked to approve before differences
// are removed: those that users notice, with the restarts that they cause. Of servers
// that are left out there is nothing in it. MasterOf names the master of an office farm.
func NewApproval(f Farm, differences []Difference, masterOf func(Office) string, leftOut []string) Approval {
	noticed := Changes(CutoverDifferences(differences))
	a := Approval{
		Steps:    slices.DeleteFunc(noticed, func(d Difference) bool { return slices.Contains(leftOut, d.Server) }),
		Restarts: PlanRestarts(f, differences, masterOf, leftOut),
		LeftOut:  leftOut,
	}
	a.EstimateMS = EstimateRestarts(a.Restarts).Milliseconds()
	if len(a.Steps) > 0 {
		a.EstimateMS += settingsTime.Milliseconds()
	}
	return a
}

// PlannedRestart is the restart of one server, as it is planned.
type PlannedRestart struct {
	Server string `json:"server"`
	// Order is its place among the restarts, from 1. Those with the same place are made
	// at the same time.
	Order int `json:"order"`
	// Services are what is restarted.
	Services string `json:"services"`
	// Why is why it is necessary.
	Why string `json:"why"`
	// Canary reports whether it is the first office server, before which no other is
	// restarted, and Master whether it is the master of its office farm.
	Canary bool `json:"canary,omitempty"`
	Master bool `json:"master,omitempty"`
	// EstimateMS is how long it takes until the server counts as healthy, in
	// milliseconds: a guess on the safe side.
	EstimateMS int64 `json:"estimateMs"`
}

// EstimateRestarts estimates how long planned restarts take, of which those with the
// same place are made at the same time.
func EstimateRestarts(restarts []PlannedRestart) time.Duration {
	var total int64
	last := 0
	for _, r := range restarts {
		if r.Order > last {
			total, last = total+r.EstimateMS, r.Order
		}
	}
	return time.Duration(total) * time.Millisecond
}

// FormatEstimate is about how long something takes, in minutes: an estimate is no more
// exact than that.
func FormatEstimate(d time.Duration) string {
	if n := int(d.Round(time.Minute).Minutes()); n > 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "a minute"
}
