package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
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
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true})
	if state.Retention.Snapshot.Previous.Thumbprint == "" || state.Retention.Until.IsZero() {
		t.Errorf("after a renewal the retention is %+v, want one of the certificate before", state.Retention)
	}
	f.assertRefreshes(t)
}

func TestManageFarm_UnknownFarm(t *testing.T) {
	t.Parallel()
	r := newTestFarm(t, farmsim.Options{}).newRun(t)
	r.startAs(workflows.ControllerID("cotnoso"))
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
			`unknown request ""`:        {},
			"say who asks":              {Kind: controller.RequestRotate},
			"is not suspended":          {Kind: controller.RequestResume, By: "op", Reason: "x"},
			"no rotation is unfinished": {Kind: controller.RequestRollback, By: "op", Reason: "x"},
			"rotate: say who asks, ":    {Kind: controller.RequestRotate, By: "op"},
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
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: rotateID, NeedsOperator: true})
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
		c.after(100*time.Minute, c.stop)
		state, _ := c.runAs(func(ctx workflow.Context, s controller.State) error {
			byHand := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: rotateID})
			if err := workflow.ExecuteChildWorkflow(byHand, "RotateTrust", workflows.RotateInput{}).GetChildWorkflowExecution().Get(ctx, nil); err != nil {
				return err
			}
			c.runs.change(func(r *controller.RunRecord) { r.ByController = false })
			return workflows.ManageFarm(ctx, s)
		}, controller.State{Farm: farmsim.FarmName})
		assertEventResult(t, state, "1", eventResult{WorkflowID: rotateID, Reason: "it was started by hand"})
		if state.Next.Code != farm.CodeStartedElsewhere {
			t.Errorf("next is %+v, want %s", state.Next, farm.CodeStartedElsewhere)
		}
	})
}

func TestManageFarm_RequestedRotationEndsAtOnce(t *testing.T) {
	t.Parallel()
	c := newTestFarm(t, farmsim.Options{}).newController(t)
	c.replaceRotation(func(workflow.Context, workflows.RotateInput) (farm.RotationResult, error) {
		return farm.RotationResult{Report: farm.Report{Outcome: farm.NoChange}}, nil
	})
	var started *workflows.StartedRun
	c.after(time.Hour, func() { started = c.request(controller.RequestRotate) })
	requireRun(t, c.runUntil(2*time.Hour), run{Outcome: farm.NoChange, NeedsOperator: true})
	if started.RunID == "" {
		t.Error("the request is not answered with the run that it started")
	}
}

func TestManageFarm_InspectionFails(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	c := f.newController(t)
	failed := false
	c.env.RegisterActivityWithOptions(func(ctx context.Context, name string) (farm.Inspection, error) {
		if !failed {
			failed = true
			return farm.Inspection{}, temporal.NewNonRetryableApplicationError("the worker was stopped", "", nil)
		}
		return f.activities.InspectFarm(ctx, name)
	}, activity.RegisterOptions{Name: "InspectFarm", DisableAlreadyRegisteredCheck: true})
	c.after(10*time.Minute, func() {
		assertMentions(t, c.state().Next.Reason, "cannot inspect the farm: the worker was stopped")
	})
	requireRun(t, c.runUntil(time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
}
