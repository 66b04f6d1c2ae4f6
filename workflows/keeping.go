package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// How a keeper is talked to. Events come by Signal-with-Start, so that the
// first one starts the keeper.
const (
	// EventSignal carries an [Event].
	EventSignal = "event"
	// ConfigurationSignal carries a [Configuration], from a worker that starts.
	ConfigurationSignal = "configured"
	// FinishedSignal carries a [Finished], from the keeper's child.
	FinishedSignal = "finished"
	// RequestUpdate carries a person's [Request] and answers with the ID of the
	// workflow that fulfils it, or is refused with the reason.
	RequestUpdate = "wish"
	// StateQuery answers with the keeper's [FarmState].
	StateQuery = "keeping"
)

// ControllerID is the workflow ID of a farm's keeper.
func ControllerID(farmName string) string { return "farm/" + farmName }

// InspectionID is the workflow ID of a keeper's look at its farm.
func InspectionID(farmName string) string { return "inspect/" + farmName + "/keeper" }

// RetireID is the workflow ID of the retirement of a farm's old certificate.
func RetireID(farmName string) string { return "retire/" + farmName }

const abandon = enumspb.PARENT_CLOSE_POLICY_ABANDON

// FarmState is everything that a keeper knows; it survives continuing as new.
type FarmState struct {
	Farm string `json:"farm"`
	// Unmanaged says why the keeper does nothing; empty when it works.
	Unmanaged string `json:"unmanaged,omitempty"`
	// PendingEvents are the events not judged yet, Heard the IDs of recent ones.
	PendingEvents []Event  `json:"pendingEvents,omitempty"`
	SeenEventIDs []string `json:"seenEventIDs,omitempty"`
	// Request is what a person asked for and is not begun yet.
	Request *Request `json:"request,omitempty"`
	// ActiveRun is what a child does now.
	ActiveRun *ActiveRun `json:"activeRun,omitempty"`
	// Snapshot belongs to the last rotation, until its old certificate is
	// retired, which is due at RetainOldUntil.
	Snapshot   *farm.Snapshot `json:"snapshot,omitempty"`
	RetainOldUntil time.Time     `json:"retainOldUntil,omitzero"`
	// Older are certificates whose soak had not ended when the next rotation
	// replaced their successor. They are retired first.
	Older []farm.StoreCertificate `json:"older,omitempty"`
	// Suspended says why nothing is done by itself until a person releases it.
	Suspended string `json:"suspended,omitempty"`
	// Current is the certificate in use at the last look, Next what was
	// decided then.
	Current  farm.StoreCertificate `json:"current,omitzero"`
	Next     farm.Next             `json:"next"`
	InspectedAt time.Time             `json:"inspectedAt,omitzero"`
	// Unreachable says that the last look did not reach every server.
	Unreachable bool `json:"unreachable,omitempty"`
	// InspectionInterval and Soak are the farm's policy as of the last look.
	InspectionInterval time.Duration `json:"inspectionInterval"`
	KeepOldFor      time.Duration `json:"keepOldFor"`
	LastRun      LastRun          `json:"lastRun,omitzero"`
}

// Event is an expiry event as a keeper hears it: a hint to look.
type Event struct {
	// ID is the same for every delivery of one event.
	ID string `json:"id"`
	// Summary says in words what the event says.
	Summary string `json:"summary"`
}

// Configuration tells a keeper whether some worker is configured for its farm;
// Unmanaged says why not, and is empty when one is.
type Configuration struct {
	Unmanaged string `json:"unmanaged,omitempty"`
}

