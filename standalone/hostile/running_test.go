package hostile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// testRunning attacks a rotation and a retirement whenever they wait, with every message
// that any workflow takes, on a farm whose configuration says who decides. Nothing is
// taken: what they wait for, and the farm, stay as they are until the one who may decides.
func testRunning(t *testing.T, w *world) {
	ada := newSigner(t, "Ada")
	program := newProgram(t, w.server.Address())
	f := w.newFarm(t, "litware", "site: guarded", ada.approvers(program.publicKey(t)))
	f.config.Farms[0].Rotation.KeepOldFor = time.Second // the retirement begins at once
	w.startWorker(t, f)

	var run *client.Run
	await(t, "the controller of "+f.name, func() (err error) {
		run, err = f.client.Rotate(t.Context(), ada.author())
		return err
	})
	if err := f.client.Release(t.Context(), ada.author()); err != nil {
		t.Fatal(err)
	}
	waits := w.attackRun(t, f, run, farm.ForApproval, ada)
	if err := f.sim.AddFaults(fault.Fault{Step: "Set-S2SCertificateName", Kind: fault.ScriptError, Times: -1, Error: &fault.Error{
		ID: powershell.SettingNotKept, Message: "the name did not stay",
	}}); err != nil {
		t.Fatal(err)
	}
	if !program.approve(t, f, waits.Digest) {
		ada.decide(t, f, run, farm.Decision{Choice: farm.Approve, Digest: waits.Digest})
	}
	w.attackRun(t, f, run, farm.ForDecision, ada)
	f.sim.Faults.Clear()
	ada.decide(t, f, run, farm.Decision{Choice: farm.Retry})
	requireVerified(t, run, ada.name)
	w.attackRun(t, f, f.client.Run(t.Context(), workflows.RetireID(f.name), ""), farm.ForApproval, ada)
	w.requireAllAttacked(t, f)
}

// requireAllAttacked fails the test where a type of workflow takes messages, and is not
// among those that were attacked while they ran.
func (w *world) requireAllAttacked(t *testing.T, f *testFarm) {
	t.Helper()
	if _, err := f.client.Inspect(t.Context()); err != nil {
		t.Fatal(err)
	}
	attacked := []string{"ManageFarm", "RotateTrust", "RetireCertificate"}
	for _, kind := range workflows.Types() {
		if slices.Contains(attacked, kind) {
			continue
		}
		d := w.describeRun(t, workflowInputs[kind].id(f.name), "")
		if len(d.SignalDefinitions)+len(d.UpdateDefinitions) > 0 {
			t.Errorf("%s takes messages, and is not attacked while it runs: %v", kind, d)
		}
	}
}

// attackRun attacks a run and the farm's controller while the run waits, and returns what
// for.
func (w *world) attackRun(t *testing.T, f *testFarm, run *client.Run, what farm.WaitFor, honest *signer) farm.Wait {
	t.Helper()
	before, began := awaitWait(t, run, what), time.Now()
	defer func() { t.Logf("%s, which waits for %s, was attacked for %s", run.ID(), what, time.Since(began)) }()
	f.startOver()
	for i, forger := range w.forgers(f)[:2] {
		forger.run = controller.Admission{WorkflowID: run.ID(), RunID: "forged"} // of the true one anybody may know
		if i == 1 {
			forger.proof = honest.last
		}
		for _, id := range []string{run.ID(), workflows.ControllerID(f.name)} {
			for _, taken := range w.sendAll(t, id, forger) {
				t.Errorf("%s has taken: %.300s", id, taken)
			}
		}
	}
	stranger := newSigner(t, honest.name)
	for _, choice := range farm.Choices() {
		d := farm.Decision{Choice: choice, Digest: before.Digest, Until: time.Now().Add(time.Hour)}
		if err := run.DecideAs(t.Context(), f.name, stranger.author(), d); err == nil {
			t.Errorf("%s has taken %s by a stranger's key", run.ID(), choice)
		}
		d.By, d.Reason, d.Proof = honest.name, "attack", honest.last
		if err := run.Decide(t.Context(), d); err == nil {
			t.Errorf("%s has taken %s by a proof of something else", run.ID(), choice)
		}
	}
	if after := awaitWait(t, run, what); after.Digest != before.Digest {
		t.Errorf("%s waits for %+v, and waited for %+v", run.ID(), after, before)
	}
	f.requireUnchanged(t)
	return before
}

// awaitWait waits until a run waits for something.
func awaitWait(t *testing.T, run *client.Run, what farm.WaitFor) (wait farm.Wait) {
	t.Helper()
	await(t, run.ID()+" to wait", func() error {
		s, err := run.Status(t.Context())
		switch {
		case err != nil:
			return err
		case s.Wait == nil || s.Wait.For != what:
			return fmt.Errorf("%s: %+v", s.Phase, s.Wait)
		}
		wait = *s.Wait
		return nil
	})
	return wait
}
