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
	// ConfiguredSignal carries a [Configured], from a worker that starts.
	ConfiguredSignal = "configured"
	// FinishedSignal carries a [Finished], from the keeper's child.
	FinishedSignal = "finished"
	// WishUpdate carries a person's [Wish] and answers with the ID of the
	// workflow that fulfils it, or is refused with the reason.
	WishUpdate = "wish"
	// KeepingQuery answers with the keeper's [Keeping].
	KeepingQuery = "keeping"
)

// KeepID is the workflow ID of a farm's keeper.
func KeepID(farmName string) string { return "farm/" + farmName }

// LookID is the workflow ID of a keeper's look at its farm.
func LookID(farmName string) string { return "inspect/" + farmName + "/keeper" }

// RetireID is the workflow ID of the retirement of a farm's old certificate.
func RetireID(farmName string) string { return "retire/" + farmName }

const abandon = enumspb.PARENT_CLOSE_POLICY_ABANDON

// Keeping is everything that a keeper knows; it survives continuing as new.
type Keeping struct {
	Farm string `json:"farm"`
	// Paused says why the keeper does nothing; empty when it works.
	Paused string `json:"paused,omitempty"`
	// Asked are the events not judged yet, Heard the IDs of recent ones.
	Asked []Event  `json:"asked,omitempty"`
	Heard []string `json:"heard,omitempty"`
	// Wish is what a person asked for and is not begun yet.
	Wish *Wish `json:"wish,omitempty"`
	// Work is what a child does now.
	Work *Work `json:"work,omitempty"`
	// Journal belongs to the last rotation, until its old certificate is
	// retired, which is due at SoakUntil.
	Journal   *farm.Journal `json:"journal,omitempty"`
	SoakUntil time.Time     `json:"soakUntil,omitzero"`
	// Older are certificates whose soak had not ended when the next rotation
	// replaced their successor. They are retired first.
	Older []farm.StoreCertificate `json:"older,omitempty"`
	// Hold says why nothing is done by itself until a person releases it.
	Hold string `json:"hold,omitempty"`
	// Current is the certificate in use at the last look, Next what was
	// decided then.
	Current  farm.StoreCertificate `json:"current,omitzero"`
	Next     farm.Next             `json:"next"`
	LookedAt time.Time             `json:"lookedAt,omitzero"`
	// Unseen says that the last look did not reach every server.
	Unseen bool `json:"unseen,omitempty"`
	// LookEvery and Soak are the farm's policy as of the last look.
	LookEvery time.Duration `json:"lookEvery"`
	Soak      time.Duration `json:"soak"`
	Last      Last          `json:"last,omitzero"`
}

// Event is an expiry event as a keeper hears it: a hint to look.
type Event struct {
	// ID is the same for every delivery of one event.
	ID string `json:"id"`
	// Summary says in words what the event says.
	Summary string `json:"summary"`
}

// Configured tells a keeper whether some worker is configured for its farm;
// Paused says why not, and is empty when one is.
type Configured struct {
	Paused string `json:"paused,omitempty"`
}

