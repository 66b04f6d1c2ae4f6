package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/engine"
	"github.com/farmtrust/farmtrust/workflows"
)

// patient is for steps that start a process, which takes long on a busy
// machine.
func patient(env *testsuite.TestWorkflowEnvironment) { env.SetTestTimeout(5 * time.Minute) }

// verified rotates the farm and demands that it works afterwards.
func (p *place) verified(t *testing.T) workflows.Rotation {
	t.Helper()
	env := p.environment(t)
	patient(env)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Reason: "test"})
	var rotated workflows.Rotation
	if err := errors.Join(env.GetWorkflowError(), env.GetWorkflowResult(&rotated)); err != nil || rotated.Outcome != farm.Verified {
		t.Fatalf("rotated: %s %s, %v", rotated.Outcome, rotated.Statement, err)
	}
	p.refreshes(t)
	return rotated
}

// issue has the certificate of the next year at hand.
func (p *place) issue(t *testing.T) {
	t.Helper()
	if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
}

// undone rotates the farm, puts it back, and demands that it is as it was.
func (p *place) undone(t *testing.T) {
	t.Helper()
	before := p.sim.World.State()
	rotated := p.verified(t)
	env := p.environment(t)
	patient(env)
	env.ExecuteWorkflow(workflows.RotateTrust, workflows.RotateInput{Farm: farmsim.FarmName, Intent: farm.PutBack, Journal: rotated.Journal})
	report, err := ended(t, env)
	if err != nil || report.Outcome != farm.Undone {
		t.Fatalf("undone: %s %s, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

// undoneHalfWay cancels a rotation in the midst of its changes, and demands that
// the farm is as it was.
func (p *place) undoneHalfWay(t *testing.T) {
	t.Helper()
	before := p.sim.World.State()
	report, err := p.rotate(t, patient, func(env *testsuite.TestWorkflowEnvironment) { during(env, "TrustIssuer", env.CancelWorkflow) })
	if err == nil || report.Outcome != farm.Undone {
		t.Fatalf("cancelled half-way: %s %s, %v", report.Outcome, report.Statement, err)
	}
	p.sameTrust(t, before)
}

// retired retires a certificate with approval, and demands that it is gone and
// that the farm works.
func (p *place) retired(t *testing.T, old farm.Thumbprint) {
	t.Helper()
	report, err := p.retire(t, farm.StoreCertificate{Thumbprint: old}, func(env *testsuite.TestWorkflowEnvironment) {
		patient(env)
		env.RegisterDelayedCallback(func() {
			s := status(t, env)
			if s.Wait == nil || s.Wait.For != workflows.ForApproval {
				t.Errorf("waits for %+v; want an approval", s.Wait)
				return
			}
			decide(t, env, farm.Decision{Choice: farm.Approve, Digest: s.Wait.Digest}, nil)
		}, time.Hour)
	})
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("retired: %s %s, %v", report.Outcome, report.Statement, err)
	}
	if left := p.holders(old); len(left) > 0 {
		t.Errorf("the old certificate is still on %v", left)
	}
	p.refreshes(t)
}

func TestATrustIsSetUpRenewedAndUndoneByRealPowerShellOnEveryVersionOfSharePoint(t *testing.T) {
	path, err := engine.Find()
	if err != nil {
		t.Skip(err)
	}
	for _, version := range []string{"2016", "2019", "SE"} {
		options := farmsim.Options{PowerShell: path, SharePoint: version, OfficeServers: 1, SharePointServers: 1}
		t.Run(version+", issued by an authority", func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, options)
			if version == "2016" {
				p.undoneHalfWay(t)
			} else {
				p.undone(t)
			}
			first := p.verified(t)
			p.issue(t)
			if renewal := p.verified(t); renewal.Previous != first.Target {
				t.Fatalf("renewed from %s, want from %s", renewal.Previous, first.Target)
			}
			if version == "2019" {
				p.retired(t, first.Target)
			}
		})
		t.Run(version+", self-signed", func(t *testing.T) {
			t.Parallel()
			options.SelfSigned = true
			p := newPlace(t, options)
			p.verified(t)
			p.issue(t)
			p.undone(t)
			p.refreshes(t)
		})
	}
}
