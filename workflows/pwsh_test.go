package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
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

// Everything about a retirement by real PowerShell is in package farmsim.
func TestATrustIsSetUpRenewedAndUndoneByRealPowerShellOnEveryVersionOfSharePoint(t *testing.T) {
	path, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	for _, version := range []string{"2016", "2019", "SE"} {
		for kind, selfSigned := range map[string]bool{"issued by an authority": false, "self-signed": true} {
			t.Run(version+", "+kind, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, farmsim.Options{
					PowerShell: path, SharePoint: version, SelfSigned: selfSigned, OfficeServers: 1, SharePointServers: 1,
				})
				p.verified(t)
				p.issue(t)
				p.undone(t)
				p.refreshes(t)
			})
		}
	}
}