// Work is what a keeper's child does.
type Work struct {
	WorkflowID string    `json:"workflowId"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// Last is how the last child ended.
type Last struct {
	At        time.Time    `json:"at"`
	Outcome   farm.Outcome `json:"outcome"`
	Statement string       `json:"statement"`
}

// Finished tells a keeper how its child ended.
type Finished struct {
	WorkflowID string   `json:"workflowId"`
	Rotation   Rotation `json:"rotation"`
	// Problem is set when it ended without a report.
	Problem string `json:"problem,omitempty"`
}

// rotationOf reads a rotation's report and journal from its result or from
// the failure that ended it.
func rotationOf(err error, result Rotation) (Rotation, string) {
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
		return Rotation{}, explain(err)
	}
	var r Rotation
	if details(&r.Report, &r.Journal) != nil {
		return Rotation{}, explain(err)
	}
	return r, ""
}

// WishFor is what a person may ask a keeper for. The zero value asks nothing.
type WishFor string

// The wishes.
const (
	// ToRotate rotates now, whatever the keeper would do.
	ToRotate WishFor = "rotate"
	// ToUndo undoes the last rotation, until its old certificate is retired.
	ToUndo WishFor = "undo"
	// ToRelease ends a hold.
	ToRelease WishFor = "release"
)

// Wish is a person's wish.
type Wish struct {
	For WishFor `json:"for"`
	// Compromised says that the certificate in use must not be trusted any
	// longer: see [farm.ReplaceCompromised].
	Compromised bool `json:"compromised,omitempty"`
	// By is who claims to wish it, and Reason why.
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// mayTake refuses a wish that makes no sense now.
func (k *keeper) mayTake(_ workflow.Context, w Wish) error {
	switch {
	case w.For != ToRotate && w.For != ToUndo && w.For != ToRelease:
		return fmt.Errorf("%q is none of %s, %s and %s", w.For, ToRotate, ToUndo, ToRelease)
	case w.By == "" || w.Reason == "":
		return fmt.Errorf("%s: say who asks, and why", w.For)
	case w.For == ToRelease:
		return k.mayRelease()
	case k.Paused != "":
		return fmt.Errorf("%s: the farm is paused: %s", w.For, k.Paused)
	case k.Work != nil && !k.retiring():
		return fmt.Errorf("%s: %s is at work since %s: %s", w.For, k.Work.WorkflowID, k.Work.Since.UTC().Format(time.RFC3339), k.Work.Reason)
	case k.begins != "":
		return fmt.Errorf("%s: a rotation begins just now: %s", w.For, k.begins)
	case k.Wish != nil:
		return fmt.Errorf("%s: %s asked to %s just now", w.For, k.Wish.By, k.Wish.For)
	case w.For == ToUndo && k.noUndo() != "":
		return fmt.Errorf("undo: %s", k.noUndo())
	}
	return nil
}

func (k *keeper) mayRelease() error {
	if k.Hold == "" {
		return fmt.Errorf("release: %s is not held", k.Farm)
	}
	return nil
}

// noUndo says why there is nothing to undo; empty when there is.
func (k *Keeping) noUndo() string {
	switch {
	case k.Journal == nil:
		return "there is no journal: nothing was rotated since the old certificate was retired"
	case k.Journal.Compromised:
		return fmt.Sprintf("the certificate before, %s, is compromised, and never restored", k.Journal.Previous.Thumbprint.Short())
	case k.Journal.Deleting:
		return fmt.Sprintf("the deletion of the certificate before, %s, has begun", k.Journal.Previous.Thumbprint.Short())
	}
	return ""
}

// take notes a wish and waits until it is begun.
func (k *keeper) take(ctx workflow.Context, w Wish) (string, error) {
	if w.For == ToRelease {
		k.Hold, k.due = "", true
		return "", nil
	}
	k.Wish = &w
	k.waiting++
	defer func() { k.waiting-- }()
	if err := workflow.Await(ctx, func() bool { return k.Wish != &w }); err != nil {
		return "", err
	}
	switch {
	case k.Paused != "":
		return "", temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s: the farm is paused: %s", w.For, k.Paused), RefusedError, nil)
	case k.Work == nil:
		return "", temporal.NewNonRetryableApplicationError(fmt.Sprintf("%s: %s", w.For, k.Next.Why), RefusedError, nil)
	}
	return RotateID(k.Farm), nil
}

// fulfil begins what a person asked for, if that makes sense still when no
// retirement runs any more: one that is called off may have ended first.
func (k *keeper) fulfil(ctx workflow.Context) error {
	w := *k.Wish
	k.Asked = nil // a person's order answers what events asked for
	if err := k.callOffRetirement(ctx); err != nil {
		return err
	}
	switch why := k.noUndo(); {
	case k.Wish == nil && since(ctx, judgesWishLast):
		return nil // the farm was paused meanwhile
	case w.For == ToUndo && why != "" && since(ctx, judgesWishLast):
		k.Next, k.Wish = farm.Next{Why: why}, nil
		return nil
	}
	in := RotateInput{Farm: k.Farm, Reason: w.Reason + " (" + w.By + ")", Journal: k.Journal}
	switch {
	case w.For == ToUndo:
		in.Intent = farm.PutBack
	case w.Compromised:
		in.Intent = farm.ReplaceCompromised
	}
	err := k.start(ctx, in)
	k.Wish = nil
	return err
}
