package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/report"
	"github.com/farmtrust/farmtrust/workflows"
)

// contacts notes which servers are called.
type contacts struct {
	powershell.Runner

	mu    sync.Mutex
	hosts []string
}

// Run implements powershell.Runner.
func (c *contacts) Run(ctx context.Context, target powershell.Target, call powershell.Call, result any) error {
	c.mu.Lock()
	c.hosts = append(c.hosts, target.Host)
	c.mu.Unlock()
	return c.Runner.Run(ctx, target, call, result)
}

// assertNever asserts that a server was not called, and another one was.
func (c *contacts) assertNever(t *testing.T, host, other string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.hosts, host) || !slices.Contains(c.hosts, other) {
		t.Errorf("called were %v, want %s and not %s", slices.Compact(slices.Sorted(slices.Values(c.hosts))), other, host)
	}
}

// newTakenFarm is a farm whose third office server is not its owner's any more: it answers
// nothing.
func newTakenFarm(t *testing.T) (*testFarm, *contacts) {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 3, Trusting: true})
	f.setPolicy(requireApproval)
	f.addFaults(t, fault.Fault{Server: office3, Kind: fault.Refused, Times: -1})
	c := &contacts{Runner: f.activities.Remote}
	f.activities.Remote = c
	return f, c
}

// replaceExcept asks for a rotation away from a compromised certificate, without servers.
func replaceExcept(hosts ...string) workflows.RotateInput {
	asked := controller.Request{Except: hosts, By: "op", Reason: "incident 12"}
	return workflows.RotateInput{Reason: "incident 12", Intent: farm.ReplaceCompromised, LeftOut: asked.LeftOut()}
}

func TestRotate_Except(t *testing.T) {
	t.Run("the server is neither read nor changed, and does not get the new key", func(t *testing.T) {
		t.Parallel()
		f, contacts := newTakenFarm(t)
		ended := f.newRun(t).rotateWith(replaceExcept(strings.ToUpper(office3))).requireOutcome(farm.Partial)
		contacts.assertNever(t, office3, office2)
		f.assertOnServers(t, ended.Target, 2)
		ended.assertStatement("left out by op (incident 12)", "OOS-03")
		ended.assertStep(office3, farm.StepObserve, farm.StateSkipped)
		ended.assertStep(office2, farm.StepImport, farm.StateChanged)
		if len(ended.Differences) > 0 || !ended.Settled || !ended.Snapshot.Compromised {
			t.Errorf("left are %v, settled: %v, of a compromised certificate: %v", ended.Differences, ended.Settled, ended.Snapshot.Compromised)
		}
		obstacles, err := f.sim.RefreshObstacles()
		if err != nil || len(obstacles) == 0 {
			t.Fatalf("nothing keeps %s from refreshing data: %v", office3, err)
		}
		for _, o := range obstacles {
			if !strings.Contains(o, office3) {
				t.Error(o)
			}
		}
		page := report.Run(farm.Status{Phase: farm.PhaseDone, Report: ended.Report}).Markdown()
		assertMentions(t, page, office3, "skip", "incident 12")
	})
	t.Run("nor when the rotation is blocked and aborted", func(t *testing.T) {
		t.Parallel()
		f, contacts := newTakenFarm(t)
		f.addFaults(t, brokenScript(frontEnd, "Set-TrustedIssuer"))
		r := f.newRun(t)
		r.after(time.Hour, func() {
			r.requireBlocked(frontEnd, "the disk is full")
			r.decide(farm.Decision{Choice: farm.Abort})
		})
		ended := r.rotateWith(replaceExcept(office3)).requireOutcome(farm.Partial)
		contacts.assertNever(t, office3, office2)
		if len(ended.Differences) == 0 || slices.ContainsFunc(ended.Differences, func(d farm.Difference) bool { return d.Server == office3 }) {
			t.Errorf("left are %+v, want what is left on the others", ended.Differences)
		}
		if stops := farm.Stops(ended.Findings); len(stops) > 0 {
			t.Errorf("of a server that is left out it finds %+v", stops)
		}
		ended.assertStatement(office3+" left out by op (incident 12)", "aborted by op")
	})
	t.Run("nor when there is nothing left to do", func(t *testing.T) {
		t.Parallel()
		f, contacts := newTakenFarm(t)
		snapshot := f.newRun(t).rotateWith(replaceExcept(office3)).requireOutcome(farm.Partial).Snapshot
		again := replaceExcept(office3)
		again.Snapshot = snapshot
		f.newRun(t).rotateWith(again).requireOutcome(farm.Partial).assertStatement(office3 + " left out by op")
		contacts.assertNever(t, office3, office2)
	})
	for name, c := range map[string]struct {
		in   workflows.RotateInput
		says string
	}{
		"the master":                 {replaceExcept(office1), "its master OOS-01 is left out, and nothing can be set without the master: make another office server the master"},
		"all office servers":         {replaceExcept(office1, office2, office3), "the office farm would have no server left"},
		"a SharePoint server":        {replaceExcept(frontEnd), "only office servers can be left out"},
		"a server of no farm":        {replaceExcept("oos-04.contoso.com"), "did you mean oos-0"},
		"of an ordinary rotation, a": {workflows.RotateInput{LeftOut: replaceExcept(office3).LeftOut}, "only a rotation away from a compromised certificate"},
	} {
		t.Run(name+" cannot be left out", func(t *testing.T) {
			t.Parallel()
			f, _ := newTakenFarm(t)
			f.sim.ClearFaults()
			before := f.sim.Trust()
			f.newRun(t).rotateWith(c.in).requireOutcome(farm.Refused).assertStatement("nothing was changed", c.says)
			f.assertTrustUnchanged(t, before)
		})
	}
}

