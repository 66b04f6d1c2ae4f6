package activities

import (
	"context"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Decide decides what a farm needs next. It runs in an activity for the same
// reason as [Activities.Compare].
func (a *Activities) Decide(_ context.Context, s farm.DecisionInput) (farm.Next, error) {
	return farm.Decide(s), nil
}
