package workflows_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/workflows"
)

// broken is a fault that no retry gets past, until it is cleared.
func broken(server, script string) fault.Fault {
	return fault.Fault{Server: server, Step: script, Kind: fault.ScriptError, Times: -1, Error: &fault.Error{ID: "Test,Broken", Message: "the disk is full"}}
}

// decide sends a decision when the rotation waits; refused gets the reason if
// it is refused.
func decide(t *testing.T, env *testsuite.TestWorkflowEnvironment, d farm.Decision, refused func(error)) {
	t.Helper()
	if d.By == "" {
		d.By, d.Reason = "op", "a test"
	}
	env.UpdateWorkflow(workflows.DecideUpdate, "", &testsuite.TestUpdateCallback{
		OnAccept: func() {},
		OnReject: func(err error) {
			if refused == nil {
				t.Errorf("decision %+v was refused: %v", d, err)
				return
			}
			refused(err)
		},
		OnComplete: func(any, error) {},
	}, d)
}

func status(t *testing.T, env *testsuite.TestWorkflowEnvironment) farm.Status {
	t.Helper()
	answer, err := env.QueryWorkflow(workflows.StatusQuery)
	if err != nil {
		t.Fatal(err)
	}
	var s farm.Status
	if err := answer.Get(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// policy sets a farm's rotation policy.
func policy(change func(*farm.RotationPolicy)) func(*farm.Farm) {
	return func(f *farm.Farm) { change(&f.Rotation) }
}

func TestAParkedRotationSaysWhatHappenedAndGoesOnWhenRetried(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	if err := p.sim.AddFaults(broken("oos-02.contoso.com", "Import-S2SCertificate")); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			s := status(t, env)
			if s.Wait == nil || len(s.Wait.Blocked) != 1 {
				t.Fatalf("after the retries ran out it waits for %+v, want one parked step", s.Wait)
			}
			parked := s.Wait.Blocked[0]
			if parked.Server != "oos-02.contoso.com" || parked.Step != farm.StepImport || !strings.Contains(parked.Text, "the disk is full") || parked.Until.IsZero() || parked.Then == "" {
				t.Errorf("parked as %+v, want server, step, what happened, until when and what follows", parked)
			}
			p.sim.ClearFaults()
			decide(t, env, farm.Decision{Choice: farm.Retry, Server: "oos-02.contoso.com"}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("retried: %s, %v", report.Outcome, err)
	}
	if row := step(t, report, "oos-02.contoso.com", farm.StepImport); row.State != farm.StateChanged || strings.Contains(row.Detail, "the disk is full") {
		t.Errorf("retried: %s, %q; want changed, and no word of what is over", row.State, row.Detail)
	}
	if len(report.Decisions) != 1 || report.Decisions[0].By != "op" || report.Decisions[0].Reason == "" {
		t.Errorf("the report records %+v, want who decided and why", report.Decisions)
	}
	p.refreshes(t)
}

func TestARotationGoesBackByDecisionByPolicyByDeadlineAndByCancellation(t *testing.T) {
	for claim, c := range map[string]struct {
		policy  func(*farm.RotationPolicy)
		prepare func(*testing.T, *testsuite.TestWorkflowEnvironment)
		cancels bool
	}{
		"by decision": {prepare: func(t *testing.T, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { decide(t, env, farm.Decision{Choice: farm.RollBack}, nil) }, time.Hour)
		}},
		"by policy":   {policy: func(r *farm.RotationPolicy) { r.OnFailure = farm.OnFailureRollBack }},
		"by deadline": {policy: func(r *farm.RotationPolicy) { r.DecisionTimeout = 2 * time.Hour }},
		"by cancellation": {cancels: true, prepare: func(_ *testing.T, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
		}},
	} {
		for _, script := range []string{"Grant-S2SKey", "Set-TrustedIssuer", "Restart-SharePointServer"} {
			t.Run(claim+" at "+script, func(t *testing.T) {
				p := newPlace(t, farmsim.Options{Trusting: true})
				if c.policy != nil {
					p.policy = policy(c.policy)
				}
				before := p.sim.World.State()
				// The way back restarts too, so this one passes after the first time.
				f := broken("", script)
				if script == "Restart-SharePointServer" {
					f.Server, f.Times = "sp-01.contoso.com", 9
				}
				if err := p.sim.AddFaults(f); err != nil {
					t.Fatal(err)
				}
				report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
					if c.prepare != nil {
						c.prepare(t, env)
					}
				})
				if report.Outcome != farm.RolledBack || (err != nil) != c.cancels {
					t.Fatalf("ended %q: %s, %v", report.Outcome, report.Statement, err)
				}
				p.sameTrust(t, before)
				p.refreshes(t)
			})
		}
	}
}

