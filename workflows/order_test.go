package workflows_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/workflows"
)

// log records which activities ran on which host, in order of their start.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) listen(env *testsuite.TestWorkflowEnvironment) {
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.ServerInput
		if args.HasValues() && args.Get(&in) == nil && in.Host != "" {
			l.mu.Lock()
			l.lines = append(l.lines, info.ActivityType.Name+" "+in.Host)
			l.mu.Unlock()
		}
	})
}

// of returns the hosts on which an activity ran, in order.
func (l *log) of(name string) []string {
	var hosts []string
	for _, line := range l.lines {
		if host, ok := strings.CutPrefix(line, name+" "); ok {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func TestACanaryThatFailsGoesBackBeforeTheNextServerIsTouched(t *testing.T) {
	for claim, restarted := range map[string]string{
		"the first server":               "",
		"the first that is not yet done": "oos-01.contoso.com",
	} {
		t.Run(claim, func(t *testing.T) {
			p := newPlace(t, farmsim.Options{OfficeServers: 5, Trusting: true})
			p.policy = policy(func(r *farm.RotationPolicy) { r.RestartAtOnce = 2 })
			before := p.sim.World.State()
			var journal *farm.Snapshot
			canary := "oos-01.contoso.com"
			if restarted != "" {
				canary, journal = "oos-02.contoso.com", p.leaveAfterRestartOf(t, restarted)
			}
			f := broken(canary, "Restart-OfficeServer")
			f.Times = 9
			if err := p.sim.AddFaults(f); err != nil {
				t.Fatal(err)
			}
			var l log
			env := p.environment(t)
			l.listen(env)
			env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test", Snapshot: journal})
			report, err := ended(t, env)
			if err != nil || report.Outcome != farm.RolledBack || !strings.Contains(report.Statement, "because the canary failed") || !strings.Contains(report.Statement, canary) {
				t.Fatalf("canary fails: %s %s, %v", report.Outcome, report.Statement, err)
			}
			forth := l.lines[:slices.IndexFunc(l.lines, func(line string) bool { return strings.HasPrefix(line, "PutIssuerBack") })]
			for _, line := range forth {
				host, ok := strings.CutPrefix(line, "RestartOffice ")
				if ok && host != canary && host != restarted {
					t.Errorf("the canary failed, but before the way back: %s", line)
				}
			}
			p.sameTrust(t, before)
			p.refreshes(t)
		})
	}
}

// leaveAfterRestartOf leaves a rotation half-way, as one that is terminated is:
// one office server is restarted, the next is not. It returns the journal.
func (p *place) leaveAfterRestartOf(t *testing.T, host string) *farm.Snapshot {
	t.Helper()
	env := p.environment(t)
	var after bool
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.ServerInput
		if info.ActivityType.Name == "RestartOffice" && args.Get(&in) == nil && in.Host != host && !after {
			after = true
			if err := p.sim.AddFaults(broken(in.Host, "Restart-OfficeServer")); err != nil {
				t.Error(err)
			}
		}
	})
	// After its canary a rotation that fails parks.
	env.RegisterDelayedCallback(func() {
		p.sim.ClearFaults()
		decide(t, env, farm.Decision{Choice: farm.Abort}, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test"})
	var left farm.RotationResult
	if err := env.GetWorkflowResult(&left); err != nil || left.Outcome != farm.Partial || left.Snapshot == nil {
		t.Fatalf("left: %s %s, %v", left.Outcome, left.Statement, err)
	}
	return left.Snapshot
}

func TestFarmWideSettingsFollowTheMaster(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	moved := false
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
			if info.ActivityType.Name == "SetS2SCertificate" && !moved {
				moved = true
				if err := p.sim.World.MoveMaster("oos-02.contoso.com"); err != nil {
					t.Error(err)
				}
			}
		})
	})
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("master moved in the middle: %s, %v", report.Outcome, err)
	}
	if got := step(t, report, "oos-02.contoso.com", farm.StepS2SName).State; got != farm.StateChanged {
		t.Errorf("S2SCertificateName on the new master is %q, want changed", got)
	}
	p.refreshes(t)
}

func TestARotationThatWasLeftIsFinishedByTheNext(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	if err := p.sim.AddFaults(broken("sp-01.contoso.com", "Set-TrustedIssuer")); err != nil {
		t.Fatal(err)
	}
	first, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { decide(t, env, farm.Decision{Choice: farm.Abort}, nil) }, time.Hour)
	})
	if err != nil || first.Outcome != farm.Partial || len(first.Differences) == 0 {
		t.Fatalf("aborted: %s with %d differences, %v", first.Outcome, len(first.Differences), err)
	}
	p.sim.ClearFaults()
	second, err := p.rotate(t)
	if err != nil || second.Outcome != farm.Verified {
		t.Fatalf("rotated again: %s, %v", second.Outcome, err)
	}
	for _, done := range []farm.Step{farm.StepImport, farm.StepGrant} {
		if got := step(t, second, "oos-02.contoso.com", done).State; got != farm.StateUnchanged {
			t.Errorf("%s was done before, now %q, want already", done, got)
		}
	}
	p.refreshes(t)
}

func TestPreconditionsThatFailChangeNothing(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	p.policy = func(f *farm.Farm) { f.Office.Servers = f.Office.Servers[:2] }
	before := p.sim.World.State()
	report, err := p.rotate(t)
	if err == nil || report.Outcome != farm.Refused || !strings.Contains(report.Statement, "OOS-03") || !strings.Contains(report.Statement, "add it to office.servers") {
		t.Errorf("a machine of the farm is not configured: %s %q, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

func TestAnUnreachableServerRefusesTheRotationAndNamesItself(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	before := p.sim.World.State()
	if err := p.sim.AddFaults(fault.Fault{Server: "oos-03.contoso.com", Kind: fault.Refused, Times: -1}); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t)
	if err == nil || report.Outcome != farm.Refused || !strings.Contains(report.Statement, "oos-03.contoso.com: unreachable") {
		t.Errorf("unreachable: %s %q, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

func TestAnInspectionChangesNothingAndSaysWhatARotationWouldDo(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	before := p.sim.World.State()
	env := p.environment(t)
	env.ExecuteWorkflow(workflows.InspectTrust, workflows.InspectInput{Farm: farmsim.FarmName})
	var seen farm.Inspection
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if err := env.GetWorkflowResult(&seen); err != nil {
		t.Fatal(err)
	}
	var steps []farm.Step
	for _, d := range seen.Plan {
		if !slices.Contains(steps, d.Step) {
			steps = append(steps, d.Step)
		}
	}
	want := []farm.Step{farm.StepImport, farm.StepGrant, farm.StepRootAuthority, farm.StepS2SName, farm.StepReplication, farm.StepIssuer, farm.StepRestart}
	if !slices.Equal(steps, want) {
		t.Errorf("the plan of a first set-up has the steps %v, want %v", steps, want)
	}
	p.sameTrust(t, before)
}

func TestTheFarmsOfAHundredServersFitIntoOneRotation(t *testing.T) {
	p := newPlace(t, farmsim.Options{OfficeServers: 100, SharePointFarms: 10, SharePointServers: 2})
	p.policy = policy(func(r *farm.RotationPolicy) { r.AtOnce, r.RestartAtOnce = 20, 25 })
	report, err := p.rotate(t)
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("the largest farm: %s %s, %v", report.Outcome, report.Statement, err)
	}
	p.refreshes(t)
}
