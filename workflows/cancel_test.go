package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

// during has something happen once, when an activity starts.
func during(env *testsuite.TestWorkflowEnvironment, name string, happen func()) {
	done := false
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		if info.ActivityType.Name == name && !done {
			done = true
			happen()
		}
	})
}

func TestACancellationUndoesWheneverItComes(t *testing.T) {
	for claim, c := range map[string]struct {
		policy  func(*farm.RotationPolicy)
		prepare func(*testsuite.TestWorkflowEnvironment)
		want    farm.Outcome
	}{
		"while it observes": {
			prepare: func(env *testsuite.TestWorkflowEnvironment) { during(env, "ObserveOffice", env.CancelWorkflow) },
			want:    farm.Refused,
		},
		"while it waits for approval": {
			policy: func(r *farm.RotationPolicy) { r.Approval = true },
			prepare: func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
			},
			want: farm.RolledBack,
		},
		"while it waits for the window": {
			policy: func(r *farm.RotationPolicy) {
				r.Window = farm.Window{Days: []time.Weekday{time.Sunday}, From: 2 * time.Hour, To: 5 * time.Hour, Zone: "UTC"}
			},
			prepare: func(env *testsuite.TestWorkflowEnvironment) {
				env.SetStartTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
				env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
			},
			want: farm.RolledBack,
		},
		"in the middle of a step": {
			prepare: func(env *testsuite.TestWorkflowEnvironment) { during(env, "TrustIssuer", env.CancelWorkflow) },
			want:    farm.RolledBack,
		},
		"a second time, on its way back": {
			prepare: func(env *testsuite.TestWorkflowEnvironment) {
				first := false
				env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
					if again := info.ActivityType.Name == "PutIssuerBack"; again || (info.ActivityType.Name == "TrustIssuer" && !first) {
						first = true
						env.CancelWorkflow()
					}
				})
			},
			want: farm.RolledBack,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			p := newPlace(t, farmsim.Options{Trusting: true})
			if c.policy != nil {
				p.policy = policy(c.policy)
			}
			before := p.sim.World.State()
			report, err := p.rotate(t, c.prepare)
			if err == nil || report.Outcome != c.want || !strings.Contains(report.Statement, "cancelled") {
				t.Fatalf("ended %q: %s, %v; want %s, and cancelled", report.Outcome, report.Statement, err, c.want)
			}
			p.sameTrust(t, before)
			p.refreshes(t)
		})
	}
}

func TestAnUndoIsNotCutShortByACancellation(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	before := p.sim.World.State()
	env := p.environment(t)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test"})
	var rotated farm.RotationResult
	if err := env.GetWorkflowResult(&rotated); err != nil {
		t.Fatal(err)
	}
	env = p.environment(t)
	during(env, "PutS2SCertificateBack", env.CancelWorkflow)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Intent: farm.Rollback, Snapshot: rotated.Snapshot})
	report, err := ended(t, env)
	if err != nil || report.Outcome != farm.RolledBack {
		t.Fatalf("cancelled in the middle of an undo: %s %s, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
	p.refreshes(t)
}

func TestACompromisedCertificateThatIsTheNewestIsNotCalledReplaced(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	p.renewed(t)
	env := p.environment(t)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "leaked", Intent: farm.ReplaceCompromised})
	report, err := ended(t, env)
	if err == nil || report.Outcome != farm.Refused || !strings.Contains(report.Statement, "provide another") {
		t.Errorf("the source has nothing newer: %s %s, %v; want refused", report.Outcome, report.Statement, err)
	}
}

func TestAnExpiredCertificateIsReplacedAsThatAndNeverComesBack(t *testing.T) {
	// By every clock the old certificate has ended; the newest has not.
	const later = 20 * 24 * time.Hour
	skew := map[string]time.Duration{}
	for _, host := range []string{"oos-01", "oos-02", "oos-03", "sp-01", "sp-02"} {
		skew[host+".contoso.com"] = later
	}
	p := newPlace(t, farmsim.Options{Trusting: true, Skew: skew})
	p.policy = policy(func(r *farm.RotationPolicy) { r.OnFailure = farm.OnFailureRollBack })
	p.activities.Now = func() time.Time { return time.Now().Add(later) }
	if err := p.sim.AddFaults(broken("sp-01.contoso.com", "Set-TrustedIssuer")); err != nil {
		t.Fatal(err)
	}
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			decide(t, env, farm.Decision{Choice: farm.RollBack}, func(err error) {
				if !strings.Contains(err.Error(), "an expired certificate is never restored") {
					t.Errorf("rolling back to an expired certificate is refused as %v", err)
				}
			})
			p.sim.ClearFaults()
			decide(t, env, farm.Decision{Choice: farm.Retry}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified || report.Intent != farm.ReplaceExpired {
		t.Fatalf("expired: %s (%s) %s, %v", report.Outcome, report.Intent, report.Statement, err)
	}
}

func TestACancellationBeforeAnyChangeDoesNotUndoTheRotationBefore(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	rotated := p.verified(t)
	if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	before := p.sim.World.State()
	env := p.environment(t)
	during(env, "ObserveOffice", env.CancelWorkflow)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "next", Snapshot: rotated.Snapshot})
	report, err := ended(t, env)
	if err == nil || report.Outcome != farm.Refused || report.Statement != "cancelled before anything was changed" {
		t.Errorf("cancelled while it observes: %s %s, %v; want that nothing was changed", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

func TestACompromisedCertificateThatAnEarlierRotationBroughtIsNotCalledReplaced(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	rotated := p.verified(t)
	for resumes, want := range map[bool]farm.Outcome{false: farm.Refused, true: farm.NoChange} {
		rotated.Snapshot.Compromised = resumes
		env := p.environment(t)
		env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{
			Farm: farmsim.FarmName, Reason: "leaked", Intent: farm.ReplaceCompromised, Snapshot: rotated.Snapshot,
		})
		if report, err := ended(t, env); report.Outcome != want {
			t.Errorf("the newest is in use, to replace a compromised one %t: %s %s, %v; want %s", resumes, report.Outcome, report.Statement, err, want)
		}
	}
}