func TestDecisionsAtTheWrongMomentAreRefused(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	p.policy = policy(func(r *farm.RotationPolicy) { r.Approval = true })
	refusals := map[string]farm.Decision{
		"is none of the choices": {By: "op", Reason: "x"},
		"say why":                {Choice: farm.Abort, By: "op"},
		"give the digest":        {Choice: farm.Approve},
		"the digest is now":      {Choice: farm.Approve, Digest: "0123"},
		"nothing is parked":      {Choice: farm.Retry},
		"nothing is parked on":   {Choice: farm.Skip, Server: "oos-02.contoso.com"},
	}
	heard := 0
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			for want, d := range refusals {
				decide(t, env, d, func(err error) {
					heard++
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%+v is refused as %v, want %q", d, err, want)
					}
				})
			}
			decide(t, env, farm.Decision{Choice: farm.Approve, Digest: status(t, env).Wait.Digest}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("approved: %s, %v", report.Outcome, err)
	}
	if heard != len(refusals) {
		t.Errorf("%d of %d decisions were refused", heard, len(refusals))
	}
}

func TestASkippedServerIsLeftOutAndTheReportListsWhatDiffers(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	if err := p.sim.AddFaults(broken("oos-03.contoso.com", "Import-S2SCertificate")); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(t, env, farm.Decision{Choice: farm.Skip, Server: "oos-03.contoso.com"}, func(err error) {
				if !strings.Contains(err.Error(), "data refreshes will fail") {
					t.Errorf("skipping a server that serves users is refused as %v, want the consequence", err)
				}
			})
		}, time.Hour)
		env.RegisterDelayedCallback(func() {
			decide(t, env, farm.Decision{Choice: farm.Skip, Server: "oos-03.contoso.com", Force: true}, nil)
		}, 2*time.Hour)
	})
	if err != nil || report.Outcome != farm.Partial {
		t.Fatalf("skipped: %s, %v", report.Outcome, err)
	}
	differs := false
	for _, d := range report.Differences {
		if d.Server != "oos-03.contoso.com" {
			t.Errorf("something else differs: %+v", d)
		}
		differs = true
	}
	if !differs {
		t.Error("the report does not list what differs on the skipped server")
	}
}

func TestAServerThatWasLeftOutIsNotLeftOutOfTheWayBack(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	before := p.sim.World.State()
	if err := p.sim.AddFaults(broken("oos-03.contoso.com", "Grant-S2SKey"), broken("sp-01.contoso.com", "Set-TrustedIssuer")); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(t, env, farm.Decision{Choice: farm.Skip, Server: "oos-03.contoso.com", Force: true}, nil)
			decide(t, env, farm.Decision{Choice: farm.Skip, Server: "oos-03.contoso.com", Force: true}, func(err error) {
				if !strings.Contains(err.Error(), "nothing is parked on") {
					t.Errorf("skipped a second time: %v", err)
				}
			})
		}, time.Hour)
		env.RegisterDelayedCallback(func() {
			p.sim.ClearFaults()
			decide(t, env, farm.Decision{Choice: farm.RollBack}, nil)
		}, 2*time.Hour)
	})
	if err != nil || report.Outcome != farm.RolledBack || !strings.Contains(report.Statement, "op decided so") {
		t.Fatalf("ended %s: %s, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

func TestAServerThatIsLeftOutOfTheWayBackIsNotCalledUndone(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	p.policy = policy(func(r *farm.RotationPolicy) { r.OnFailure = farm.OnFailureRollBack })
	if err := p.sim.AddFaults(broken("sp-01.contoso.com", "Set-TrustedIssuer"), broken("oos-03.contoso.com", "Remove-S2SCertificate")); err != nil {
		t.Fatal(err)
	}
	asked := 0
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			parked := status(t, env).Wait.Blocked
			if asked = len(parked); asked != 1 || parked[0].Until.IsZero() || parked[0].Then != "then it is tried again" {
				t.Errorf("on the way back it is parked as %+v, want until when and that it is tried again", parked)
			}
		}, time.Hour)
		env.RegisterDelayedCallback(func() {
			decide(t, env, farm.Decision{Choice: farm.Skip, Server: "oos-03.contoso.com", Force: true}, nil)
		}, 50*time.Hour)
	})
	if err != nil || report.Outcome != farm.Partial || len(report.Differences) == 0 || asked == 0 {
		t.Fatalf("ended %s with %d differences: %s, %v", report.Outcome, len(report.Differences), report.Statement, err)
	}
	for _, d := range report.Differences {
		if d.Server != "oos-03.contoso.com" {
			t.Errorf("left on another server: %s: %s", d.Server, d.Text)
		}
	}
}

func TestAServerThatRestartsIsWaitedForAndAnythingElseNotForLong(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	if err := p.sim.AddFaults(
		fault.Fault{Server: "oos-02.contoso.com", Step: "Import-S2SCertificate", Kind: fault.Refused, Times: 20},
		fault.Fault{Server: "oos-03.contoso.com", Step: "Import-S2SCertificate", Kind: fault.ScriptError, Times: 9, Error: &fault.Error{ID: "Test,Broken", Message: "the disk is full"}},
	); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			parked := status(t, env).Wait.Blocked
			if len(parked) != 1 || parked[0].Server != "oos-03.contoso.com" {
				t.Errorf("parked are %+v, want only the server with the full disk", parked)
			}
			decide(t, env, farm.Decision{Choice: farm.Retry}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified || len(p.sim.Pending()) > 0 {
		t.Fatalf("ended %s: %s, %v, with %+v still to come", report.Outcome, report.Statement, err, p.sim.Pending())
	}
}
