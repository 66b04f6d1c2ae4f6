package workflows_test

import (
	"errors"
	"strconv"
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

var (
	rotateID = workflows.RotateID(farmsim.FarmName)
	retireID = workflows.RetireID(farmsim.FarmName)
)

func TestManageFarm_SetUp(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	c := f.newController(t)
	c.after(time.Hour, func() {
		requireRun(t, c.state(), run{NeedsOperator: true})
		c.started = nil
		c.sendEvent("1")
		c.sendEvent("1")
	})
	c.after(3*time.Hour, func() {
		// The inspection, the recheck, the verification; and nothing twice.
		c.assertObservations(3)
	})
	state := c.runUntil(4 * time.Hour)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
	assertMentions(t, state.Next.Reason, "trusted until")
	assertEventResult(t, state, "1", eventResult{rotateID, true, "first set-up"})
	if n := len(state.Mailbox.Results); n != 1 {
		t.Errorf("an event that was delivered twice has %d results", n)
	}
	f.assertRefreshes(t)
}

func TestManageFarm_Renews(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	state := f.newController(t).runUntil(3 * day)
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID})
	if state.Retention.Snapshot.Previous.Thumbprint == "" || state.Retention.Until.IsZero() {
		t.Errorf("after a renewal the retention is %+v, want one of the certificate before", state.Retention)
	}
	f.assertRefreshes(t)
}

func TestManageFarm_Unmanaged(t *testing.T) {
	t.Run("it does nothing until it is configured again", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
		c.after(0, func() { c.configureAs("no longer configured") })
		c.after(30*time.Hour, func() {
			c.assertPhase(controller.Unmanaged)
			requireRun(t, c.state(), run{NeedsOperator: true})
			c.assertRequestRefused(controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "try"}, "the farm is unmanaged: no longer configured")
			c.configureAs("")
		})
		requireRun(t, c.runUntil(32*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
	})
	t.Run("it learns that its run was terminated", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
		c.replaceRotation(terminated)
		c.after(time.Hour, func() { c.configureAs("no longer configured") })
		state := c.runUntil(20 * time.Hour)
		requireRun(t, state, run{Suspended: true, NeedsOperator: true})
		assertMentions(t, state.Suspended, rotateID+" left no report (terminated)")
	})
	t.Run("what a rotation observed is not taken for an inspection later", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			c.configureAs("no longer configured")
			c.decideOn(rotateID, farm.Approve)
		})
		c.after(10*time.Hour, func() {
			requireRun(t, c.state(), run{Outcome: farm.Verified, HasSnapshot: true, NeedsOperator: true})
			c.started = nil
			c.configureAs("")
		})
		c.after(11*time.Hour, func() { c.assertObservations(1) })
		c.runUntil(12 * time.Hour)
	})
	t.Run("it remembers the last 500 events", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.after(0, func() { c.configureAs("no longer configured") })
		c.after(time.Hour, func() {
			for i := range 600 {
				c.sendEvent(strconv.Itoa(i))
			}
		})
		state := c.runUntil(2 * time.Hour)
		if pending := state.Mailbox.Pending; len(pending) != 500 || pending[499].ID != "599" {
			t.Errorf("of 600 events %d are pending, want the last 500", len(pending))
		}
		assertEventResult(t, state, "0", eventResult{Reason: "superseded by later events"})
	})
}

// terminated is a rotation that, as one that is terminated, ends without a
// report.
func terminated(ctx workflow.Context, _ workflows.RotateInput) (farm.RotationResult, error) {
	return farm.RotationResult{}, errors.Join(workflow.Sleep(ctx, 2*time.Hour), errors.New("terminated"))
}

func TestManageFarm_UnknownFarm(t *testing.T) {
	t.Parallel()
	r := newTestFarm(t, farmsim.Options{}).newRun(t)
	r.env.ExecuteWorkflow(workflows.ManageFarm, controller.State{Farm: "cotnoso"})
	err := r.env.GetWorkflowError()
	if application, ok := errors.AsType[*temporal.ApplicationError](err); !ok || application.Type() != workflows.UnknownFarmError {
		t.Errorf("the controller of a farm that nobody configured ends with %v, want %s", err, workflows.UnknownFarmError)
	}
}

func TestManageFarm_RefusesRequests(t *testing.T) {
	t.Parallel()
	c := newTestFarm(t, farmsim.Options{}).newController(t)
	c.after(time.Hour, func() {
		for want, r := range map[string]controller.Request{
			`unknown request ""`:     {},
			"say who asks":           {Kind: controller.RequestRotate},
			"is not suspended":       {Kind: controller.RequestResume, By: "op", Reason: "x"},
			"there is no snapshot":   {Kind: controller.RequestRollback, By: "op", Reason: "x"},
			"rotate: say who asks, ": {Kind: controller.RequestRotate, By: "op"},
		} {
			c.assertRequestRefused(r, want)
		}
	})
	c.runUntil(2 * time.Hour)
}

