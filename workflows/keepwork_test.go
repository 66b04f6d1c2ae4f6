package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestAKeeperThatContinuedAsNewStillLearnsHowItsWorkEnded(t *testing.T) {
	work := &controller.ActiveRun{WorkflowID: workflows.RotateID(farmsim.FarmName), Since: time.Now()}
	t.Run("from the work's own word", func(t *testing.T) {
		k := newPlace(t, farmsim.Options{}).keep(t)
		k.at(time.Hour, func() {
			k.env.SignalWorkflow(workflows.FinishedSignal, workflows.Finished{
				WorkflowID: work.WorkflowID, Rotation: farm.RotationResult{Report: farm.Report{Outcome: farm.RolledBack}},
			})
		})
		k.at(2*time.Hour, k.env.CancelWorkflow)
		known, _ := k.run(controller.State{InspectionInterval: 6 * time.Hour, InspectedAt: time.Now(), ActiveRun: work})
		if known.ActiveRun != nil || known.LastRun.Outcome != farm.RolledBack || known.Suspended == "" {
			t.Errorf("told that its work was undone: %+v", known)
		}
	})
	t.Run("from Temporal, when it ended without a word", func(t *testing.T) {
		k := newPlace(t, farmsim.Options{}).keep(t)
		k.at(30*time.Hour, k.env.CancelWorkflow)
		known, _ := k.run(controller.State{InspectionInterval: 6 * time.Hour, InspectedAt: time.Now(), ActiveRun: work})
		if known.ActiveRun != nil || !strings.Contains(known.Suspended, "without a word") {
			t.Errorf("its work was terminated: %+v, want a hold that says so", known)
		}
	})
}

func TestUndoPutsTheFarmBackAndHoldsUntilReleased(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	before := p.sim.World.State()
	k := p.keep(t)
	k.at(time.Hour, func() {
		k.wish(controller.Request{Kind: controller.RequestRollback, By: "op", Reason: "refreshes fail"}, nil)
	})
	known := k.until(20 * time.Hour)
	if known.LastRun.Outcome != farm.RolledBack || known.Suspended == "" || known.Snapshot != nil {
		t.Fatalf("after undo: last %+v, hold %q, journal %v", known.LastRun, known.Suspended, known.Snapshot)
	}
	k.sameTrust(t, before)
	k.refreshes(t)

	again := p.keep(t)
	again.at(time.Hour, func() {
		again.wish(controller.Request{Kind: controller.RequestResume, By: "op", Reason: "mended"}, nil)
	})
	again.at(10*time.Hour, again.env.CancelWorkflow)
	known, _ = again.run(known)
	if known.LastRun.Outcome != farm.Verified || known.Suspended != "" {
		t.Errorf("released: %+v, want rotated", known.LastRun)
	}
}

func TestAPausedKeeperLearnsThatItsWorkWasTerminated(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	var suite testsuite.WorkflowTestSuite
	k := &keeping{place: p, t: t, env: suite.NewTestWorkflowEnvironment()}
	k.env.RegisterWorkflow(workflows.ManageFarm)
	k.env.RegisterWorkflow(workflows.InspectTrust)
	k.env.RegisterActivity(p.activities)
	// Like one that is terminated it ends without a word to its keeper.
	terminated := func(ctx workflow.Context, _ workflows.RotateInput) (farm.RotationResult, error) {
		return farm.RotationResult{}, errors.Join(workflow.Sleep(ctx, 2*time.Hour), errors.New("terminated"))
	}
	k.env.RegisterWorkflowWithOptions(terminated, workflow.RegisterOptions{Name: "RotateTrust"})
	k.at(time.Hour, func() {
		k.env.SignalWorkflow(workflows.ConfigurationSignal, controller.Configuration{Unmanaged: "no longer configured"})
	})
	known := k.until(20 * time.Hour)
	if known.ActiveRun != nil || known.Unmanaged == "" || !strings.Contains(known.Suspended, "terminated") {
		t.Errorf("paused, and its work ended: %+v", known)
	}
}

