package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	temporal "go.temporal.io/sdk/client"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// startRecorder records the state that a controller would be started with, and
// starts none.
type startRecorder struct {
	temporal.Client

	initial controller.State
}

var errNotStarted = errors.New("not started")

func (r *startRecorder) NewWithStartWorkflowOperation(_ temporal.StartWorkflowOptions, _ any, args ...any) temporal.WithStartWorkflowOperation {
	r.initial, _ = args[0].(controller.State)
	return nil
}

func (r *startRecorder) UpdateWithStartWorkflow(context.Context, temporal.UpdateWithStartWorkflowOptions) (temporal.WorkflowUpdateHandle, error) {
	return nil, errNotStarted
}

func TestRequest_StartsTheControllerUnderThePolicyThatIsKnown(t *testing.T) {
	const hour = time.Hour
	configured := farm.RotationPolicy{InspectionInterval: 2 * hour, KeepOldFor: 30 * 24 * hour}
	for name, c := range map[string]struct {
		farm func(client.Client) client.Farm
		want controller.Policy
	}{
		"the farm's": {
			func(c client.Client) client.Farm { return c.Farm("contoso").Under(configured) },
			controller.Policy{InspectionInterval: 2 * hour, KeepOldFor: 30 * 24 * hour},
		},
		"none": {
			func(c client.Client) client.Farm { return c.Farm("contoso") },
			controller.Policy{InspectionInterval: 6 * hour, KeepOldFor: 14 * 24 * hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r startRecorder
			_, err := c.farm(client.New(&r)).Rotate(t.Context(), client.Author{By: "ada", Reason: "change 4711"})
			if !errors.Is(err, errNotStarted) {
				t.Errorf("got %v, want the cause", err)
			}
			if diff := cmp.Diff(controller.State{Farm: "contoso", Policy: c.want}, r.initial); diff != "" {
				t.Errorf("initial state (-want +got):\n%s", diff)
			}
		})
	}
}
