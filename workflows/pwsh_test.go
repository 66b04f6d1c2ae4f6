package workflows_test

import (
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/engine"
)

func TestARotationRunsByRealPowerShellOnEveryVersionOfSharePoint(t *testing.T) {
	path, err := engine.Find()
	if err != nil {
		t.Skip(err)
	}
	// A step that starts a process takes long on a busy machine.
	patient := func(env *testsuite.TestWorkflowEnvironment) { env.SetTestTimeout(5 * time.Minute) }
	for _, version := range []string{"2016", "2019", "SE"} {
		for name, options := range map[string]farmsim.Options{
			"issued by an authority": {OfficeServers: 2}, "self-signed": {OfficeServers: 1, SelfSigned: true},
		} {
			t.Run(version+", "+name, func(t *testing.T) {
				t.Parallel()
				options.PowerShell, options.SharePoint, options.SharePointServers = path, version, 1
				p := newPlace(t, options)
				first, err := p.rotate(t, patient)
				if err != nil || first.Outcome != farm.Verified {
					t.Fatalf("first set-up: %s, %v", first.Outcome, err)
				}
				p.refreshes(t)
				if _, err := p.sim.IssueCertificate(90 * 24 * time.Hour); err != nil {
					t.Fatal(err)
				}
				renewal, err := p.rotate(t, patient)
				if err != nil || renewal.Outcome != farm.Verified || renewal.Previous != first.Target {
					t.Fatalf("renewal: %s from %s, %v", renewal.Outcome, renewal.Previous, err)
				}
				p.refreshes(t)
			})
		}
	}
}
