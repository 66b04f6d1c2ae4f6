package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// unreleased has a controller find a farm that nobody has released.
func (c *testController) unreleased() {
	c.runs.previous = &controller.State{Farm: farmsim.FarmName, Format: controller.Format}
}

// ask asks for what starts no run, which must be accepted.
func (c *testController) ask(r controller.Request) {
	r.By, r.Reason = "op", "as asked"
	c.sendUpdate(workflows.RequestUpdate, r, func(_ any, err error) {
		if err != nil {
			c.t.Errorf("request to %s is refused: %v", r.Kind, err)
		}
	})
}

// assertNext asserts what will be done by itself, in words.
func (c *testController) assertNext(want ...string) {
	c.t.Helper()
	s := c.state()
	assertMentions(c.t, s.WhatNext(c.env.Now()).Sentence(c.env.Now()), want...)
}

func TestManageFarm_NotReleased(t *testing.T) {
	t.Run("nothing is done by itself, and who would have it is told", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		c.unreleased()
		c.after(time.Hour, func() { c.sendEvent("1") })
		c.after(2*time.Hour, func() {
			c.assertNext("next: nothing by itself", "not released: farmtrust only looks; otherwise it would rotate: from ", "unless an operator releases the farm")
		})
		state := c.runUntil(3 * day)
		requireRun(t, state, run{NeedsOperator: true})
		assertEventResult(t, state, "1", eventResult{Reason: "not released: farmtrust only looks; otherwise it would rotate"})
		f.assertTrustUnchanged(t, before)
	})
	t.Run("a farm in order needs nobody", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{})
		f.requireRotated(t)
		c := f.newController(t)
		c.unreleased()
		state := c.runUntil(time.Hour)
		requireRun(t, state, run{})
		if state.Phase() != controller.Idle {
			t.Errorf("the controller is %s", state.Phase())
		}
	})
	t.Run("an operator's rotation is one, and its old certificate is kept", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.unreleased()
		c.after(time.Hour, func() { c.request(controller.RequestRotate) })
		c.after(4*day, func() {
			requireRun(t, c.state(), run{Outcome: farm.Verified, HasSnapshot: true})
			c.ask(controller.Request{Kind: controller.RequestRelease})
		})
		state := c.runUntil(4*day + time.Hour)
		requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true})
		if r := state.Released; r == nil || r.By != "op" || r.Reason != "as asked" {
			t.Errorf("the farm is released by %+v", r)
		}
	})
	t.Run("it rotates once it is released, and not once that is taken back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.unreleased()
		c.after(time.Hour, func() {
			c.assertRequestRefused(controller.Request{Kind: controller.RequestObserve, By: "op", Reason: "r"}, "is not released")
			c.ask(controller.Request{Kind: controller.RequestRelease})
		})
		c.after(2*time.Hour, func() {
			requireRun(t, c.state(), run{Outcome: farm.Verified, HasSnapshot: true})
			c.assertRequestRefused(controller.Request{Kind: controller.RequestRelease, By: "op", Reason: "r"}, "has been released since ")
			c.ask(controller.Request{Kind: controller.RequestObserve})
		})
		requireRun(t, c.runUntil(3*day), run{Outcome: farm.Verified, HasSnapshot: true}) // its retirement does not start
	})
}

func TestManageFarm_ObservesOnly(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.Mode = farm.ModeObserve })
	before := f.sim.Trust()
	c := f.newController(t)
	c.after(time.Hour, func() {
		for _, kind := range []controller.RequestKind{controller.RequestRotate, controller.RequestRollback, controller.RequestRelease} {
			c.assertRequestRefused(controller.Request{Kind: kind, By: "op", Reason: "r"}, "the configuration says mode: observe")
		}
	})
	state := c.runUntil(2 * time.Hour)
	assertMentions(t, state.Next.Reason, "mode: observe", "otherwise it would rotate: from ")
	f.assertTrustUnchanged(t, before)
}

func TestManageFarm_Postponed(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	before := f.sim.Trust()
	c := f.newController(t)
	var until time.Time
	c.after(time.Hour, func() {
		until = c.env.Now().Add(20 * time.Hour)
		c.ask(controller.Request{Kind: controller.RequestPostpone, Until: until})
		c.sendEvent("1")
	})
	c.after(2*time.Hour, func() {
		assertEventResult(t, c.state(), "1", eventResult{Reason: "postponed until " + farm.FormatTime(until) + " by op (as asked); then: first set-up"})
		c.assertNext("next: rotate, at "+farm.FormatTime(until), "postponed", "unless an operator postpones it")
		f.assertTrustUnchanged(t, before)
	})
	requireRun(t, c.runUntil(23*time.Hour), run{Outcome: farm.Verified, HasSnapshot: true})
}

