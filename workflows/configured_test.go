package workflows_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// TestRotateTrust_WaitsForAWorkerThatHasTheFarm compares a name that an operator may
// have mistyped with a farm that another worker of the site has.
func TestRotateTrust_WaitsForAWorkerThatHasTheFarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		configured      bool
		atLeast, atMost time.Duration
	}{
		"which no worker is known to have had": {false, 0, 20 * time.Second},
		"which a worker has had":               {true, 9 * time.Minute, 12 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTestFarm(t, farmsim.Options{WithoutWire: true}).newRun(t)
			r.startAs(workflows.RotateID("cotnoso"))
			began := r.env.Now()
			r.env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: "cotnoso", Reason: "a test", Configured: c.configured})
			if err := r.env.GetWorkflowError(); err == nil {
				t.Fatal("the rotation of an unknown farm ends well")
			}
			if took := r.env.Now().Sub(began); took < c.atLeast || took > c.atMost {
				t.Errorf("it ended after %s, want between %s and %s", took, c.atLeast, c.atMost)
			}
		})
	}
}