func TestAfterACompromisedCertificateThereIsNothingToUndo(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.keep(t)
	during(k.env, "Decide", func() {
		k.wish(controller.Request{Kind: controller.RequestRotate, Compromised: true, By: "op", Reason: "leaked"}, nil)
	})
	refused := ""
	k.at(time.Hour, func() {
		known := k.known()
		if known.CanRollBack() || known.ActiveRun == nil || known.ActiveRun.WorkflowID != workflows.RetireID(farmsim.FarmName) {
			t.Errorf("can be undone %t, at work %+v; want the retirement, without a soak", known.CanRollBack(), known.ActiveRun)
		}
		k.wish(controller.Request{Kind: controller.RequestRollback, By: "op", Reason: "x"}, func(err error) { refused = err.Error() })
	})
	k.until(2 * time.Hour)
	if !strings.Contains(refused, "is compromised, and never restored") {
		t.Errorf("undoing is refused as %q", refused)
	}
}

// worked is a keeper that is told how its rotation ended, a week into the soak
// of the one before it.
func (k *keeping) worked(before *farm.Snapshot, soakUntil time.Time, r farm.RotationResult, end time.Duration) controller.State {
	k.t.Helper()
	id := workflows.RotateID(farmsim.FarmName)
	k.at(time.Hour, func() {
		k.env.SignalWorkflow(workflows.FinishedSignal, workflows.Finished{WorkflowID: id, Rotation: r})
	})
	k.at(end, k.env.CancelWorkflow)
	known, _ := k.run(controller.State{
		InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour, InspectedAt: time.Now(), Snapshot: before, RetainOldUntil: soakUntil,
		ActiveRun: &controller.ActiveRun{WorkflowID: id, Since: time.Now()},
	})
	return known
}

func TestARotationThatWasNotFinishedLeavesTheOneBeforeItToRetire(t *testing.T) {
	journal := func(from, to farm.Thumbprint) *farm.Snapshot {
		return &farm.Snapshot{Target: farm.Certificate{Thumbprint: to}, Previous: farm.StoreCertificate{Thumbprint: from}}
	}
	soakUntil := time.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Second)
	t.Run("undone", func(t *testing.T) {
		k := newPlace(t, farmsim.Options{}).keep(t)
		known := k.worked(journal("A", "B"), soakUntil, farm.RotationResult{Report: farm.Report{Outcome: farm.RolledBack}, Snapshot: journal("B", "C")}, 2*time.Hour)
		if known.Snapshot == nil || known.Snapshot.Target.Thumbprint != "B" || !known.RetainOldUntil.Equal(soakUntil) || known.Suspended == "" {
			t.Errorf("journal %+v, soak until %s, hold %q; want those of the rotation to B, held", known.Snapshot, known.RetainOldUntil, known.Suspended)
		}
	})
	t.Run("left by decision", func(t *testing.T) {
		k := newPlace(t, farmsim.Options{}).keep(t)
		known := k.worked(journal("A", "B"), soakUntil, farm.RotationResult{Report: farm.Report{Outcome: farm.Partial}, Snapshot: journal("B", "C")}, 2*time.Hour)
		if len(known.Older) != 1 || known.Older[0].Thumbprint != "A" || !known.RetainOldUntil.IsZero() {
			t.Errorf("older %+v, soak until %s; want A to be retired, and B not before it has soaked", known.Older, known.RetainOldUntil)
		}
	})
}

func TestAKeeperOutlivesItsLook(t *testing.T) {
	k := newPlace(t, farmsim.Options{Trusting: true}).keep(t)
	during(k.env, "Compare", func() {
		k.env.CancelWorkflowByID(workflows.InspectionID(farmsim.FarmName), "")
	})
	k.at(10*time.Minute, func() {
		if known := k.known(); known.Next.Reason != "cannot look: it was cancelled" {
			t.Errorf("somebody cancelled its look: next %+v", known.Next)
		}
	})
	if known := k.until(20 * time.Hour); known.LastRun.Outcome != farm.Verified {
		t.Errorf("the look after the one that was cancelled: last %+v, want renewed", known.LastRun)
	}
}

