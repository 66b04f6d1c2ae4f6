package workflows_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

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
	t.Run("nor what it observed under a configuration that has changed since", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() {
			f.setPolicy(func(p *farm.RotationPolicy) { p.InspectionInterval = 2 * time.Hour })
			c.configureAs("")
			c.decideOn(rotateID, farm.Approve)
		})
		state := c.runUntil(2 * time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
		if got := state.Policy.InspectionInterval; got != 2*time.Hour {
			t.Errorf("the farm is inspected every %s, want as configured since", got)
		}
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
			state.Format, state.Released = controller.Format, releasedBefore().Released
			if state.Retention.Snapshot != nil {
				state.Retention.Begun = now.Add(-day)
			}
			state.Farm, state.Policy = farmsim.FarmName, controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention}
			c := f.newController(t)
			c.env.SetContinueAsNewSuggested(true)
			if diff := cmp.Diff(state, c.requireContinued(state)); diff != "" {
				t.Errorf("lost by continuing as new (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("not before a rotation has ended that is at work", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.onActivity("ImportCertificate", func() {
			c.env.SetContinueAsNewSuggested(true)
			c.sendEvent("1")
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
	})
	t.Run("while a rotation waits, which is then watched by reading it", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() { c.endContinued() })
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Active: rotateID, NeedsOperator: true})

		next := f.newController(t)
		next.after(time.Hour, func() {
			next.assertPhase(controller.Rotating)
			f.runs.change(func(r *controller.RunRecord) {
				r.EndedAt, r.Wait, r.Result.Outcome, r.Result.Snapshot = next.env.Now(), nil, farm.Verified, r.Snapshot
			})
			next.sendHint(controller.RunHint{Ending: true})
		})
		next.after(2*time.Hour, next.stop)
		state, _ = next.runFrom(state)
		// The farm is as it was, whatever is said: the next rotation waits.
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: rotateID, NeedsOperator: true})
	})
	t.Run("in the moment in which a rotation ends", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(requireApproval)
		c := f.newController(t)
		c.after(time.Hour, func() { c.endContinued() })
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Active: rotateID, NeedsOperator: true})
		f.runs.change(func(r *controller.RunRecord) {
			r.EndedAt, r.Wait, r.Result.Outcome = c.env.Now(), nil, farm.RolledBack
		})
		next := f.newController(t)
		next.after(time.Minute, next.stop)
		state, _ = next.runFrom(state)
		requireRun(t, state, run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
	})
	t.Run("while a retirement waits, which then goes on", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true, DistinctSubjects: true})
		c := f.newController(t)
		c.after(retirement, func() {
			c.assertPhase(controller.Retiring)
			f.assertArchived(t, true)
			c.endContinued()
		})
		state := c.requireContinued(controller.State{})
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true})
		f.assertArchived(t, true)
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
