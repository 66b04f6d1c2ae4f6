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
	k.env.SignalWorkflow(workflows.EventSignal, workflows.Event{ID: id, Summary: "event " + id})
}

// wish sends a person's wish; refused gets the reason, if it is refused.
func (k *keeping) wish(w workflows.Wish, refused func(error)) {
	k.env.UpdateWorkflow(workflows.WishUpdate, k.t.Name()+string(w.For)+w.Reason, &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) {
			if refused == nil {
				k.t.Errorf("wish %q was refused: %v", w.For, err)
				return
			}
			refused(err)
		},
		OnComplete: func(any, error) {},
	}, w)
}

// known asks the keeper what it knows.
func (k *keeping) known() workflows.Keeping {
	k.t.Helper()
	answer, err := k.env.QueryWorkflow(workflows.KeepingQuery)
	if err != nil {
		k.t.Fatal(err)
	}
	var known workflows.Keeping
	if err := answer.Get(&known); err != nil {
		k.t.Fatal(err)
	}
	return known
}

// run runs the keeper from what it knows until it is cancelled or continues
// as new, and returns what the next run would know.
func (k *keeping) run(from workflows.Keeping) (workflows.Keeping, bool) {
	k.t.Helper()
	from.Farm = farmsim.FarmName
	k.env.ExecuteWorkflow(workflows.KeepTrust, from)
	err := k.env.GetWorkflowError()
	if again, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
		var next workflows.Keeping
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
func (k *keeping) until(end time.Duration) workflows.Keeping {
	k.t.Helper()
	k.at(end, k.env.CancelWorkflow)
	known, _ := k.run(workflows.Keeping{LookEvery: 6 * time.Hour, Soak: 14 * 24 * time.Hour})
	return known
}

func TestAKeeperSetsTheTrustUpWhenAnEventAsksAndThenRests(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	k.at(time.Hour, func() {
		if known := k.known(); known.Next.Do != farm.Rest || !known.Next.NeedsPerson {
			t.Errorf("before any event the keeper does %+v, want rest, since nothing is set up", known.Next)
		}
		k.event("1")
		k.event("1")
	})
	known := k.until(20 * time.Hour)
	if known.Last.Outcome != farm.Verified || !strings.HasPrefix(known.Next.Why, "trusted until") {
		t.Errorf("after the event: last %+v, next %+v; want verified and at rest", known.Last, known.Next)
	}
	if !slices.Equal(known.Heard, []string{"1"}) {
		t.Errorf("heard %v, want the repeated event once", known.Heard)
	}
	k.refreshes(t)
}

func TestAKeeperRenewsByItselfBeforeTheEnd(t *testing.T) {
	k := newPlace(t, farmsim.Options{Trusting: true}).keep(t)
	known := k.until(20 * time.Hour)
	if known.Last.Outcome != farm.Verified || known.Journal == nil || known.Journal.Previous.Thumbprint == "" || known.SoakUntil.IsZero() {
		t.Errorf("a certificate near its end: last %+v, journal %v, soak until %s; want renewed and soaking", known.Last, known.Journal, known.SoakUntil)
	}
	k.refreshes(t)
}

func TestAKeeperThatIsPausedDoesNothingUntilItIsConfiguredAgain(t *testing.T) {
	k := newPlace(t, farmsim.Options{Trusting: true}).keep(t)
	k.at(0, func() {
		k.env.SignalWorkflow(workflows.ConfiguredSignal, workflows.Configured{Paused: "no longer configured"})
	})
	k.at(30*time.Hour, func() {
		k.wish(workflows.Wish{For: workflows.ToRotate, By: "op", Reason: "try"}, func(err error) {
			if !strings.Contains(err.Error(), "paused: no longer configured") {
				t.Errorf("a wish to a paused keeper is refused as %v", err)
			}
		})
		k.env.SignalWorkflow(workflows.ConfiguredSignal, workflows.Configured{})
	})
	known := k.until(40 * time.Hour)
	if known.Last.Outcome != farm.Verified {
		t.Errorf("configured again: %+v, want rotated", known.Last)
	}
}

func TestWishesAreRefusedWithAReason(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	refusals := map[string]workflows.Wish{
		"is none of":          {},
		"say who asks":        {For: workflows.ToRotate},
		"is not held":         {For: workflows.ToRelease, By: "op", Reason: "x"},
		"there is no journal": {For: workflows.ToUndo, By: "op", Reason: "x"},
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
	journal := &farm.Journal{At: now, Target: farm.Certificate{Thumbprint: "NEW"}, Previous: farm.StoreCertificate{Thumbprint: "OLD"}}
	for state, known := range map[string]workflows.Keeping{
		"never looked":         {},
		"resting":              {LookedAt: now, Next: farm.Next{Why: "trusted"}, Heard: []string{"1"}},
		"with events to judge": {LookedAt: now, Asked: []workflows.Event{{ID: "2", Summary: "s"}}, Heard: []string{"1", "2"}},
		"with a wish":          {LookedAt: now, Wish: &workflows.Wish{For: workflows.ToRotate, By: "op", Reason: "r"}},
		"at work":              {LookedAt: now, Work: &workflows.Work{WorkflowID: workflows.RotateID(farmsim.FarmName), Since: now}},
		"soaking":              {LookedAt: now, Journal: journal, SoakUntil: now.Add(time.Hour), Last: workflows.Last{At: now, Outcome: farm.Verified}},
		"held":                 {LookedAt: now, Hold: "undone", Last: workflows.Last{At: now, Outcome: farm.Undone}},
		"paused":               {LookedAt: now, Paused: "not configured", Asked: []workflows.Event{{ID: "3"}}},
	} {
		t.Run(state, func(t *testing.T) {
			known.Farm, known.LookEvery, known.Soak = farmsim.FarmName, 6*time.Hour, 24*time.Hour
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
		if known := k.known(); known.Work == nil || len(known.Asked) != 1 {
			t.Errorf("during the rotation: at work %+v with %d events kept, want 1", known.Work, len(known.Asked))
		}
		k.approve(workflows.RotateID(farmsim.FarmName))
	})
	k.at(3*time.Hour, func() {
		if known := k.known(); known.Work == nil || len(known.Asked) != 0 || !strings.Contains(known.Work.Reason, "event 1") {
			t.Errorf("after the rotation: at work %+v, %d events kept; want a rotation that the event led to", known.Work, len(known.Asked))
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
	var s workflows.Status
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
		k.env.UpdateWorkflow(workflows.WishUpdate, "wish", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { t.Errorf("refused: %v", err) },
			OnComplete: func(id any, err error) { began = id },
		}, workflows.Wish{For: workflows.ToRotate, By: "op", Reason: "now"})
	})
	next, again := k.run(workflows.Keeping{LookEvery: 6 * time.Hour, Soak: 24 * time.Hour})
	if !again || began != workflows.RotateID(farmsim.FarmName) || next.Wish != nil || next.Work == nil || next.Work.Reason != "now (op)" {
		t.Errorf("continued %t, the wish began %v, then known %+v", again, began, next)
	}
}

func TestAPausedKeeperKeepsNoMoreEventsThanItRemembers(t *testing.T) {
	k := newPlace(t, farmsim.Options{}).keep(t)
	k.at(0, func() {
		k.env.SignalWorkflow(workflows.ConfiguredSignal, workflows.Configured{Paused: "no longer configured"})
	})
	k.at(time.Hour, func() {
		for i := range 600 {
			k.event(strconv.Itoa(i))
		}
	})
	known := k.until(2 * time.Hour)
	if len(known.Asked) != 500 || len(known.Heard) != 500 || known.Asked[499].ID != "599" {
		t.Errorf("of 600 events %d are kept and %d remembered, want the last 500", len(known.Asked), len(known.Heard))
	}
}