// retiring is a keeper with a retirement at work that ends some time after it
// is called off, as end says.
func (p *place) retiring(t *testing.T, end func(workflows.RetireInput) farm.Report) *keeping {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	k := &keeping{place: p, t: t, env: suite.NewTestWorkflowEnvironment()}
	k.env.RegisterWorkflow(workflows.ManageFarm)
	k.env.RegisterWorkflow(workflows.InspectTrust)
	k.env.RegisterWorkflow(workflows.RotateTrust)
	k.env.RegisterActivity(p.activities)
	k.env.SetTestTimeout(30 * time.Second)
	k.env.RegisterWorkflowWithOptions(func(ctx workflow.Context, in workflows.RetireInput) (farm.RotationResult, error) {
		ctx.Done().Receive(ctx, nil)
		ctx, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		return farm.RotationResult{Report: end(in)}, workflow.Sleep(ctx, time.Minute)
	}, workflow.RegisterOptions{Name: "RetireCertificate"})
	return k
}

// retirement is when the retirement of a farm that is renewed at once is at
// work, and no look is due.
const retirement = 15*24*time.Hour + time.Hour

func calledOff(in workflows.RetireInput) farm.Report {
	return farm.Report{Outcome: farm.Incomplete, Target: in.Old.Thumbprint}
}

func TestAKeeperDoesNotContinueAsNewWhileItCallsARetirementOff(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.retiring(t, calledOff)
	k.at(retirement, func() {
		if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
			t.Error(err)
		}
		during(k.env, "Decide", func() { k.env.SetContinueAsNewSuggested(true) })
		k.event("1")
	})
	next, again := k.run(controller.State{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour})
	if !again || next.ActiveRun == nil || next.ActiveRun.WorkflowID != workflows.RotateID(farmsim.FarmName) {
		t.Errorf("continued %t with %+v at work, want the rotation that the event asked for", again, next.ActiveRun)
	}
}

func TestAWishIsRefusedWhileTheKeeperBeginsARotationItself(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.retiring(t, calledOff)
	refused := ""
	k.at(retirement, func() {
		if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
			t.Error(err)
		}
		k.event("1")
	})
	k.at(retirement+30*time.Second, func() {
		k.wish(controller.Request{Kind: controller.RequestRollback, By: "op", Reason: "refreshes fail"}, func(err error) { refused = err.Error() })
	})
	known := k.until(retirement + 2*time.Hour)
	if !strings.Contains(refused, "a rotation begins just now: event 1") || known.LastRun.Outcome != farm.Verified {
		t.Errorf("refused as %q, last %+v; want refused, and the rotation verified", refused, known.LastRun)
	}
}

// TestAnUndoIsRefusedOnceTheRetirementThatItCallsOffHasDeleted would else have
// issuers put back to a certificate that office servers have no more.
func TestAnUndoIsRefusedOnceTheRetirementThatItCallsOffHasDeleted(t *testing.T) {
	for why, ends := range map[string]farm.Report{
		"undo: there is no journal": {Outcome: farm.Verified},
		"the deletion of the certificate before": {Outcome: farm.Incomplete, Servers: []farm.ServerReport{
			{Host: "oos-02.contoso.com", Steps: []farm.StepReport{{Step: farm.StepDelete, State: farm.StateChanged}}},
		}},
	} {
		t.Run(why, func(t *testing.T) { undoIsRefused(t, why, ends) })
	}
}

func undoIsRefused(t *testing.T, why string, ends farm.Report) {
	t.Helper()
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.retiring(t, func(in workflows.RetireInput) farm.Report {
		ends.Target = in.Old.Thumbprint
		return ends
	})
	var refused error
	k.at(retirement, func() {
		k.env.UpdateWorkflow(workflows.RequestUpdate, "undo", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { t.Error(err) }, OnComplete: func(_ any, err error) { refused = err },
		}, controller.Request{Kind: controller.RequestRollback, By: "op", Reason: "refreshes fail"})
	})
	known := k.until(retirement + 2*time.Hour)
	if refused == nil || !strings.Contains(refused.Error(), why) || known.ActiveRun != nil || known.Suspended != "" {
		t.Errorf("refused as %v, at work %+v, hold %q; want nothing undone", refused, known.ActiveRun, known.Suspended)
	}
	p.refreshes(t)
}