// requestBehindRetirement asks for a rotation that waits until a retirement has ended,
// which takes a minute.
func requestBehindRetirement(t *testing.T, expires time.Duration, meanwhile func(*testController), want string) {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{})
	f.requireRotated(t)
	c := f.newController(t)
	c.replaceRetirement(farm.Report{Outcome: farm.Incomplete})
	started := 0
	c.onActivity("ImportCertificate", func() { started++ })
	c.after(2*time.Hour, func() {
		requireRun(t, c.state(), run{Active: retireID, HasSnapshot: true})
		r := controller.Request{Kind: controller.RequestRotate, By: "ada", Reason: "r", Expires: c.env.Now().Add(expires)}
		c.requestAs("u1", r, func(err error) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the request is answered with %v, want %q", err, want)
			}
		})
	})
	c.after(2*time.Hour+10*time.Second, func() { meanwhile(c) })
	c.after(3*time.Hour, c.stop)
	state, _ := c.runFrom(controller.State{
		Inspected: controller.Inspected{At: time.Now(), Due: true}, Policy: controller.Policy{InspectionInterval: inspectionInterval, KeepOldFor: retention},
		Retention: controller.Retention{
			Snapshot: &farm.Snapshot{Target: farm.Certificate{Thumbprint: f.inspect(t).Current.Thumbprint}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}},
			Begun:    time.Now().Add(-2 * retention), Until: time.Now().Add(-retention),
		},
	})
	if state.Mailbox.Request != nil || started > 0 {
		t.Errorf("the request is %+v, and %d rotations were begun", state.Mailbox.Request, started)
	}
}

func TestManageFarm_RequestThatIsGivenUp(t *testing.T) {
	t.Run("one that waits is withdrawn", func(t *testing.T) {
		t.Parallel()
		requestBehindRetirement(t, time.Hour, func(c *testController) {
			c.assertNext("next: begin what was asked for (rotate), now, because ada asked for it: r, unless it is withdrawn, or expires at ")
			c.ask(controller.Request{Kind: controller.RequestWithdraw})
		}, "the request of ada was withdrawn, and nothing was begun")
	})
	t.Run("one that waits expires", func(t *testing.T) {
		t.Parallel()
		requestBehindRetirement(t, 30*time.Second, func(*testController) {}, "the request of ada expired at ")
	})
	t.Run("one that has expired before it arrives is refused", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.after(time.Hour, func() {
			c.assertRequestRefused(controller.Request{Kind: controller.RequestRotate, By: "ada", Reason: "r", Expires: c.env.Now()}, "the request of ada expired at ")
		})
		requireRun(t, c.runUntil(2*time.Hour), run{NeedsOperator: true})
	})
	t.Run("a withdrawal counts that arrives first", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.after(time.Hour, func() {
			c.env.SignalWorkflow(workflows.WithdrawSignal, controller.Withdrawal{ID: "u1"})
			c.requestAs("u1", controller.Request{Kind: controller.RequestRotate, By: "ada", Reason: "r"}, func(err error) {
				if err == nil || !strings.Contains(err.Error(), "was withdrawn") {
					t.Errorf("the request is answered with %v", err)
				}
			})
		})
		requireRun(t, c.runUntil(2*time.Hour), run{NeedsOperator: true})
	})
	t.Run("there is nothing to withdraw", func(t *testing.T) {
		t.Parallel()
		c := newTestFarm(t, farmsim.Options{}).newController(t)
		c.after(time.Hour, func() {
			c.assertRequestRefused(controller.Request{Kind: controller.RequestWithdraw, By: "ada", Reason: "r"}, "no request of contoso waits")
		})
		c.runUntil(2 * time.Hour)
	})
}

func TestManageFarm_ConfigurationCountsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		before, after time.Duration
		want          run
	}{
		"a retention that is none any more ends":          {14 * day, 0, run{Outcome: farm.Verified, HasSnapshot: true, Active: retireID, NeedsOperator: true}},
		"a retention that there was not begins from then": {3 * time.Hour, 14 * day, run{Outcome: farm.Verified, HasSnapshot: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.setPolicy(func(p *farm.RotationPolicy) { p.KeepOldFor = c.before })
			controlled := f.newController(t)
			controlled.after(2*time.Hour, func() {
				requireRun(t, controlled.state(), run{Outcome: farm.Verified, HasSnapshot: true})
				f.setPolicy(func(p *farm.RotationPolicy) { p.KeepOldFor = c.after })
				controlled.configureOther()
			})
			state := controlled.runUntil(4 * time.Hour)
			requireRun(t, state, c.want)
			if state.Configured.Hash != "other" || state.Configured.Since.IsZero() {
				t.Errorf("the configuration is %+v", state.Configured)
			}
		})
	}
}

// A word that comes while it is decided what to do counts: nothing starts against it.
func TestManageFarm_HeldWhileItDecides(t *testing.T) {
	for name, request := range map[string]controller.Request{
		"a release that is taken back": {Kind: controller.RequestObserve},
		"a postponement":               {Kind: controller.RequestPostpone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			before := f.sim.Trust()
			c := f.newController(t)
			asked := false
			c.onActivity("Decide", func() {
				if asked {
					return
				}
				if asked = true; request.Kind == controller.RequestPostpone {
					request.Until = c.env.Now().Add(day)
				}
				c.ask(request)
			})
			state := c.runUntil(2 * time.Hour)
			if state.Active != nil || !state.Last.At.IsZero() {
				t.Errorf("a rotation was started: %+v, %+v", state.Active, state.Last)
			}
			f.assertTrustUnchanged(t, before)
		})
	}
}