// ActiveRun is what a keeper's child does.
type ActiveRun struct {
	WorkflowID string    `json:"workflowId"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// LastRun is how the last child ended.
type LastRun struct {
	At        time.Time    `json:"at"`
	Outcome   farm.Outcome `json:"outcome"`
	Statement string       `json:"statement"`
}

// Finished tells a keeper how its child ended.
type Finished struct {
	WorkflowID string   `json:"workflowId"`
	Rotation   RotationResult `json:"rotation"`
	// Problem is set when it ended without a report.
	Problem string `json:"problem,omitempty"`
}

// rotationOf reads a rotation's report and journal from its result or from
// the failure that ended it.
func rotationOf(err error, result RotationResult) (RotationResult, string) {
	if err == nil {
		return result, ""
	}
	var application *temporal.ApplicationError
	var canceled *temporal.CanceledError
	var details func(...any) error
	switch {
	case errors.As(err, &application) && application.HasDetails():
		details = application.Details
	case errors.As(err, &canceled) && canceled.HasDetails():
		details = canceled.Details
	default:
		return RotationResult{}, explain(err)
	}
	var r RotationResult
	if details(&r.Report, &r.Snapshot) != nil {
		return RotationResult{}, explain(err)
	}
	return r, ""
}

// RequestKind is what a person may ask a keeper for. The zero value asks nothing.
type RequestKind string

// The wishes.
const (
	// RequestRotate rotates now, whatever the keeper would do.
	RequestRotate RequestKind = "rotate"
	// RequestRollback undoes the last rotation, until its old certificate is retired.
	RequestRollback RequestKind = "undo"
	// RequestResume ends a hold.
	RequestResume RequestKind = "release"
)

// Request is a person's wish.
type Request struct {
	Kind RequestKind `json:"kind"`
	// Compromised says that the certificate in use must not be trusted any
	// longer: see [farm.ReplaceCompromised].
	Compromised bool `json:"compromised,omitempty"`
	// By is who claims to wish it, and Reason why.
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// mayTake refuses a wish that makes no sense now.
func (k *controller) mayTake(_ workflow.Context, w Request) error {
	switch {
	case w.Kind != RequestRotate && w.Kind != RequestRollback && w.Kind != RequestResume:
		return fmt.Errorf("%q is none of %s, %s and %s", w.Kind, RequestRotate, RequestRollback, RequestResume)
	case w.By == "" || w.Reason == "":
		return fmt.Errorf("%s: say who asks, and why", w.Kind)
	case w.Kind == RequestResume:
		return k.mayRelease()
	case k.Unmanaged != "":
		return fmt.Errorf("%s: the farm is paused: %s", w.Kind, k.Unmanaged)
	case k.ActiveRun != nil && !k.retiring():
		return fmt.Errorf("%s: %s is at work since %s: %s", w.Kind, k.ActiveRun.WorkflowID, k.ActiveRun.Since.UTC().Format(time.RFC3339), k.ActiveRun.Reason)
	case k.begins != "":
		return fmt.Errorf("%s: a rotation begins just now: %s", w.Kind, k.begins)
	case k.Request != nil:
		return fmt.Errorf("%s: %s asked to %s just now", w.Kind, k.Request.By, k.Request.Kind)
	case w.Kind == RequestRollback && k.rollbackBlocked() != "":
		return fmt.Errorf("undo: %s", k.rollbackBlocked())
	}
	return nil
}

func (k *controller) mayRelease() error {
	if k.Suspended == "" {
		return fmt.Errorf("release: %s is not held", k.Farm)
	}
	return nil
}

// rollbackBlocked says why there is nothing to undo; empty when there is.
func (k *FarmState) rollbackBlocked() string {
	switch {
	case k.Snapshot == nil:
		return "there is no journal: nothing was rotated since the old certificate was retired"
	case k.Snapshot.Compromised:
		return fmt.Sprintf("the certificate before, %s, is compromised, and never restored", k.Snapshot.Previous.Thumbprint.Short())
	case k.Snapshot.Deleting:
		return fmt.Sprintf("the deletion of the certificate before, %s, has begun", k.Snapshot.Previous.Thumbprint.Short())
	}
	return ""
}

// take notes a wish and waits until it is begun.
func (k *controller) take(ctx workflow.Context, w Request) (string, error) {
	if w.Kind == RequestResume {
		k.Suspended, k.due = "", true
		return "", nil
	}
	k.Request = &w
	k.waiting++
	defer func() { k.waiting-- }()
	if err := workflow.Await(ctx, func() bool { return k.Request != &w }); err != nil {
		return "", err
	}
	switch {
	case k.Unmanaged != "":
		return "", temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s: the farm is paused: %s", w.Kind, k.Unmanaged), RefusedError, nil)
	case k.ActiveRun == nil:
		return "", temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s: %s", w.Kind, k.Next.Reason), RefusedError, nil)
	}
	return RotateID(k.Farm), nil
}

// fulfil begins what a person asked for, if that makes sense still when no
// retirement runs any more: one that is called off may have ended first.
func (k *controller) fulfil(ctx workflow.Context) error {
	w := *k.Request
	k.PendingEvents = nil // a person's order answers what events asked for
	if err := k.callOffRetirement(ctx); err != nil {
		return err
	}
	switch why := k.rollbackBlocked(); {
	case k.Request == nil && since(ctx, judgesWishLast):
		return nil // the farm was paused meanwhile
	case w.Kind == RequestRollback && why != "" && since(ctx, judgesWishLast):
		k.Next, k.Request = farm.Next{Reason: why}, nil
		return nil
	}
	in := RotateInput{Farm: k.Farm, Reason: w.Reason + " (" + w.By + ")", Snapshot: k.Snapshot}
	switch {
	case w.Kind == RequestRollback:
		in.Intent = farm.Rollback
	case w.Compromised:
		in.Intent = farm.ReplaceCompromised
	}
	err := k.start(ctx, in)
	k.Request = nil
	return err
}
