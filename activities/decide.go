package activities

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Decide decides what a farm needs next. It is an activity for the same reason as
// [Activities.Compare].
func (a *Activities) Decide(_ context.Context, in farm.DecisionInput) (farm.Next, error) {
	return farm.Decide(in), nil
}
