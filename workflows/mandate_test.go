package workflows_test

import (
	"context"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// attackers is the public part of a certificate that the farm's source does not have.
var attackers = []byte("attacker's certificate")

// TestRollback_Forged starts ways back with snapshots that no worker took so, which the
// farm's controller even names. Each is refused before anything is changed.
func TestRollback_Forged(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	taken := *f.requireRotated(t).Snapshot
	for name, c := range map[string]struct {
		forge func() farm.Snapshot
		says  string
	}{
		"clear": {func() farm.Snapshot {
			return farm.Snapshot{TakenAt: taken.TakenAt, Target: taken.Target, Previous: taken.Previous, Before: taken.Before}
		}, "a version that sealed nothing"},
		"another certificate for an issuer": {func() farm.Snapshot {
			s := taken
			s.SharePoint = append([]farm.SharePointBefore(nil), s.SharePoint...)
			issuers := append([]farm.TokenIssuer(nil), s.SharePoint[0].Issuers...)
			issuers[0].Certificate = attackers
			s.SharePoint[0].Issuers = issuers
			return s
		}, "not what a worker sealed"},
		"another certificate before": {func() farm.Snapshot {
			s := taken
			s.Previous.Thumbprint = farm.ThumbprintOf(attackers)
			return s
		}, "not what a worker sealed"},
		"another farm's": {func() farm.Snapshot {
			s := taken
			s.Farm = "fabrikam"
			return s
		}, "not what a worker sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			before := f.sim.Trust()
			forged := c.forge()
			f.newRun(t).rollBack(&forged).requireOutcome(farm.Refused).assertStatement("nothing was changed", c.says)
			f.assertTrustUnchanged(t, before)
		})
	}
	t.Run("an older one, which the controller does not name", func(t *testing.T) {
		before := f.sim.Trust()
		later := *f // with a worker that has not met the run of before
		later.runs = &testRuns{given: &farm.Snapshot{ID: "the controller's"}, original: "a later run"}
		later.activities = &activities.Activities{
			Farms: f, Certificates: f, Runs: later.runs, Seals: f.activities.Seals, Remote: f.sim.Runner(), Now: time.Now, Poll: time.Millisecond,
		}
		r := later.newRun(t)
		older := taken
		in := workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test", Intent: farm.Rollback, Snapshot: &older}
		r.execute(workflows.RotateID(farmsim.FarmName), workflows.RotateTrust, in).requireOutcome(farm.Refused).
			assertStatement("nothing was changed", "does not name the snapshot")
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that is compromised", func(t *testing.T) {
		f.issueCertificate(t)
		r := f.newRun(t)
		replaced := r.rotateWith(workflows.RotateInput{Intent: farm.ReplaceCompromised}).requireOutcome(farm.Verified)
		before := f.sim.Trust()
		stripped := *replaced.Snapshot
		stripped.Compromised = false
		f.newRun(t).rollBack(&stripped).requireOutcome(farm.Refused).assertStatement("not what a worker sealed")
		f.newRun(t).rollBack(replaced.Snapshot).requireOutcome(farm.Refused).assertStatement("compromised")
		f.assertTrustUnchanged(t, before)
	})
}

// TestRotate_WorkerHasItsOwnWindow has a rotation wait for a window by Temporal's clock,
// while by the worker's it is not open.
func TestRotate_WorkerHasItsOwnWindow(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setWindow(t)
	before := f.sim.Trust()
	r := f.newRun(t)
	worker := &activities.Activities{
		Farms: f, Certificates: f, Runs: f.runs, Seals: f.activities.Seals, Remote: f.sim.Runner(), Worker: "worker-1", Poll: time.Millisecond,
		Now: func() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) },
	}
	r.env.RegisterActivityWithOptions(func(ctx context.Context, in activities.PermitCutoverInput) (activities.Permitted, error) {
		return worker.PermitCutover(ctx, in)
	}, activity.RegisterOptions{Name: "PermitCutover", DisableAlreadyRegisteredCheck: true})
	r.after(30*time.Hour, func() {
		r.requireBlocked(office1, "is not open, by the clock of worker worker-1")
		r.decide(farm.Decision{Choice: farm.RollBack})
	})
	r.rotate().requireOutcome(farm.RolledBack)
	f.assertTrustUnchanged(t, before)
}

// TestRetire_NotReplaced asks for the deletion of a certificate that no rotation has
// replaced.
func TestRetire_NotReplaced(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	old := f.inspect(t).Current
	f.requireRotated(t)
	before := f.sim.Trust()
	for name, c := range map[string]struct{ seal, says string }{
		"clear":   {"", "nothing proves that a worker has recorded"},
		"made up": {"k:AAAA", "no worker has recorded"},
	} {
		t.Run(name, func(t *testing.T) {
			f.replaced[old.Thumbprint] = c.seal
			f.newRun(t).retire(old).requireOutcome(farm.Refused).assertStatement("nothing was changed", c.says)
			f.assertTrustUnchanged(t, before)
		})
	}
}
