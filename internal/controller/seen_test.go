package controller_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// trustedFarm was inspected an hour ago, and is as desired.
func trustedFarm() controller.State {
	return controller.State{
		Farm: "contoso", Policy: controller.Policy{InspectionInterval: 6 * time.Hour},
		Inspected: controller.Inspected{At: epoch.Add(-time.Hour), Current: farm.StoreCertificate{Thumbprint: "A", NotAfter: epoch.AddDate(1, 0, 0)}},
		Next:      farm.Next{Code: farm.CodeTrusted},
	}
}

// A farm is called trusted only while nothing has worked on it since all of it was seen.
func TestIsTrusted(t *testing.T) {
	run := func(s *controller.State) {
		s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r1", Since: epoch})
	}
	for name, c := range map[string]struct {
		change func(*controller.State)
		want   bool
	}{
		"nothing happens":                {func(*controller.State) {}, true},
		"the old certificate is retired": {func(s *controller.State) { s.BeginRun(controller.ActiveRun{Retirement: true, Since: epoch}) }, true},
		"a rotation is at work":          {run, false},
		"one has ended as planned":       {func(s *controller.State) { run(s); s.EndRotation(epoch, verifiedResult(), "") }, false},
		"one was terminated":             {func(s *controller.State) { run(s); s.EndRotation(epoch, farm.RotationResult{}, "terminated") }, false},
		"Temporal does not know it":      {func(s *controller.State) { run(s); s.LoseRun() }, false},
		"what ran before is being read":  {func(s *controller.State) { s.BeginRecall() }, false},
		"a server was not reached":       {func(s *controller.State) { s.ApplyInspection(epoch, farm.Inspection{}, "no answer", farm.Next{}) }, false},
		"it was not inspected for a day": {func(s *controller.State) { s.Inspected.At = epoch.AddDate(0, 0, -1) }, false},
		"an operator is needed":          {func(s *controller.State) { s.Next.NeedsOperator = true }, false},
		"no worker has it":               {func(s *controller.State) { s.Unmanaged = "not configured" }, false},
		"one has ended, and it was seen since": {func(s *controller.State) {
			run(s)
			s.EndRotation(epoch, verifiedResult(), "")
			s.ApplyInspection(epoch.Add(time.Second), farm.Inspection{}, "", farm.Next{Code: farm.CodeTrusted})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := trustedFarm()
			if c.change(&s); s.IsTrusted(epoch.Add(time.Minute)) != c.want {
				t.Errorf("trusted: %t, with %+v", !c.want, s)
			}
		})
	}
}

func verifiedResult() farm.RotationResult {
	return farm.RotationResult{Report: farm.Report{Farm: "contoso", Outcome: farm.Verified, Statement: "as stated"}}
}

// What was so before a run does not call for an operator while the farm is inspected
// after it.
func TestNeedsOperator_NotForWhatWasBefore(t *testing.T) {
	s := trustedFarm()
	s.Next.NeedsOperator, s.Inspected.Current.NotAfter = true, epoch.AddDate(0, 0, 2)
	s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r1", Since: epoch})
	s.EndRotation(epoch, verifiedResult(), "")
	if s.NeedsOperator(epoch) || !s.AwaitsInspection() {
		t.Errorf("needs an operator: %t, awaits an inspection: %t", s.NeedsOperator(epoch), s.AwaitsInspection())
	}
}

// The record of the last rotation is there a year later, whatever ran since, and stays
// small enough to travel with the state.
func TestReports_AreKept(t *testing.T) {
	large := verifiedResult()
	for i := range 120 {
		large.Servers = append(large.Servers, farm.ServerReport{Host: fmt.Sprintf("oos-%03d.contoso.com", i), Steps: []farm.StepReport{
			{Step: farm.StepImport, State: farm.StateChanged, Changed: true, Detail: strings.Repeat("x", 1000)},
		}})
	}
	s := trustedFarm()
	end := func(r farm.RotationResult) {
		s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: "r1", Since: epoch})
		s.EndRotation(epoch, r, "")
	}
	end(large)
	for range 300 {
		end(farm.RotationResult{Report: farm.Report{Farm: "contoso", Outcome: farm.NoChange}})
		end(farm.RotationResult{Report: farm.Report{Farm: "contoso", Outcome: farm.Refused}})
	}
	s.BeginRun(controller.ActiveRun{WorkflowID: "retire/contoso", RunID: "t1", Retirement: true, Since: epoch})
	s.EndRetirement(epoch, farm.RotationResult{Report: large.Report}, "")
	if r := s.Reports.Rotation; r == nil || r.Outcome != farm.Verified || r.Shortened == "" || s.Reports.Retirement == nil {
		t.Fatalf("kept %+v", s.Reports)
	}
	text, err := json.Marshal(s.Reports)
	if err != nil || len(text) > 2*controller.MaxReport {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
