package workflows_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// keeping is a keeper in a test environment, to which things happen at
// moments of Temporal's time, which skips.
type keeping struct {
	*place

	t   *testing.T
	env *testsuite.TestWorkflowEnvironment
}

func (p *place) keep(t *testing.T) *keeping {
	t.Helper()
	return &keeping{place: p, t: t, env: p.environment(t)}
}

// at has something happen that long after the keeper started.
func (k *keeping) at(after time.Duration, happen func()) {
	k.env.RegisterDelayedCallback(happen, after)
}

func (k *keeping) event(id string) {
	k.env.SignalWorkflow(workflows.EventSignal, controller.Event{ID: id, Summary: "event " + id})
}

// wish sends a person's wish; refused gets the reason, if it is refused.
func (k *keeping) wish(w controller.Request, refused func(error)) {
	k.env.UpdateWorkflow(workflows.RequestUpdate, k.t.Name()+string(w.Kind)+w.Reason, &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) {
			if refused == nil {
				k.t.Errorf("wish %q was refused: %v", w.Kind, err)
				return
			}
			refused(err)
		},
		OnComplete: func(any, error) {},
	}, w)
}

// known asks the keeper what it knows.
func (k *keeping) known() controller.State {
	k.t.Helper()
	answer, err := k.env.QueryWorkflow(workflows.StateQuery)
	if err != nil {
		k.t.Fatal(err)
	}
	var known controller.State
	if err := answer.Get(&known); err != nil {
		k.t.Fatal(err)
	}
	return known
}

// run runs the keeper from what it knows until it is cancelled or continues
// as new, and returns what the next run would know.
func (k *keeping) run(from controller.State) (controller.State, bool) {
	k.t.Helper()
	from.Farm = farmsim.FarmName
	k.env.ExecuteWorkflow(workflows.ManageFarm, from)
	err := k.env.GetWorkflowError()
	if again, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
		var next controller.State
		if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &next); err != nil {
			k.t.Fatal(err)
		}
		return next, true
	}
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		k.t.Fatalf("the keeper ended: %v", err)
	}
	return k.known(), false
}

// until stops the keeper after a time and returns what it knows.
func (k *keeping) until(end time.Duration) controller.State {
	k.t.Helper()
	k.at(end, k.env.CancelWorkflow)
	known, _ := k.run(controller.State{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour})
	return known
}

func TestAKeeperSetsTheTrustUpWhenAnEventAsksAndThenRests(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	k.at(time.Hour, func() {
		if known := k.known(); known.Next.Action != farm.ActionNone || !known.Next.NeedsOperator {
			t.Errorf("before any event the keeper does %+v, want rest, since nothing is set up", known.Next)
		}
		k.event("1")
		k.event("1")
	})
	known := k.until(20 * time.Hour)
	if known.LastRun.Outcome != farm.Verified || !strings.HasPrefix(known.Next.Reason, "trusted until") {
		t.Errorf("after the event: last %+v, next %+v; want verified and at rest", known.LastRun, known.Next)
	}
	if !slices.Equal(known.SeenEventIDs, []string{"1"}) {
		t.Errorf("heard %v, want the repeated event once", known.SeenEventIDs)
	}
	k.refreshes(t)
}

func TestAKeeperRenewsByItselfBeforeTheEnd(t *testing.T) {
	k := newPlace(t, farmsim.Options{Trusting: true}).keep(t)
	known := k.until(20 * time.Hour)
	if known.LastRun.Outcome != farm.Verified || known.Snapshot == nil || known.Snapshot.Previous.Thumbprint == "" || known.RetainOldUntil.IsZero() {
		t.Errorf("a certificate near its end: last %+v, journal %v, soak until %s; want renewed and soaking", known.LastRun, known.Snapshot, known.RetainOldUntil)
	}
	k.refreshes(t)
}

func TestAKeeperThatIsPausedDoesNothingUntilItIsConfiguredAgain(t *testing.T) {
	k := newPlace(t, farmsim.Options{Trusting: true}).keep(t)
	k.at(0, func() {
		k.env.SignalWorkflow(workflows.ConfigurationSignal, controller.Configuration{Unmanaged: "no longer configured"})
	})
	k.at(30*time.Hour, func() {
		k.wish(controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "try"}, func(err error) {
			if !strings.Contains(err.Error(), "paused: no longer configured") {
				t.Errorf("a wish to a paused keeper is refused as %v", err)
			}
		})
		k.env.SignalWorkflow(workflows.ConfigurationSignal, controller.Configuration{})
	})
	known := k.until(40 * time.Hour)
	if known.LastRun.Outcome != farm.Verified {
		t.Errorf("configured again: %+v, want rotated", known.LastRun)
	}
}

func TestWishesAreRefusedWithAReason(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	refusals := map[string]controller.Request{
		"is none of":          {},
		"say who asks":        {Kind: controller.RequestRotate},
		"is not held":         {Kind: controller.RequestResume, By: "op", Reason: "x"},
		"there is no journal": {Kind: controller.RequestRollback, By: "op", Reason: "x"},
	}
	heard := 0
	k.at(time.Hour, func() {
		for want, w := range refusals {
			k.wish(w, func(err error) {
				heard++
				if !strings.Contains(err.Error(), want) {
					t.Errorf("wish %+v is refused as %v, want %q", w, err, want)
				}
			})
		}
	})
	k.until(2 * time.Hour)
	if heard != len(refusals) {
		t.Errorf("%d of %d wishes were refused", heard, len(refusals))
	}
}

