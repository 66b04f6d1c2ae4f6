package workflows

import (
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/activities"
)

// queue is the task queue of workers without a site, and the prefix of all others.
const queue = "farmtrust"

// TaskQueue is the queue that the workers of a site poll: "farmtrust" without a
// site, "farmtrust/NAME" with one. All that runs for a farm inherits the queue of
// its controller.
func TaskQueue(site string) string {
	if site == "" {
		return queue
	}
	return queue + "/" + site
}

// SiteOf returns the site whose workers poll a task queue: false for a queue that
// is not farmtrust's.
func SiteOf(taskQueue string) (site string, ok bool) {
	if taskQueue == queue {
		return "", true
	}
	site, ok = strings.CutPrefix(taskQueue, queue+"/")
	return site, ok && site != ""
}

// ControllerID is the workflow ID of a farm's controller.
func ControllerID(farmName string) string { return "farm/" + farmName }

// RotateID is the workflow ID of a farm's rotation. A farm has at most one.
func RotateID(farmName string) string { return "rotate/" + farmName }

// RetireID is the workflow ID of the retirement of a farm's old certificate.
func RetireID(farmName string) string { return "retire/" + farmName }

// InspectID is the workflow ID of an inspection that an operator asked for.
func InspectID(farmName string) string { return "inspect/" + farmName }

// PreviewID is the workflow ID of an operator's look at what something other than a
// rotation would do, such as an undo.
func PreviewID(farmName, what string) string { return "inspect/" + farmName + "/" + what }

// InspectionID is the workflow ID of an inspection by a farm's controller.
func InspectionID(farmName string) string { return "inspect/" + farmName + "/controller" }

// How a controller is talked to. Events arrive by Signal-with-Start, so that the
// first one starts the controller.
const (
	// EventSignal carries a [controller.Event].
	EventSignal = "event"
	// RunSignal carries a [controller.RunHint], from a run of the farm.
	RunSignal = "run"
	// WithdrawSignal carries a [controller.Withdrawal], from an operator who has given a
	// request up.
	WithdrawSignal = "withdraw"
	// ConfigurationSignal carries a [controller.Configuration], from a worker
	// that starts. The controller passes it on to what runs, without a content: it is a
	// reason to read the configuration.
	ConfigurationSignal = "configuration"
	// RequestUpdate carries a [controller.Request]. It answers with the
	// [StartedRun] that does what was asked for, or refuses with the reason.
	RequestUpdate = "request"
	// AdmitUpdate carries a [controller.Admission], from a run that is about to change
	// servers, and answers with [controller.Admitted], or refuses with the reason.
	AdmitUpdate = "admit"
	// StateQuery answers with the [controller.State].
	StateQuery = "state"
)

// How a rotation or a retirement is talked to.
const (
	// DecideUpdate carries an operator's [farm.Decision]. It is refused, with
	// the reason, when it comes at the wrong moment; a refused decision leaves
	// nothing behind.
	DecideUpdate = "decide"
	// StatusQuery answers with a [farm.Status].
	StatusQuery = "status"
	// SnapshotQuery answers with the [farm.Snapshot] that the run has taken or was
	// given; null before that, and for a retirement.
	SnapshotQuery = "snapshot"
)

// The search attributes that workflows set. They are never encrypted.
var (
	// FarmAttribute is the farm's name.
	FarmAttribute = temporal.NewSearchAttributeKeyKeyword("Farm")
	// PhaseAttribute is a controller's [controller.Phase] or a run's [farm.Phase].
	PhaseAttribute = temporal.NewSearchAttributeKeyKeyword("Phase")
	// ThumbprintAttribute is of the certificate in use, of the one that a rotation
	// works towards, or of the one that is retired.
	ThumbprintAttribute = temporal.NewSearchAttributeKeyKeyword("Thumbprint")
	// NeedsOperatorAttribute reports whether the controller or the run waits for an
	// operator, or ended so that one has to act.
	NeedsOperatorAttribute = temporal.NewSearchAttributeKeyBool("NeedsOperator")
	// NotAfterAttribute is when the certificate in use ends; a controller sets it.
	NotAfterAttribute = temporal.NewSearchAttributeKeyTime("CertificateNotAfter")
	// InspectedAttribute is when a controller last observed its farm.
	InspectedAttribute = temporal.NewSearchAttributeKeyTime("LastInspection")
)

// The memo of a controller is a [controller.Interest], in two parts. Like what runs are
// given, it is encrypted where payloads are.
const (
	CertificatesMemo = "certificates"
	EventsMemo       = "events"
)

// SearchAttributes lists the search attributes that a namespace must have
// before a worker starts.
func SearchAttributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		FarmAttribute, PhaseAttribute, ThumbprintAttribute, NeedsOperatorAttribute, NotAfterAttribute, InspectedAttribute,
	}
}

// The types of the application errors that end a rotation. Where not said
// otherwise their details hold one [farm.RotationResult].
const (
	// RefusedError: a precondition failed; nothing was changed.
	RefusedError = "Refused"
	// IncompleteError: retries ran out; rotating again continues.
	IncompleteError = "Incomplete"
	// UnknownFarmError: the worker's configuration has no such farm. It has
	// no details.
	UnknownFarmError = activities.UnknownFarm
	// InspectionTimedOutError: an inspection did not end in time. It has no details.
	InspectionTimedOutError = "InspectionTimedOut"
)

// ControllerOptions start the controller of a farm on a task queue, if it does not
// run.
func ControllerOptions(farmName, taskQueue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: ControllerID(farmName), TaskQueue: taskQueue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(FarmAttribute.ValueSet(farmName)),
		StaticSummary:            summarize(fmt.Sprintf("manage the trust of %s", farmName)),
	}
}
