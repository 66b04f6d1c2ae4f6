package rotation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/rotation"
)

// starts takes down what a keeper is started with, and starts none.
type starts struct {
	client.Client

	with controller.State
}

var errNone = errors.New("none is started")

func (s *starts) NewWithStartWorkflowOperation(_ client.StartWorkflowOptions, _ any, args ...any) client.WithStartWorkflowOperation {
	s.with, _ = args[0].(controller.State)
	return nil
}

func (s *starts) UpdateWithStartWorkflow(context.Context, client.UpdateWithStartWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	return nil, errNone
}

func TestAWishStartsAKeeperUnderThePolicyThatIsKnown(t *testing.T) {
	const hour = time.Hour
	policy := farm.RotationPolicy{InspectionInterval: 2 * hour, KeepOldFor: 30 * 24 * hour}
	for name, c := range map[string]struct {
		keeper func(client.Client) rotation.Keeper
		want   controller.State
	}{
		"the farm's": {
			func(c client.Client) rotation.Keeper { return rotation.KeeperOf(c, "contoso").Under(policy) },
			controller.State{Farm: "contoso", InspectionInterval: 2 * hour, KeepOldFor: 30 * 24 * hour},
		},
		"none": {
			func(c client.Client) rotation.Keeper { return rotation.KeeperOf(c, "contoso") },
			controller.State{Farm: "contoso", InspectionInterval: 6 * hour, KeepOldFor: 14 * 24 * hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s starts
			_, err := c.keeper(&s).Wish(t.Context(), controller.Request{Kind: controller.RequestRotate, By: "ada", Reason: "change 4711"})
			if !errors.Is(err, errNone) || s.with.Farm != c.want.Farm || s.with.InspectionInterval != c.want.InspectionInterval || s.with.KeepOldFor != c.want.KeepOldFor {
				t.Errorf("started with %+v, %v; want %+v", s.with, err, c.want)
			}
		})
	}
}
