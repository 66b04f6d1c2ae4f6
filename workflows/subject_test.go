package workflows_test

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// subjectReadings are the two ways to read the published case: two certificates
// of one subject stop Office Online Server, or they do not.
var subjectReadings = map[string]model.Policy{
	"the subject matters":         {SameSubjectStopsService: true},
	"the subject does not matter": {},
}

// TestRotate_SameSubject is about a renewal, which keeps its subject.
func TestRotate_SameSubject(t *testing.T) {
	for name, policy := range subjectReadings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{OfficeServers: 3, Trusting: true, Policy: policy})
			before := f.sim.Trust()
			rotated := f.requireRotated(t)
			f.rotate(t).requireOutcome(farm.NoChange)
			f.newRun(t).rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
}
