package workflows_test

import (
	"errors"
	"strings"
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

// rolledBack is the state of a controller whose last rotation was rolled back.
func rolledBack() *controller.State {
	return &controller.State{
		Farm: farmsim.FarmName, Suspended: "the rotation was rolled back", Policy: controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention},
		Inspected: controller.Inspected{At: time.Now().Add(-time.Hour)}, Last: controller.LastRun{At: time.Now().Add(-time.Hour), Outcome: farm.RolledBack},
	}
}

// goingOn is what Temporal says of a rotation of the farm's controller.
func goingOn(snapshot *farm.Snapshot) controller.RunRecord {
	return controller.RunRecord{
		WorkflowID: rotateID, RunID: "r1", OriginalRunID: "r1", ByController: true, Reason: "renewal", StartedAt: time.Now().Add(-time.Hour), Snapshot: snapshot,
	}
}

func TestManageFarm_Recalls(t *testing.T) {
	t.Run("that the farm is suspended", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.previous = rolledBack()
		c := f.newController(t)
		c.after(time.Hour, func() { c.sendEvent("1") })
		state := c.runUntil(3 * day)
		requireRun(t, state, run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		assertEventResult(t, state, "1", eventResult{Reason: "rolled back"})
	})
	t.Run("a rotation that goes on, and takes its end", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.add(goingOn(nil))
		c := f.newController(t)
		c.after(time.Hour, func() {
			requireRun(t, c.state(), run{Active: rotateID})
			f.runs.change(func(r *controller.RunRecord) {
				r.EndedAt, r.Result.Outcome = c.env.Now(), farm.RolledBack
			})
			c.sendHint(controller.RunHint{Ending: true})
		})
		requireRun(t, c.runUntil(2*time.Hour), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	})
	t.Run("one that was terminated while no controller ran, with its snapshot", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		terminated := goingOn(&farm.Snapshot{Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}})
		terminated.EndedAt, terminated.Problem = time.Now().Add(-time.Minute), "it was terminated in Temporal"
		f.runs.add(terminated)
		requireRun(t, f.newController(t).runUntil(3*day), run{Suspended: true, Unfinished: 1, NeedsOperator: true})
	})
	t.Run("and not what its input says", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.after(time.Hour, c.stop)
		forged := controller.State{Farm: farmsim.FarmName, Unmanaged: "because I say so", Retention: controller.Retention{Snapshot: &farm.Snapshot{}}}
		state, _ := c.runAs(workflows.ManageFarm, forged)
		requireRun(t, state, run{NeedsOperator: true})
		if state.Unmanaged != "" || state.Next.Code != farm.CodeNotSetUp {
			t.Errorf("it believes its input: unmanaged %q, next %+v", state.Unmanaged, state.Next)
		}
	})
	t.Run("and starts nothing before it can", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.runs.away = temporal.NewNonRetryableApplicationError("the visibility store is away", "", nil)
		c := f.newController(t)
		c.after(time.Hour, func() {
			c.assertPhase(controller.Recalling)
			requireRun(t, c.state(), run{NeedsOperator: true})
			assertMentions(t, c.state().RecallProblem, "the visibility store is away")
			c.sendEvent("1")
			c.assertRequestRefused(controller.Request{Kind: controller.RequestRotate}, "say who asks")
			c.request(controller.RequestRotate) // waits
		})
		c.after(2*time.Hour, func() {
			c.assertPhase(controller.Recalling)
			f.runs.setAway(nil)
		})
		state := c.runUntil(4 * time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		assertEventResult(t, state, "1", eventResult{rotateID, true, "as asked (op)"})
	})
}

func TestManageFarm_IsTheOnlyOne(t *testing.T) {
	for name, c := range map[string]struct{ id, farm string }{
		"another ID":      {"farm/other", farmsim.FarmName},
		"no name":         {"farm/", ""},
		"a path":          {"farm/../x", "../x"},
		"too long a name": {"farm/" + strings.Repeat("x", 300), strings.Repeat("x", 300)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTestFarm(t, farmsim.Options{}).newRun(t)
			r.startAs(c.id)
			r.env.ExecuteWorkflow(workflows.ManageFarm, controller.State{Farm: c.farm})
			application, ok := errors.AsType[*temporal.ApplicationError](r.env.GetWorkflowError())
			if !ok || application.Type() != workflows.RefusedError || !application.NonRetryable() {
				t.Errorf("ended with %v, want it refused", r.env.GetWorkflowError())
			}
		})
	}
}

