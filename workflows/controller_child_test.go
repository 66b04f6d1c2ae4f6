package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestManageFarm_Rollback(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	before := f.sim.Trust()
	c := f.newController(t)
	c.after(time.Hour, func() { c.request(controller.RequestUndo) })
	state := c.runUntil(20 * time.Hour)
	requireRun(t, state, run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)

	c = f.newController(t)
	c.after(time.Hour, func() { c.request(controller.RequestResume) })
	c.after(10*time.Hour, c.stop)
	state, _ = c.runFrom(state)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
}

func TestManageFarm_Compromised(t *testing.T) {
	t.Parallel()
	c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
	c.onActivity("Decide", func() {
		c.sendUpdate(workflows.RequestUpdate, controller.Request{Kind: controller.RequestRotate, Compromised: true, By: "op", Reason: "leaked"}, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	c.after(time.Hour, func() {
		c.assertPhase(controller.Retiring) // there is no retention
		c.assertRequestRefused(undoRequest, "is compromised and is never restored")
	})
	requireRun(t, c.runUntil(2*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true})
}

func TestManageFarm_AcceptedFinding(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.installUpdates(t, office2)
	c := f.newController(t)
	request := controller.Request{Kind: controller.RequestRotate, Accept: []string{"pending-reboot@" + office2}, By: "op", Reason: "patch day"}
	c.after(time.Hour, func() {
		requireRun(t, c.state(), run{NeedsOperator: true})
		c.sendUpdate(workflows.RequestUpdate, request, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	state := c.runUntil(3 * time.Hour)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, NeedsOperator: true})
	var got []string
	for _, accepted := range state.Last.Accepted {
		got = append(got, accepted.Ref()+" by "+accepted.Accepted.By+": "+accepted.Accepted.Reason)
	}
	if diff := cmp.Diff([]string{"pending-reboot@" + office2 + " by op: patch day"}, got); diff != "" {
		t.Errorf("accepted for the last run (-want +got):\n%s", diff)
	}
	if state.Next.Code != farm.CodeStopped {
		t.Errorf("what was accepted once is accepted for what comes next: %+v", state.Next)
	}
}

// TestManageFarm_UnfinishedRotation is about a rotation from B to C during the
// retention of the certificate before B.
func TestManageFarm_UnfinishedRotation(t *testing.T) {
	snapshot := func(from, to farm.Thumbprint) *farm.Snapshot {
		return &farm.Snapshot{Target: farm.Certificate{Thumbprint: to}, Previous: farm.StoreCertificate{Thumbprint: from}}
	}
	until := time.Now().Add(7 * day).UTC().Truncate(time.Second)
	for name, c := range map[string]struct {
		end  func(farm.RotationResult) error
		out  farm.Outcome
		want int
	}{
		"rolled back":         {nil, farm.RolledBack, 0},
		"ended by a decision": {nil, farm.Partial, 1},
		"incomplete": {
			func(r farm.RotationResult) error {
				return temporal.NewNonRetryableApplicationError("x", workflows.IncompleteError, nil, r)
			},
			farm.Incomplete,
			1,
		},
		"cancelled": {
			func(r farm.RotationResult) error { return temporal.NewCanceledError(r) },
			farm.RolledBack,
			0,
		},
		"terminated": {
			func(farm.RotationResult) error { return errors.New("terminated") },
			"",
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc := newTestFarm(t, farmsim.Options{}).newController(t)
			tc.replaceRotation(func(workflow.Context, workflows.RotateInput) (farm.RotationResult, error) {
				r := farm.RotationResult{Report: farm.Report{Outcome: c.out, Statement: "as stated"}, Snapshot: snapshot("B", "C")}
				if c.end != nil {
					return farm.RotationResult{}, c.end(r)
				}
				return r, nil
			})
			tc.after(time.Hour, func() { tc.request(controller.RequestRotate) })
			tc.after(2*time.Hour, tc.stop)
			state, _ := tc.runFrom(controller.State{
				Policy:    controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention},
				Inspected: controller.Inspected{At: time.Now()},
				Retention: controller.Retention{Snapshot: snapshot("A", "B"), Until: until},
			})
			requireRun(t, state, run{Outcome: c.out, Suspended: true, HasSnapshot: true, Unfinished: c.want, NeedsOperator: true})
			if diff := cmp.Diff(controller.Retention{Snapshot: snapshot("A", "B"), Until: until}, state.Retention); diff != "" {
				t.Errorf("what is kept (-want +got):\n%s", diff)
			}
		})
	}
}

// retirement is when the retirement of a farm that is renewed at once runs, and
// no inspection is due.
const retirement = retention + time.Hour

func TestManageFarm_Retires(t *testing.T) {
	t.Run("after the retention, and keeps what an operator keeps", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		var old farm.Thumbprint
		c.after(retention-time.Hour, func() {
			old = c.state().Retention.Snapshot.Previous.Thumbprint
			c.assertPhase(controller.Idle)
		})
		c.after(retirement, func() {
			c.assertPhase(controller.Retiring)
			c.decideOn(retireID, farm.Abort)
		})
		requireRun(t, c.runUntil(retirement+time.Hour), run{Outcome: farm.Partial, HasSnapshot: true})
		f.assertOnServers(t, old, 2)
	})
	t.Run("and forgets the snapshot", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.after(retirement, func() { c.decideOn(retireID, farm.Approve) })
		c.after(retirement+time.Hour, func() { c.assertRequestRefused(undoRequest, "nothing to undo: no rotation was verified") })
		requireRun(t, c.runUntil(retirement+2*time.Hour), run{Outcome: farm.Verified})
		f.assertRefreshes(t)
	})
	t.Run("and is cancelled for an undo, which finds the certificate as it was", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		c.after(retirement, func() {
			f.assertArchived(t, true)
			c.request(controller.RequestUndo)
		})
		requireRun(t, c.runUntil(retirement+3*time.Hour), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("and is cancelled for a rotation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.after(retirement, func() {
			f.issueCertificate(t)
			c.request(controller.RequestRotate)
		})
		state := c.runUntil(retirement + 3*time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		if n := len(state.Retention.Older); n != 1 {
			t.Errorf("%d older certificates are to be retired, want that of the retirement", n)
		}
		f.assertRefreshes(t)
	})
	t.Run("once and not over and over, while one that was started by hand runs", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
		c.replaceRetirement(farm.Report{Outcome: farm.Incomplete})
		due := c.env.Now()
		c.after(3*time.Hour, c.stop)
		state, _ := c.runAs(func(ctx workflow.Context, s controller.State) error {
			byHand := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: retireID})
			if err := workflow.ExecuteChildWorkflow(byHand, "RetireCertificate", workflows.RetireInput{}).GetChildWorkflowExecution().Get(ctx, nil); err != nil {
				return err
			}
			c.runs.change(func(r *controller.RunRecord) { r.ByController = false })
			return workflows.ManageFarm(ctx, s)
		}, controller.State{
			Farm: farmsim.FarmName, Inspected: controller.Inspected{At: due}, Policy: controller.Policy{InspectionInterval: day, KeepOldFor: retention},
			Retention: controller.Retention{Snapshot: &farm.Snapshot{Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}}, Until: due},
		})
		if got := state.Retention.Until; got.Before(due.Add(retention)) {
			t.Errorf("the retirement is due again at %s, want after another retention", got)
		}
	})
	t.Run("a request is refused while it is cancelled for another rotation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.replaceRetirement(farm.Report{Outcome: farm.Incomplete})
		c.after(retirement, func() {
			f.issueCertificate(t)
			c.sendEvent("1")
		})
		c.after(retirement+30*time.Second, func() { c.assertRequestRefused(undoRequest, "a rotation is starting: event 1") })
		requireRun(t, c.runUntil(retirement+2*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
	})
}

// TestManageFarm_UndoAfterDeletion would otherwise restore issuers to a
// certificate that is no longer on the office servers.
func TestManageFarm_UndoAfterDeletion(t *testing.T) {
	for want, c := range map[string]struct {
		ends farm.Report
		run  run
	}{
		"nothing to undo: no rotation was verified": {farm.Report{Outcome: farm.Verified}, run{Outcome: farm.Verified}},
		"the deletion of the previous certificate": {
			farm.Report{Outcome: farm.Incomplete, Servers: []farm.ServerReport{
				{Host: office2, Steps: []farm.StepReport{{Step: farm.StepDelete, State: farm.StateChanged}}},
			}},
			run{Outcome: farm.Incomplete, HasSnapshot: true},
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			tc := f.newController(t)
			tc.replaceRetirement(c.ends)
			tc.after(retirement, func() { tc.assertRequestRefused(undoRequest, want) })
			requireRun(t, tc.runUntil(retirement+2*time.Hour), c.run)
			f.assertRefreshes(t)
		})
	}
}
