package controller_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func TestSummary_Standing(t *testing.T) {
	now := time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)
	run := func(phase farm.Phase, needsOperator bool) func(*controller.Summary) {
		return func(s *controller.Summary) {
			s.Phase, s.Run = controller.Rotating, controller.RunSummary{WorkflowID: "rotate/contoso", Phase: phase, NeedsOperator: needsOperator}
		}
	}
	answer := func(state controller.State) func(*controller.Summary) {
		return func(s *controller.Summary) {
			state.Inspected = controller.Inspected{At: s.Inspected, Current: farm.StoreCertificate{Thumbprint: "DB0F", NotAfter: s.NotAfter}}
			s.Answer(state, now)
		}
	}
	for _, c := range []struct {
		name     string
		change   func(*controller.Summary)
		want     controller.Standing
		troubled bool
	}{
		{"in order", func(*controller.Summary) {}, controller.Trusted, false},
		{"in order, and ends soon", func(s *controller.Summary) { s.NotAfter = now.AddDate(0, 0, 9) }, controller.Trusted, true},
		{"expired", func(s *controller.Summary) { s.NotAfter = now.AddDate(0, 0, -1) }, controller.Expired, true},
		{"expired, and being replaced", func(s *controller.Summary) {
			run(farm.PhaseRestarting, false)(s)
			s.NotAfter = now.AddDate(0, 0, -1)
		}, controller.InRotation, false},
		{"waits for approval, by its marks", run(farm.PhaseWaiting, true), controller.AwaitsApproval, true},
		{"waits for its window, by its marks", run(farm.PhaseWaiting, false), controller.AwaitsWindow, false},
		{"is blocked, by its marks", run(farm.PhaseRestarting, true), controller.Blocked, true},
		{"rolls back", run(farm.PhaseRollingBack, false), controller.InRollback, false},
		{"is blocked before its cutover, as the controller says", func(s *controller.Summary) {
			run(farm.PhaseWaiting, true)(s)
			answer(controller.State{Active: &controller.ActiveRun{WorkflowID: "rotate/contoso", Wait: &farm.Wait{For: farm.ForDecision}}})(s)
		}, controller.Blocked, true},
		{"a deletion waits for approval", func(s *controller.Summary) {
			s.Phase, s.Run = controller.Retiring, controller.RunSummary{WorkflowID: "retire/contoso", Retirement: true, Phase: farm.PhaseRetiring, NeedsOperator: true}
		}, controller.AwaitsApproval, true},
		{"retires", func(s *controller.Summary) {
			s.Phase, s.Run = controller.Retiring, controller.RunSummary{WorkflowID: "retire/contoso", Retirement: true, Phase: farm.PhaseRetiring}
		}, controller.InRetirement, false},
		{"suspended", func(s *controller.Summary) { s.Phase, s.NeedsOperator = controller.Suspended, true }, controller.IsSuspended, true},
		{"unmanaged", func(s *controller.Summary) { s.Phase, s.NeedsOperator = controller.Unmanaged, true }, controller.IsUnmanaged, true},
		{"a finding stops it", func(s *controller.Summary) { s.NeedsOperator = true }, controller.NotInOrder, true},
		{"a newer certificate is not due", func(s *controller.Summary) { s.Phase = controller.Waiting }, controller.AwaitsRenewal, false},
		{"no newer certificate", answer(controller.State{Next: farm.Next{Action: farm.ActionAwaitCertificate}}), controller.AwaitsCertificate, false},
		{"data refreshes may fail", func(s *controller.Summary) {
			answer(controller.State{Format: controller.Format, Released: &controller.Release{By: "ada"}})(s)
			s.State.Inspected.RefreshDoubt = "oos-01 signs with DB0F, and SharePoint trusts 9988"
		}, controller.InDoubt, true},
		{"not released, and in order", answer(controller.State{Format: controller.Format}), controller.NotReleased, false},
		{"not released, and due", answer(controller.State{
			Format: controller.Format, Next: farm.Next{Code: farm.CodeNotReleased, NeedsOperator: true},
		}), controller.NotReleased, true},
		{"not released, and stopped by a finding", answer(controller.State{
			Format: controller.Format, Next: farm.Next{Code: farm.CodeStopped, NeedsOperator: true},
		}), controller.NotInOrder, true},
		{"observed only", answer(controller.State{Format: controller.Format, Policy: controller.Policy{Mode: farm.ModeObserve}}), controller.IsObserved, false},
		{"postponed", answer(controller.State{
			Format: controller.Format, Released: &controller.Release{By: "ada"}, Postponed: &controller.Postponement{Until: now.Add(time.Hour), By: "ada"},
		}), controller.IsPostponed, false},
		{"just started", func(s *controller.Summary) { *s = controller.Summary{Farm: "contoso", Managed: true} }, controller.NotInspected, false},
		{"terminated", func(s *controller.Summary) { s.Managed = false }, controller.NoController, true},
		{"cannot be replayed", func(s *controller.Summary) { s.Problem = "[TMPRL1100]" }, controller.Trusted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := controller.Summary{Farm: "contoso", Managed: true, Phase: controller.Idle, NotAfter: now.AddDate(1, 0, 0), Inspected: now.Add(-time.Hour)}
			c.change(&s)
			if got := s.Standing(now); got != c.want {
				t.Errorf("stands %q, want %q", got, c.want)
			}
			if got := s.Troubled(now, 14*24*time.Hour); got != c.troubled {
				t.Errorf("troubled %t, want %t", got, c.troubled)
			}
		})
	}
}
