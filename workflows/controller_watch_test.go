package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestManageFarm_Watches(t *testing.T) {
	t.Run("a rotation that is terminated: it keeps its snapshot", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{Trusting: true}).newController(t)
		c.replaceRotation(func(ctx workflow.Context, _ workflows.RotateInput) (farm.RotationResult, error) {
			snapshot := &farm.Snapshot{Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}}
			if err := workflow.SetQueryHandler(ctx, workflows.SnapshotQuery, func() (*farm.Snapshot, error) { return snapshot, nil }); err != nil {
				return farm.RotationResult{}, err
			}
			return terminated(ctx, workflows.RotateInput{})
		})
		state := c.runUntil(3 * time.Hour)
		requireRun(t, state, run{Suspended: true, Unfinished: 1, NeedsOperator: true})
		if blocked := state.RollbackBlocked(); blocked != "" {
			t.Errorf("it cannot be rolled back: %s", blocked)
		}
	})
	t.Run("what it waits for, and what an operator has paused", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			requireRun(t, c.state(), run{Active: rotateID, NeedsOperator: true})
			f.runs.change(func(r *controller.RunRecord) { r.Paused = []string{"ImportCertificate"} })
			c.sendHint(controller.RunHint{})
		})
		c.after(time.Hour+time.Minute, func() {
			if paused := c.state().Active.Paused; len(paused) != 1 {
				t.Errorf("it knows of paused %v", paused)
			}
		})
		c.runUntil(2 * time.Hour)
	})
	t.Run("and believes no signal", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Minute, func() { c.sendHint(controller.RunHint{RunID: "forged", Ending: true}) })
		for i, content := range []any{controller.RunHint{RunID: "forged", Ending: true}, "nonsense", 42, nil, map[string]any{"runId": []int{1}}} {
			c.after(time.Hour+time.Duration(i)*time.Second, func() { c.sendHint(content) })
		}
		c.after(2*time.Hour, func() {
			requireRun(t, c.state(), run{Active: rotateID, NeedsOperator: true})
			c.decideOn(rotateID, farm.Approve)
		})
		requireRun(t, c.runUntil(4*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
	})
	t.Run("a run that cannot be read is said, and read again", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			f.runs.setAway(errors.New("no route to host"))
			c.sendHint(controller.RunHint{})
		})
		c.after(2*time.Hour, func() {
			assertMentions(t, c.state().Active.Unread, "no route to host")
			f.runs.setAway(nil)
			c.sendHint(controller.RunHint{})
		})
		c.after(3*time.Hour, func() {
			if unread := c.state().Active.Unread; unread != "" {
				t.Errorf("it still says %q", unread)
			}
		})
		c.runUntil(4 * time.Hour)
	})
}

// TestManageFarm_WaitingIsNotBlindness leaves a rotation without approval until the
// certificate in use has ended, which is after ten days.
func TestManageFarm_WaitingIsNotBlindness(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout = true, 90*day })
	c := f.newController(t)
	for after, want := range map[time.Duration]farm.Urgency{
		2*day + time.Hour: farm.NotUrgent, 4 * day: farm.EndsWithinWeek, 8 * day: farm.EndsWithinThreeDays, 9*day + 12*time.Hour: farm.EndsWithinDay, 11 * day: farm.Ended,
	} {
		c.after(after, func() {
			s := c.state()
			if s.Warned != want {
				t.Errorf("after %s the log was told %d (%s), want %d", after, s.Warned, s.DescribeUrgency(), want)
			}
			if since := c.env.Now().Sub(s.Inspected.At); since > inspectionInterval {
				t.Errorf("after %s the last inspection was %s ago", after, since)
			}
		})
	}
	c.after(5*day, func() { c.sendEvent("1") })
	state := c.runUntil(12 * day)
	requireRun(t, state, run{Active: rotateID, NeedsOperator: true})
	assertPending(t, state, "1")
}