// TestManageFarm_WasReset resets a controller after its farm was suspended: it then
// knows what it knew before that.
func TestManageFarm_WasReset(t *testing.T) {
	t.Run("while it waits", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		reset := c.resettable()
		c.after(time.Hour, func() {
			f.runs.previous = rolledBack()
			f.runs.change(func(r *controller.RunRecord) {
				r.EndedAt, r.Result.Outcome = time.Now().Add(-2*time.Hour), farm.RolledBack
			})
			reset()
			c.sendEvent("1")
		})
		requireRun(t, c.runUntil(3*time.Hour), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	})
	t.Run("just before it starts a rotation", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		reset := c.resettable()
		c.onActivity("Decide", func() {
			f.runs.previous = rolledBack()
			reset()
		})
		requireRun(t, c.runUntil(3*day), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		if hosts := c.hostsOf("ImportCertificate"); len(hosts) > 0 {
			t.Errorf("it has begun a rotation on %v", hosts)
		}
	})
	t.Run("and does not answer again what was answered", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		reset := c.resettable()
		c.after(time.Hour, func() {
			f.runs.previous = rolledBack()
			f.runs.previous.Last.At = c.env.Now()
			f.runs.previous.Mailbox.TakeRequest("resumed")
			reset()
			c.sendEvent("1")
		})
		c.after(90*time.Minute, func() {
			c.requestAs("resumed", controller.Request{Kind: controller.RequestResume, By: "op", Reason: "x"}, func(err error) {
				if err == nil || !strings.Contains(err.Error(), "before the controller was reset") {
					t.Errorf("a request that is delivered again is answered with %v", err)
				}
			})
		})
		requireRun(t, c.runUntil(2*time.Hour), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	})
}

// resettable returns what a reset does to a controller: it has another run ID.
func (c *testController) resettable() (reset func()) {
	runID := "r1"
	c.env.OnMutableSideEffect("run ID").Return(func(string) any { return runID })
	return func() { runID = "r2" }
}

func TestManageFarm_WasCancelled(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(requireApproval)
	c := f.newController(t)
	c.after(time.Hour, func() {
		c.env.SetDetachedChildWait(false)
		c.env.CancelWorkflow()
	})
	state := c.requireContinued(controller.State{})
	requireRun(t, state, run{Active: rotateID, Suspended: true, NeedsOperator: true})
	assertMentions(t, state.Suspended, "farm/contoso was cancelled in Temporal")
}

// TestManageFarm_WasCancelledBeforeARotation cancels a controller that is about to rotate.
func TestManageFarm_WasCancelledBeforeARotation(t *testing.T) {
	for _, activity := range []string{"InspectFarm", "Decide"} {
		t.Run(activity, func(t *testing.T) {
			t.Parallel()
			c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
			c.onActivity(activity, c.env.CancelWorkflow)
			state := c.requireContinued(controller.State{})
			requireRun(t, state, run{Suspended: true, NeedsOperator: true})
		})
	}
}

func TestManageFarm_Forgets(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
	c := f.newController(t)
	forget := controller.Request{Kind: controller.RequestForget, By: "op", Reason: "decommissioned"}
	c.after(retirement, func() {
		c.assertPhase(controller.Retiring)
		c.assertRequestRefused(forget, "remove it there")
		c.configureAs("no longer configured")
	})
	c.after(retirement+time.Hour, func() {
		c.sendUpdate(workflows.RequestUpdate, forget, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	c.startAs(workflows.ControllerID(farmsim.FarmName))
	c.env.ExecuteWorkflow(workflows.ManageFarm, controller.State{Farm: farmsim.FarmName})
	c.requireAnswered()
	if err := c.env.GetWorkflowError(); err != nil {
		t.Errorf("the controller of a farm that is gone ends with %v", err)
	}
	f.assertArchived(t, false) // the retirement was cancelled first
	c.assertNeedsOperator(false)
}

// newLegacyController is a controller that began before controllers recalled.
func newLegacyController(t *testing.T) *testController {
	t.Helper()
	c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
	c.env.OnGetVersion("the controller recalls its runs", workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
	c.env.OnGetVersion(anything, workflow.DefaultVersion, workflow.Version(1)).Return(workflow.Version(1))
	return c
}

// TestManageFarm_Legacy is a controller that began before controllers recalled. It
// asks nothing, and continues as new as soon as it rests.
func TestManageFarm_Legacy(t *testing.T) {
	t.Parallel()
	c := newLegacyController(t)
	before := *rolledBack()
	before.Format, before.Released = controller.Format, releasedBefore().Released
	state := c.requireContinued(before)
	if diff := cmp.Diff(before, state); diff != "" {
		t.Errorf("lost by continuing as new (-before +after):\n%s", diff)
	}
	if len(c.started) > 0 {
		t.Errorf("it has started %v", c.started)
	}
}

// TestManageFarm_LegacyWasReset resets a run of long ago: the next one does not believe
// what that one knew.
func TestManageFarm_LegacyWasReset(t *testing.T) {
	t.Parallel()
	c := newLegacyController(t)
	c.marks.originalRunID = "long ago"
	if state := c.requireContinued(controller.State{}); !state.Recalling {
		t.Errorf("the next controller believes %+v", state)
	}
}