func TestAKeeperLosesNothingByContinuingAsNew(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	journal := &farm.Snapshot{TakenAt: now, Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}}
	for state, known := range map[string]controller.State{
		"never looked":         {},
		"resting":              {InspectedAt: now, Next: farm.Next{Reason: "trusted"}, SeenEventIDs: []string{"1"}},
		"with events to judge": {InspectedAt: now, PendingEvents: []controller.Event{{ID: "2", Summary: "s"}}, SeenEventIDs: []string{"1", "2"}},
		"with a wish":          {InspectedAt: now, Request: &controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "r"}},
		"at work":              {InspectedAt: now, ActiveRun: &controller.ActiveRun{WorkflowID: workflows.RotateID(farmsim.FarmName), Since: now}},
		"soaking":              {InspectedAt: now, Snapshot: journal, RetainOldUntil: now.Add(time.Hour), LastRun: controller.LastRun{At: now, Outcome: farm.Verified}},
		"held":                 {InspectedAt: now, Suspended: "undone", LastRun: controller.LastRun{At: now, Outcome: farm.RolledBack}},
		"paused":               {InspectedAt: now, Unmanaged: "not configured", PendingEvents: []controller.Event{{ID: "3"}}},
	} {
		t.Run(state, func(t *testing.T) {
			known.Farm, known.InspectionInterval, known.KeepOldFor = farmsim.FarmName, 6*time.Hour, 24*time.Hour
			k := newPlace(t, farmsim.Options{}).keep(t)
			k.env.SetContinueAsNewSuggested(true)
			next, again := k.run(known)
			if !again {
				t.Fatal("the keeper did not continue as new")
			}
			if diff := cmp.Diff(known, next); diff != "" {
				t.Errorf("lost by continuing as new (-before +after):\n%s", diff)
			}
		})
	}
}

func TestEventsDuringARotationAreKeptAndJudgedAfterIt(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	p.policy = policy(func(r *farm.RotationPolicy) { r.Approval = true })
	k := p.keep(t)
	k.at(time.Hour, func() {
		k.event("1")
		if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
			t.Error(err)
		}
	})
	k.at(2*time.Hour, func() {
		if known := k.known(); known.ActiveRun == nil || len(known.PendingEvents) != 1 {
			t.Errorf("during the rotation: at work %+v with %d events kept, want 1", known.ActiveRun, len(known.PendingEvents))
		}
		k.approve(workflows.RotateID(farmsim.FarmName))
	})
	k.at(3*time.Hour, func() {
		if known := k.known(); known.ActiveRun == nil || len(known.PendingEvents) != 0 || !strings.Contains(known.ActiveRun.Reason, "event 1") {
			t.Errorf("after the rotation: at work %+v, %d events kept; want a rotation that the event led to", known.ActiveRun, len(known.PendingEvents))
		}
	})
	k.until(4 * time.Hour)
}

// approve approves what a child waits for.
func (k *keeping) approve(id string) {
	k.t.Helper()
	answer, err := k.env.QueryWorkflowByID(id, workflows.StatusQuery)
	if err != nil {
		k.t.Error(err)
		return
	}
	var s farm.Status
	if err := answer.Get(&s); err != nil || s.Wait == nil {
		k.t.Errorf("%s waits for %+v, %v", id, s.Wait, err)
		return
	}
	if err := k.env.UpdateWorkflowByID(id, workflows.DecideUpdate, id, &testsuite.TestUpdateCallback{
		OnAccept: func() {}, OnReject: func(err error) { k.t.Error(err) }, OnComplete: func(any, error) {},
	}, farm.Decision{Choice: farm.Approve, Digest: s.Wait.Digest, By: "op", Reason: "as planned"}); err != nil {
		k.t.Error(err)
	}
}

func TestAWishDuringALookIsBegunAndDoesNotKeepTheKeeperFromContinuing(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.keep(t)
	var began any
	during(k.env, "Decide", func() {
		k.env.SetContinueAsNewSuggested(true)
		k.env.UpdateWorkflow(workflows.RequestUpdate, "wish", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { t.Errorf("refused: %v", err) },
			OnComplete: func(id any, err error) { began = id },
		}, controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "now"})
	})
	next, again := k.run(controller.State{InspectionInterval: 6 * time.Hour, KeepOldFor: 24 * time.Hour})
	if !again || began != workflows.RotateID(farmsim.FarmName) || next.Request != nil || next.ActiveRun == nil || next.ActiveRun.Reason != "now (op)" {
		t.Errorf("continued %t, the wish began %v, then known %+v", again, began, next)
	}
}

func TestAPausedKeeperKeepsNoMoreEventsThanItRemembers(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	k.at(0, func() {
		k.env.SignalWorkflow(workflows.ConfigurationSignal, controller.Configuration{Unmanaged: "no longer configured"})
	})
	k.at(time.Hour, func() {
		for i := range 600 {
			k.event(strconv.Itoa(i))
		}
	})
	known := k.until(2 * time.Hour)
	if len(known.PendingEvents) != 500 || len(known.SeenEventIDs) != 500 || known.PendingEvents[499].ID != "599" {
		t.Errorf("of 600 events %d are kept and %d remembered, want the last 500", len(known.PendingEvents), len(known.SeenEventIDs))
	}
}
