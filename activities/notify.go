package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/farmtrust/farmtrust/internal/controller"
)

// Notifier tells operators something without being asked. It is safe to repeat: the
// receiver knows a notice that it has already by its ID.
type Notifier interface {
	// Notify returns an [Undelivered] error where the receiver does not take it.
	Notify(ctx context.Context, farmName string, n controller.Notice) error
}

// Undelivered is what an error of a [Notifier] says of the next attempt.
type Undelivered interface {
	error
	// Final reports whether no attempt can succeed.
	Final() bool
	// After is when the receiver wants the next attempt; zero where it does not say.
	After() time.Duration
}

// NotifyInput is a notice, and the farm that it is about.
type NotifyInput struct {
	Farm   string            `json:"farm"`
	Notice controller.Notice `json:"notice"`
}

// NotDelivered is the type of the error where the receiver of notices does not take one.
const NotDelivered = "NotDelivered"

// Notify tells operators something about a farm of this worker's configuration, which also
// has whom to tell. It does nothing where that names nobody.
func (a *Activities) Notify(ctx context.Context, in NotifyInput) error {
	if _, err := a.LoadFarm(ctx, in.Farm); err != nil || a.Notices == nil {
		return err
	}
	err := a.Notices.Notify(ctx, in.Farm, in.Notice)
	var undelivered Undelivered
	if err == nil || !errors.As(err, &undelivered) {
		return err
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), NotDelivered, temporal.ApplicationErrorOptions{
		NonRetryable: undelivered.Final(), NextRetryDelay: undelivered.After(),
	})
}