func TestManageFarm_Admits(t *testing.T) {
	t.Run("the rotation that it has started, and keeps its snapshot before the first change", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		var kept *farm.Snapshot
		c.onActivity("ImportCertificate", func() {
			if active := c.state().Active; active != nil {
				kept = active.Snapshot
			}
		})
		state := c.runUntil(time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		if kept == nil || kept.Previous.Thumbprint != state.Retention.Snapshot.Previous.Thumbprint {
			t.Errorf("before the first change it has kept %+v", kept)
		}
	})
	t.Run("no other", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		byHand := goingOn(nil)
		byHand.RunID, byHand.OriginalRunID, byHand.ByController = "by-hand", "by-hand", false
		c := f.newController(t)
		c.after(time.Hour, func() {
			f.runs.add(byHand)
			for id, runID := range map[string]string{"by hand": byHand.RunID, "unknown": "unknown"} {
				c.sendAdmission(controller.Admission{WorkflowID: rotateID, RunID: runID}, func(got answer) {
					if got.err == nil || !strings.Contains(got.err.Error(), "rotate/contoso (run ") {
						t.Errorf("a run that is %s is answered with %+v", id, got)
					}
				})
			}
		})
		requireRun(t, c.runUntil(2*time.Hour), run{NeedsOperator: true})
	})
	t.Run("and needs an operator where one that was started by hand stays", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		c := f.newController(t)
		c.replaceRotation(func(ctx workflow.Context, _ workflows.RotateInput) (farm.RotationResult, error) {
			return farm.RotationResult{}, workflow.Sleep(ctx, 3*time.Hour)
		})
		c.after(time.Hour, func() { c.sendEvent("1") })
		c.after(65*time.Minute, func() {
			if s := c.state(); s.Next.Code != farm.CodeStartedElsewhere || s.Next.NeedsOperator {
				t.Errorf("when it meets one, next is %+v", s.Next)
			}
		})
		c.after(2*time.Hour, func() {
			if s := c.state(); s.Next.Code != farm.CodeStartedElsewhere || !s.Next.NeedsOperator {
				t.Errorf("when that stays, next is %+v", s.Next)
			}
		})
		c.after(4*time.Hour, c.stop)
		state, _ := c.runAs(func(ctx workflow.Context, s controller.State) error {
			byHand := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: rotateID})
			if err := workflow.ExecuteChildWorkflow(byHand, "RotateTrust", workflows.RotateInput{}).GetChildWorkflowExecution().Get(ctx, nil); err != nil {
				return err
			}
			f.runs.change(func(r *controller.RunRecord) { r.ByController = false })
			return workflows.ManageFarm(ctx, s)
		}, controller.State{Farm: farmsim.FarmName})
		// What the event asked for is done once it is gone.
		requireRun(t, state, run{Active: rotateID})
	})
}

func TestManageFarm_MovesToAnotherVersion(t *testing.T) {
	t.Parallel()
	c := newTestFarm(t, farmsim.Options{}).newController(t)
	c.after(time.Hour, func() {
		c.env.SetTargetWorkerDeploymentVersionChanged(true)
		c.sendEvent("1")
	})
	requireRun(t, c.requireContinued(controller.State{}), run{NeedsOperator: true})
}

// TestManageFarm_NoWayBack loses the old certificate while it is kept: no undo is
// offered from the next inspection on, until it is usable again.
func TestManageFarm_NoWayBack(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	old := f.inUse(t)
	c := f.newController(t)
	assertOffered := func(want bool) {
		t.Helper()
		s := c.state()
		if page := report.NewFarmState(s, c.env.Now()); page.CanUndo != want {
			t.Errorf("an undo is offered: %t, want %t (%s)", page.CanUndo, want, s.Retention.NoWayBack)
		}
	}
	c.after(time.Hour, func() {
		assertOffered(true)
		f.lockKey(t, office2, old)
		c.sendEvent("1")
	})
	c.after(2*time.Hour, func() {
		assertOffered(false)
		assertMentions(t, c.state().Retention.NoWayBack, office2+" could not use the previous certificate")
		f.unlockKey(t, office2, old)
		c.sendEvent("2")
	})
	c.after(3*time.Hour, func() { assertOffered(true) })
	requireRun(t, c.runUntil(4*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
}