func TestManageFarm_Events(t *testing.T) {
	t.Run("one that leads to a rotation is answered with its run, others with the reason", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() { c.sendEvent("1") })
		c.after(2*time.Hour, func() {
			state := c.state()
			assertEventResult(t, state, "1", eventResult{rotateID, true, "event 1: first set-up"})
			if r, _ := state.Mailbox.ResultOf("1"); state.Active == nil || r.RunID != state.Active.RunID {
				t.Errorf("event 1 led to run %s, active is %+v", r.RunID, state.Active)
			}
			c.sendEvent("1")
			c.sendEvent("2")
		})
		c.after(3*time.Hour, func() {
			assertPending(t, c.state(), "2")
			c.decideOn(rotateID, farm.Approve)
		})
		state := c.runUntil(4 * time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		assertEventResult(t, state, "2", eventResult{Reason: "trusted until"})
		assertPending(t, state)
	})
	t.Run("one about a certificate that was issued during a rotation leads to the next", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			c.sendEvent("1")
			f.issueCertificate(t)
		})
		c.after(2*time.Hour, func() {
			assertPending(t, c.state(), "1")
			c.decideOn(rotateID, farm.Approve)
		})
		state := c.runUntil(3 * time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: rotateID})
		assertEventResult(t, state, "1", eventResult{rotateID, true, "event 1: from"})
	})
	t.Run("one that meets a rotation that was started by hand is answered with that", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.replaceRotation(terminated)
		c.after(time.Hour, func() { c.sendEvent("1") })
		c.after(90*time.Minute, func() {
			c.assertRequestRefused(controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "x"}, rotateID+" is already running; it was started by hand")
		})
		c.after(100*time.Minute, c.env.CancelWorkflow)
		state, _ := c.runAs(func(ctx workflow.Context, s controller.State) error {
			byHand := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: rotateID})
			if err := workflow.ExecuteChildWorkflow(byHand, "RotateTrust", workflows.RotateInput{}).GetChildWorkflowExecution().Get(ctx, nil); err != nil {
				return err
			}
			return workflows.ManageFarm(ctx, s)
		}, controller.State{Farm: farmsim.FarmName})
		assertEventResult(t, state, "1", eventResult{WorkflowID: rotateID, Reason: "it was started by hand"})
		if state.Next.Code != farm.CodeStartedElsewhere {
			t.Errorf("next is %+v, want %s", state.Next, farm.CodeStartedElsewhere)
		}
	})
}