// TestManageFarm_Except asks the controller, which begins nothing that cannot be, and
// nothing by itself afterwards.
func TestManageFarm_Except(t *testing.T) {
	t.Parallel()
	f, _ := newTakenFarm(t)
	c := f.newController(t)
	request := func(compromised bool, hosts ...string) controller.Request {
		return controller.Request{Kind: controller.RequestRotate, Compromised: compromised, Except: hosts, By: "op", Reason: "incident 12"}
	}
	c.after(time.Hour, func() {
		for says, r := range map[string]controller.Request{
			"only a rotation away from a compromised certificate": request(false, office3),
			"did you mean " + office3:                             request(true, "oos-3.contoso.com"),
			"only office servers can be left out":                 request(true, frontEnd),
			"would have no server left":                           request(true, office1, office2, office3),
		} {
			c.assertRequestRefused(r, says)
		}
	})
	c.after(2*time.Hour, func() {
		c.sendUpdate(workflows.RequestUpdate, request(true, office3), func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	state := c.runUntil(3 * inspectionInterval)
	requireRun(t, state, run{Outcome: farm.Partial, Suspended: true, HasSnapshot: true, NeedsOperator: true})
	assertMentions(t, state.Suspended, office3+" left out by op (incident 12)")
	f.assertOnServers(t, state.Retention.Snapshot.Target.Thumbprint, 2)
}

// A person signs what is left out, and a worker goes by that.
func TestManageFarm_ExceptByAPerson(t *testing.T) {
	for name, c := range map[string]struct {
		// forge has the run leave out nothing.
		forge bool
		want  farm.Outcome
		says  string
	}{
		"as signed":      {false, farm.Partial, office3 + " left out by Ada (incident 12)"},
		"another server": {true, farm.Refused, "Ada asked to leave out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := newTakenFarm(t)
			mayNotSkip := []farm.Right{farm.RightOperate, farm.RightCompromised}
			keys := f.letDecide(t, config.Person{Name: "Ada", May: farm.Rights()}, config.Person{Name: "Brun", May: mayNotSkip})
			tc := f.newController(t)
			if c.forge {
				tc.onKeepSnapshot(func(in *activities.KeepSnapshotInput) { in.Except = nil })
			}
			asked := func(name string) controller.Request {
				r := controller.Request{Kind: controller.RequestRotate, Compromised: true, Except: []string{office3}, Reason: "incident 12"}
				r.Proof, r.By = keys.sign(t, name, r.State(farmsim.FarmName, workflows.ControllerID(farmsim.FarmName)), time.Now()), name
				return r
			}
			tc.after(time.Hour, func() {
				tc.assertRequestRefused(asked("Brun"), "Brun may not")
				other := asked("Ada")
				other.Except = []string{office2}
				tc.assertRequestRefused(other, "not of this text")
			})
			tc.after(2*time.Hour, func() {
				tc.sendUpdate(workflows.RequestUpdate, asked("Ada"), func(_ any, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			})
			state := tc.runUntil(3 * time.Hour)
			if state.Last.Outcome != c.want {
				t.Errorf("it ended %s", state.Last.Outcome)
			}
			assertMentions(t, state.Last.Statement, c.says)
		})
	}
}

// onKeepSnapshot alters what a run hands over.
func (r *testRun) onKeepSnapshot(alter func(*activities.KeepSnapshotInput)) {
	r.env.RegisterActivityWithOptions(func(ctx context.Context, in activities.KeepSnapshotInput) (activities.Kept, error) {
		alter(&in)
		return r.activities.KeepSnapshot(ctx, in)
	}, activity.RegisterOptions{Name: "KeepSnapshot", DisableAlreadyRegisteredCheck: true})
}
