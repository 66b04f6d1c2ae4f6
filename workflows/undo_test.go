package workflows_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// The controller's farm is renewed at once; what then happens to it comes an hour later,
// and its end is looked at after some days.
const afterRenewal = time.Hour

// restarts counts the restarts of services and IIS on all servers.
func (f *testFarm) restarts() int {
	n := 0
	for _, m := range f.sim.State().Machines {
		for _, times := range m.Restarts {
			n += times
		}
	}
	return n
}

// childStatus returns how far a child of the controller is.
func (c *testController) childStatus(workflowID string) farm.Status {
	c.t.Helper()
	answer, err := c.env.QueryWorkflowByID(workflowID, workflows.StatusQuery)
	var s farm.Status
	if err == nil {
		err = answer.Get(&s)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// decideAbout makes a decision about the rotation, which must be accepted.
func (c *testController) decideAbout(d farm.Decision) {
	c.t.Helper()
	d.By, d.Reason = "op", "as planned"
	if err := c.env.UpdateWorkflowByID(rotateID, workflows.DecideUpdate, string(d.Choice), &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { c.t.Error(err) }, OnComplete: func(any, error) {},
	}, d); err != nil {
		c.t.Error(err)
	}
}

// requireBlockedChild asserts that one step of the rotation is blocked, and returns it.
func (c *testController) requireBlockedChild(text string) farm.Blocked {
	c.t.Helper()
	s := c.childStatus(rotateID)
	if s.Wait == nil || len(s.Wait.Blocked) != 1 || !strings.Contains(s.Wait.Blocked[0].Text, text) {
		c.t.Fatalf("in phase %s it waits for %+v, want one blocked step: %s", s.Phase, s.Wait, text)
	}
	return s.Wait.Blocked[0]
}

// TestRepair_RollsBackItself has a rotation of a farm that was verified fail: what is
// rolled back is that rotation, and not the one before it.
func TestRepair_RollsBackItself(t *testing.T) {
	t.Run("one that finishes a server that was left out, by decision at its approval", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{OfficeServers: 3, Trusting: true})
		f.addFaults(t, brokenScript(office3, "Import-S2SCertificate"))
		c := f.newController(t)
		var before farmsim.Trust
		restarts := 0
		c.after(afterRenewal, func() { c.decideAbout(farm.Decision{Choice: farm.Skip, Server: office3, Force: true}) })
		c.after(2*afterRenewal, func() {
			f.sim.ClearFaults()
			f.setPolicy(requireApproval)
			before, restarts = f.sim.Trust(), f.restarts()
			if state := c.state(); !state.Retention.Unsettled || len(state.Unfinished) > 0 {
				t.Errorf("a renewal that was verified but for one server is kept as %+v, unfinished are %d", state.Retention, len(state.Unfinished))
			}
			c.request(controller.RequestRotate)
		})
		c.after(3*afterRenewal, func() { c.decideOn(rotateID, farm.RollBack) })
		state := c.runUntil(5 * afterRenewal)
		requireRun(t, state, run{Outcome: farm.RolledBack, Suspended: true, HasSnapshot: true, NeedsOperator: true})
		if n := f.restarts(); n != restarts {
			t.Errorf("%d restarts for the sake of what was staged", n-restarts)
		}
		assertPairUnchanged(t, before, f.sim.Trust())
	})
	t.Run("one whose staging fails, while nobody is there and the window is closed", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		var before farmsim.Trust
		restarts := 0
		c.after(afterRenewal, func() {
			f.setWindow(t)
			f.addFaults(t, brokenScript(office2, "Import-S2SCertificate"))
			session := f.logOn(t, office2)
			if _, err := session.RemoveFromStore("My", c.state().Inspected.Current.Thumbprint); err != nil {
				t.Error(err)
			}
			before, restarts = f.sim.Trust(), f.restarts()
			c.sendEvent("1")
		})
		requireRun(t, c.runUntil(3*day), run{Outcome: farm.RolledBack, Suspended: true, HasSnapshot: true, NeedsOperator: true})
		if n := f.restarts(); n != restarts {
			t.Errorf("%d restarts for the sake of what was staged", n-restarts)
		}
		f.assertTrustUnchanged(t, before)
	})
	t.Run("one that changes a setting, by its deadline", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		var before farmsim.Trust
		c.after(afterRenewal, func() {
			on := true
			f.configure = func(farm *farm.Farm) { farm.Office.AllowHTTPSecureStoreConnections = &on }
			f.addFaults(t, brokenScript("", "Set-OfficeHttpSetting"))
			before = f.sim.Trust()
			c.sendEvent("1")
		})
		c.after(3*afterRenewal, func() { c.requireBlockedChild("the disk is full") })
		requireRun(t, c.runUntil(3*day), run{Outcome: farm.RolledBack, Suspended: true, HasSnapshot: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
}

// assertPairUnchanged asserts that the names and the issuers are as they were.
func assertPairUnchanged(t *testing.T, before, now farmsim.Trust) {
	t.Helper()
	isPair := func(fact string) bool {
		return strings.Contains(fact, "issuer ") || strings.Contains(fact, "office settings")
	}
	for _, trust := range []farmsim.Trust{before, now} {
		for fact := range trust {
			if isPair(fact) && before[fact] != now[fact] {
				t.Errorf("%s was %q and is %q", fact, before[fact], now[fact])
			}
		}
	}
}

func TestUndo(t *testing.T) {
	t.Run("waits for an approval, and for the window", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		c.env.SetStartTime(noon)
		var renewed farmsim.Trust
		c.after(afterRenewal, func() {
			f.configure = func(farm *farm.Farm) {
				requireApproval(&farm.Rotation)
				farm.Rotation.Window = nightly(t)
			}
			renewed = f.sim.Trust()
			c.request(controller.RequestUndo)
		})
		c.after(2*afterRenewal, func() { c.decideOn(rotateID, farm.Approve) })
		c.after(3*afterRenewal, func() {
			f.assertTrustUnchanged(t, renewed)
			if w := c.childStatus(rotateID).Wait; w == nil || w.For != farm.ForWindow {
				t.Errorf("once approved it waits for %+v", w)
			}
		})
		c.after(day, func() {
			c.assertRequestRefused(undoRequest, "nothing to undo: the last rotation was already undone on ")
		})
		requireRun(t, c.runUntil(day+time.Hour), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("does not wait for the window if its operator says so", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		c.env.SetStartTime(noon)
		c.after(afterRenewal, func() {
			f.setWindow(t)
			c.sendUpdate(workflows.RequestUpdate, controller.Request{Kind: controller.RequestUndo, Now: true, By: "op", Reason: "refreshes fail"}, func(_ any, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		})
		requireRun(t, c.runUntil(3*afterRenewal), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
	})
	t.Run("that nobody approves has changed nothing, and can be asked for again", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		var renewed farmsim.Trust
		c.after(afterRenewal, func() {
			f.setPolicy(func(p *farm.RotationPolicy) { p.Approval, p.ApprovalTimeout, p.KeepOldFor = true, 3*time.Hour, 9*day })
			renewed = f.sim.Trust()
			c.request(controller.RequestUndo)
		})
		c.after(6*time.Hour, func() { f.assertTrustUnchanged(t, renewed) })
		requireRun(t, c.runUntil(7*time.Hour), run{Outcome: farm.Refused, HasSnapshot: true, NeedsOperator: true})
	})
	t.Run("leaves alone what a later rotation has set", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		c := f.newController(t)
		c.after(afterRenewal, func() {
			on := true
			f.configure = func(farm *farm.Farm) { farm.Office.AllowHTTPSecureStoreConnections = &on }
			c.request(controller.RequestRotate)
		})
		c.after(3*afterRenewal, func() { c.request(controller.RequestUndo) })
		requireRun(t, c.runUntil(6*afterRenewal), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		for _, m := range f.sim.State().OfficeMembers() {
			if !m.Settings.AllowHTTPSecureStoreConnections {
				t.Errorf("%s has lost the setting", m.Host)
			}
		}
		f.assertRefreshes(t)
	})
}

// TestUndo_Stuck has an undo fail on the second SharePoint farm, once the first has its
// old issuers again.
func TestUndo_Stuck(t *testing.T) {
	stuck := func(t *testing.T, choice farm.Choice) (*testFarm, *testController, farmsim.Trust) {
		t.Helper()
		f := newTestFarm(t, farmsim.Options{SharePointFarms: 2, Trusting: true})
		before := f.sim.Trust()
		c := f.newController(t)
		var renewed farmsim.Trust
		c.after(afterRenewal, func() {
			hosts := f.sim.State().SharePoint[1].Servers
			f.addFaults(t, brokenScript(hosts[0], "Restore-TrustedIssuer"))
			renewed = f.sim.Trust()
			c.request(controller.RequestUndo)
		})
		c.after(3*afterRenewal, func() {
			b := c.requireBlockedChild("was set forward again")
			assertMentions(t, c.childStatus(rotateID).Wait.Text, "data refreshes")
			if !strings.HasPrefix(b.Server, "sp") {
				t.Errorf("%s blocks", b.Server)
			}
			assertPairUnchanged(t, renewed, f.sim.Trust())
			if failures, err := f.sim.RefreshFailures(); err != nil || len(failures) > 0 {
				t.Errorf("data refreshes fail: %v %v", failures, err)
			}
			f.sim.ClearFaults()
			c.decideAbout(farm.Decision{Choice: choice})
		})
		return f, c, before
	}
	t.Run("nothing has gone back, and it goes back once that is repaired", func(t *testing.T) {
		t.Parallel()
		f, c, before := stuck(t, farm.Retry)
		requireRun(t, c.runUntil(6*afterRenewal), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	})
	t.Run("it goes forward again", func(t *testing.T) {
		t.Parallel()
		f, c, _ := stuck(t, farm.Forward)
		requireRun(t, c.runUntil(6*afterRenewal), run{Outcome: farm.Verified, HasSnapshot: true})
		f.assertRefreshes(t)
	})
	t.Run("it is aborted, and can be rolled back", func(t *testing.T) {
		t.Parallel()
		f, c, before := stuck(t, farm.Abort)
		c.after(5*afterRenewal, func() { c.request(controller.RequestRollback) })
		requireRun(t, c.runUntil(8*afterRenewal), run{Outcome: farm.RolledBack, Suspended: true, NeedsOperator: true})
		f.assertTrustUnchanged(t, before)
	})
}

func nightly(t *testing.T) farm.Window {
	t.Helper()
	w, err := farm.ParseWindow("daily 02:00-05:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRotate_WayBackIsGated has a step fail after the cutover began, and nobody decide:
// the way back restarts servers.
func TestRotate_WayBackIsGated(t *testing.T) {
	for name, c := range map[string]struct {
		policy func(*testing.T, *farm.RotationPolicy)
		text   string
		want   func(*testRun)
	}{
		"by the window": {
			func(t *testing.T, p *farm.RotationPolicy) { p.Window, p.DecisionTimeout = nightly(t), 6*time.Hour },
			"the rotation is rolled back",
			nil,
		},
		"by an operator where a cutover is approved": {
			func(_ *testing.T, p *farm.RotationPolicy) { p.Approval, p.DecisionTimeout = true, time.Hour },
			"it stays as it is until an operator decides: the way back restarts servers",
			func(r *testRun) { r.decide(farm.Decision{Choice: farm.RollBack}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			f.setPolicy(func(p *farm.RotationPolicy) { c.policy(t, p) })
			before := f.sim.Trust()
			r := f.newRun(t)
			r.env.SetStartTime(noon.Truncate(day).Add(2*time.Hour + 30*time.Minute)) // in the window
			if c.want != nil {
				r.after(time.Minute, r.approve)
			}
			// The step fails for longer than the window is open.
			r.onActivity("TrustIssuer", func() { f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer")) })
			var blocked farm.Blocked
			r.after(12*time.Hour, func() {
				blocked = r.requireBlocked(frontEnd, "the disk is full")
				if blocked.Then != c.text {
					t.Errorf("it is blocked until %s: %s", blocked.Until, blocked.Then)
				}
				if c.want != nil {
					c.want(r)
				}
			})
			r.rotate().requireOutcome(farm.RolledBack)
			if c.want == nil && blocked.Until.Hour() != 2 {
				t.Errorf("it is rolled back at %s, and the window opens at 02:00", blocked.Until)
			}
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
	t.Run("not in the open window, where any failure rolls back", func(t *testing.T) {
		t.Parallel()
		f := newTestFarm(t, farmsim.Options{Trusting: true})
		f.setPolicy(func(p *farm.RotationPolicy) { p.Window, p.OnFailure = nightly(t), farm.OnFailureRollBack })
		before := f.sim.Trust()
		r := f.newRun(t)
		r.env.SetStartTime(noon.Truncate(day).Add(2*time.Hour + 30*time.Minute))
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r.rotate().requireOutcome(farm.RolledBack)
		if end := r.env.Now().UTC(); end.Hour() >= 5 {
			t.Errorf("it is rolled back at %s", end)
		}
		f.assertTrustUnchanged(t, before)
	})
}
