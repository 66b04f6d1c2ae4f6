package workflows

import (
	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// RotateInput asks for a rotation. It names the farm and nothing about where
// its servers are: that is the worker's own configuration.
type RotateInput struct {
	Farm string `json:"farm"`
	// Reason is shown to operators: the event, or who asked.
	Reason string `json:"reason"`
	// Intent is what to do; the zero value rotates. RotateTrust detects an
	// expired certificate itself.
	Intent farm.Intent `json:"intent,omitempty"`
	// Accepted is what operators accepted of what would stop the rotation.
	Accepted []farm.Acceptance `json:"accepted,omitempty"`
	// LeftOut are the decisions to leave office servers out from the start: nothing is read
	// there and nothing is changed.
	LeftOut []farm.Decision `json:"leftOut,omitempty"`
	// Snapshot is that of an earlier rotation that was not finished: a rotation towards
	// the same target carries it on, a rollback restores it. An undo restores that of a
	// renewal that was verified.
	Snapshot *farm.Snapshot `json:"snapshot,omitempty"`
	// Inspection is what caused the rotation, which begins from it; without
	// one the rotation observes the farm first.
	Inspection *farm.Inspection `json:"inspection,omitempty"`
	// Now has an undo not wait for the maintenance window.
	Now bool `json:"now,omitempty"`
	// Asked is what a worker found about who asked for the run; nil where the controller
	// has started it by itself.
	Asked *farm.Authorization `json:"asked,omitempty"`
	// Configured reports whether a worker is known to have had the farm in its
	// configuration. The rotation then waits minutes for one that has it, and
	// otherwise seconds: an operator may have mistyped the name.
	Configured bool `json:"configured,omitempty"`
}

// RetireInput asks for the retirement of an old certificate.
type RetireInput struct {
	Farm   string                `json:"farm"`
	Reason string                `json:"reason"`
	Old    farm.StoreCertificate `json:"old"`
	// InUse is the certificate that the farm was last seen to use, for the report; nil
	// where that is not known.
	InUse *farm.CertificateInUse `json:"inUse,omitempty"`
}

// InspectInput asks for an inspection of a farm, or for a look at what something other
// than a rotation would do there. Nothing is changed by what it asks for.
type InspectInput struct {
	Farm string `json:"farm"`
	// WayBack asks what going back to a snapshot would do, and Retire what the retirement
	// of a certificate would; nil where that is not asked.
	WayBack *activities.PreviewWayBackInput    `json:"wayBack,omitempty"`
	Retire  *activities.PreviewRetirementInput `json:"retire,omitempty"`
	// RetryLogon asks that a password which servers have refused is sent to them once more.
	RetryLogon bool `json:"retryLogon,omitempty"`
}

// StartedRun is what a controller started for a request; zero where nothing
// needed to be started.
type StartedRun struct {
	WorkflowID string `json:"workflowId,omitempty"`
	RunID      string `json:"runId,omitempty"`
}
