package workflows_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/activities"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/workflows"
)

func TestTheSwitchWaitsForItsWindowAndIsHeldWhenTheFarmMoved(t *testing.T) {
	t.Run("window", func(t *testing.T) {
		p := newPlace(t, farmsim.Options{})
		w, err := farm.ParseWindow("daily 02:00-05:00 UTC")
		if err != nil {
			t.Fatal(err)
		}
		p.policy = policy(func(r *farm.RotationPolicy) { r.Window = w })
		var started time.Time
		report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
			env.SetStartTime(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
			env.RegisterDelayedCallback(func() {
				if s := status(t, env); s.Wait == nil || s.Wait.For != farm.ForWindow {
					t.Errorf("at 13:00 it waits for %+v, want the window", s.Wait)
				}
			}, time.Hour)
			env.RegisterDelayedCallback(func() { started = env.Now() }, 0)
		})
		if err != nil || report.Outcome != farm.Verified {
			t.Fatalf("%s, %v", report.Outcome, err)
		}
		ended := started.Add(time.Duration(report.DurationMS) * time.Millisecond).UTC()
		if ended.Hour() < 2 || ended.Hour() >= 5 {
			t.Errorf("ended at %s, outside of the window", ended)
		}
	})
	t.Run("moved", func(t *testing.T) {
		p := newPlace(t, farmsim.Options{Trusting: true})
		p.policy = policy(func(r *farm.RotationPolicy) { r.Approval = true })
		report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				p.removeIssuer(t)
				decide(t, env, farm.Decision{Choice: farm.Approve, Digest: status(t, env).Wait.Digest}, nil)
			}, time.Hour)
			env.RegisterDelayedCallback(func() {
				s := status(t, env)
				if s.Wait == nil || len(s.Wait.Blocked) != 1 || !strings.Contains(s.Wait.Blocked[0].Text, "moved since it was planned") {
					t.Errorf("somebody removed an issuer after the approval; it waits for %+v", s.Wait)
				}
				decide(t, env, farm.Decision{Choice: farm.Abort}, nil)
			}, 2*time.Hour)
		})
		if err != nil || report.Outcome != farm.Partial {
			t.Fatalf("aborted: %s, %v", report.Outcome, err)
		}
	})
}

func TestACompromisedCertificateWaitsForNothingAndNeverComesBack(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	p.policy = policy(func(r *farm.RotationPolicy) { r.Approval = true })
	env := p.environment(t)
	if err := p.sim.AddFaults(broken("", "Set-TrustedIssuer")); err != nil {
		t.Fatal(err)
	}
	env.RegisterDelayedCallback(func() {
		decide(t, env, farm.Decision{Choice: farm.RollBack}, func(err error) {
			if !strings.Contains(err.Error(), "compromised, and never restored") {
				t.Errorf("rolling back to a compromised certificate is refused as %v", err)
			}
		})
		p.sim.ClearFaults()
		decide(t, env, farm.Decision{Choice: farm.Retry}, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "leaked", Intent: farm.ReplaceCompromised})
	var report farm.RotationResult
	if err := errors.Join(env.GetWorkflowError(), env.GetWorkflowResult(&report)); err != nil || report.Outcome != farm.Verified {
		t.Fatalf("%s, %v", report.Outcome, err)
	}
}

// compares has every comparison made for real, and find be told which one it
// is, from 1; it may change what was found, or fail.
func (p *place) compares(env *testsuite.TestWorkflowEnvironment, find func(nth int, c *activities.Comparison) error) {
	nth := 0
	env.RegisterActivityWithOptions(func(ctx context.Context, in activities.CompareInput) (activities.Comparison, error) {
		c, err := p.activities.Compare(ctx, in)
		if nth++; err == nil {
			err = find(nth, &c)
		}
		return c, err
	}, activity.RegisterOptions{Name: "Compare", DisableAlreadyRegisteredCheck: true})
}

func TestASwitchDoesNotBeginAfterItsWindow(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	w, err := farm.ParseWindow("daily 02:00-05:00 UTC")
	if err != nil {
		t.Fatal(err)
	}
	p.policy = policy(func(r *farm.RotationPolicy) { r.Window = w })
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		env.SetStartTime(began)
		p.compares(env, func(nth int, _ *activities.Comparison) error {
			if nth != 2 {
				return nil
			}
			// As when no worker ran while the window was open.
			return temporal.NewApplicationErrorWithOptions("held up", "", temporal.ApplicationErrorOptions{NextRetryDelay: 8 * time.Hour})
		})
	})
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("%s %s, %v", report.Outcome, report.Statement, err)
	}
	end := began.Add(time.Duration(report.DurationMS) * time.Millisecond)
	if end.Day() != 25 || end.Hour() < 2 || end.Hour() >= 5 {
		t.Errorf("ended at %s, want in the window of the 25th", end)
	}
}

func TestTheSwitchIsHeldByWhatWouldHaveRefusedIt(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	mended := false
	report, err := p.rotate(t, func(env *testsuite.TestWorkflowEnvironment) {
		p.compares(env, func(nth int, c *activities.Comparison) error {
			if nth > 1 && !mended {
				c.Findings = append(c.Findings, farm.Finding{
					Code: "pending-reboot", Severity: farm.Stop, Server: "oos-02.contoso.com", Text: "Windows waits for a restart", Remedy: "restart it first",
				})
			}
			return nil
		})
		env.RegisterDelayedCallback(func() {
			s := status(t, env)
			if s.Phase != farm.PhaseWaiting || s.Wait == nil || len(s.Wait.Blocked) != 1 ||
				s.Wait.Blocked[0].Text != "since it was planned: oos-02.contoso.com: Windows waits for a restart: restart it first" {
				t.Errorf("in %s a server waits for a restart; it waits for %+v", s.Phase, s.Wait)
			}
			mended = true
			decide(t, env, farm.Decision{Choice: farm.Retry}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified || !mended {
		t.Fatalf("restarted: %s %s, %v; held %t", report.Outcome, report.Statement, err, mended)
	}
}