func TestManageFarm_ContinuesAsNew(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	inspected := controller.Inspected{At: now}
	snapshot := &farm.Snapshot{TakenAt: now, Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}}
	f := newTestFarm(t, farmsim.Options{})
	for name, state := range map[string]controller.State{
		"never inspected":         {},
		"idle":                    {Inspected: inspected, Next: farm.Next{Reason: "trusted"}, Mailbox: controller.Mailbox{Results: []controller.EventResult{{EventID: "1", At: now, Reason: "trusted"}}}},
		"an inspection is due":    {Inspected: controller.Inspected{At: now, Due: true}},
		"with pending events":     {Inspected: inspected, Mailbox: controller.Mailbox{Pending: []controller.Event{{ID: "2", Summary: "s"}}, Results: []controller.EventResult{{EventID: "1", At: now}}}},
		"with a request":          {Inspected: inspected, Mailbox: controller.Mailbox{Request: &controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "r"}}},
		"keeping the certificate": {Inspected: inspected, Retention: controller.Retention{Snapshot: snapshot, Until: now.Add(time.Hour), Older: []farm.StoreCertificate{{Thumbprint: "OLDER"}}}, Last: controller.LastRun{At: now, Outcome: farm.Verified}},
		"suspended":               {Inspected: inspected, Suspended: "rolled back", Last: controller.LastRun{At: now, Outcome: farm.RolledBack}},
		"unmanaged":               {Inspected: inspected, Unmanaged: "not configured", Mailbox: controller.Mailbox{Pending: []controller.Event{{ID: "3"}}}},
	} {
		t.Run("nothing is lost: "+name, func(t *testing.T) {
			state.Farm, state.Policy = farmsim.FarmName, controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention}
			c := f.newController(t)
			c.env.SetContinueAsNewSuggested(true)
			if diff := cmp.Diff(state, c.requireContinued(state)); diff != "" {
				t.Errorf("lost by continuing as new (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("not before a rotation has ended", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			c.env.SetContinueAsNewSuggested(true)
			c.sendEvent("1")
		})
		c.after(2*time.Hour, func() {
			c.assertPhase(controller.Rotating)
			c.decideOn(rotateID, farm.Approve)
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
	})
	t.Run("a retirement that waits for an operator is cancelled for it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.after(retirement, func() {
			c.assertPhase(controller.Retiring)
			f.assertArchived(t, true)
			c.env.SetContinueAsNewSuggested(true)
			c.configureAs("")
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Incomplete, HasSnapshot: true})
		f.assertArchived(t, false)
		if !state.WillRetire() || !state.Inspected.Due {
			t.Errorf("it will not retire again, or nothing is inspected: %+v", state.Retention)
		}
	})
	t.Run("not before a request is started", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
		var started *workflows.StartedRun
		c.onActivity("Decide", func() {
			c.env.SetContinueAsNewSuggested(true)
			started = c.request(controller.RequestRotate)
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		if started.RunID == "" || state.Mailbox.Request != nil {
			t.Errorf("the request started %+v, pending is %+v", started, state.Mailbox.Request)
		}
	})
	t.Run("not while a retirement is cancelled for a rotation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.replaceRetirement(farm.Report{Outcome: farm.Incomplete})
		c.after(retirement, func() {
			f.issueCertificate(t)
			c.onActivity("Decide", func() { c.env.SetContinueAsNewSuggested(true) })
			c.sendEvent("1")
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		assertEventResult(t, state, "1", eventResult{rotateID, true, "event 1: from"})
	})
}

func TestManageFarm_InspectionIsCancelled(t *testing.T) {
	t.Parallel()
	c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
	c.onActivity("Compare", func() { c.env.CancelWorkflowByID(workflows.InspectionID(farmsim.FarmName), "") })
	c.after(10*time.Minute, func() {
		assertMentions(t, c.state().Next.Reason, "cannot inspect the farm: it was cancelled")
	})
	requireRun(t, c.runUntil(time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
}

func TestManageFarm_Rollback(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	before := f.sim.Trust()
	c := f.newController(t)
	c.after(time.Hour, func() { c.request(controller.RequestRollback) })
	state := c.runUntil(20 * time.Hour)
	requireRun(t, state, run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	f.assertTrustUnchanged(t, before)
	f.assertRefreshes(t)

	c = f.newController(t)
	c.after(time.Hour, func() { c.request(controller.RequestResume) })
	c.after(10*time.Hour, c.env.CancelWorkflow)
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
		c.assertRequestRefused(rollbackRequest, "is compromised and is never restored")
	})
	requireRun(t, c.runUntil(2*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID})
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
		want controller.Retention
	}{
		"rolled back":         {nil, farm.RolledBack, controller.Retention{Snapshot: snapshot("A", "B"), Until: until}},
		"ended by a decision": {nil, farm.Partial, controller.Retention{Snapshot: snapshot("B", "C"), Older: []farm.StoreCertificate{{Thumbprint: "A"}}}},
		"incomplete": {
			func(r farm.RotationResult) error {
				return temporal.NewNonRetryableApplicationError("x", workflows.IncompleteError, nil, r)
			},
			farm.Incomplete, controller.Retention{Snapshot: snapshot("B", "C"), Older: []farm.StoreCertificate{{Thumbprint: "A"}}},
		},
		"cancelled": {
			func(r farm.RotationResult) error { return temporal.NewCanceledError(r) },
			farm.RolledBack, controller.Retention{Snapshot: snapshot("A", "B"), Until: until},
		},
		"terminated": {
			func(farm.RotationResult) error { return errors.New("terminated") },
			"", controller.Retention{Snapshot: snapshot("A", "B"), Until: until},
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
			tc.after(2*time.Hour, tc.env.CancelWorkflow)
			state, _ := tc.runFrom(controller.State{
				Policy:    controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention},
				Inspected: controller.Inspected{At: time.Now()},
				Retention: controller.Retention{Snapshot: snapshot("A", "B"), Until: until},
			})
			requireRun(t, state, run{Outcome: c.out, Suspended: true, HasSnapshot: true, NeedsOperator: true})
			if diff := cmp.Diff(c.want, state.Retention); diff != "" {
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
		c.after(retirement+time.Hour, func() { c.assertRequestRefused(rollbackRequest, "there is no snapshot") })
		requireRun(t, c.runUntil(retirement+2*time.Hour), run{Outcome: farm.Verified})
		f.assertRefreshes(t)
	})
	t.Run("and is cancelled for a rollback, which finds the certificate as it was", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		c.after(retirement, func() {
			f.assertArchived(t, true)
			c.request(controller.RequestRollback)
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
	t.Run("a request is refused while it is cancelled for another rotation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.replaceRetirement(farm.Report{Outcome: farm.Incomplete})
		c.after(retirement, func() {
			f.issueCertificate(t)
			c.sendEvent("1")
		})
		c.after(retirement+30*time.Second, func() { c.assertRequestRefused(rollbackRequest, "a rotation is starting: event 1") })
		requireRun(t, c.runUntil(retirement+2*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
	})
}

// TestManageFarm_RollbackAfterDeletion would otherwise restore issuers to a
// certificate that is no longer on the office servers.
func TestManageFarm_RollbackAfterDeletion(t *testing.T) {
	for want, c := range map[string]struct {
		ends farm.Report
		run  run
	}{
		"there is no snapshot": {farm.Report{Outcome: farm.Verified}, run{Outcome: farm.Verified}},
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
			tc.after(retirement, func() { tc.assertRequestRefused(rollbackRequest, want) })
			requireRun(t, tc.runUntil(retirement+2*time.Hour), c.run)
			f.assertRefreshes(t)
		})
	}
}
