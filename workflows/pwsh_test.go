package workflows_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
)

// Everything about a retirement by real PowerShell is in package farmsim.
func TestRotate_RealPowerShell(t *testing.T) {
	path, err := pwsh.Find()
	if err != nil {
		t.Skip(err)
	}
	for _, version := range []string{"2016", "2019", "SE"} {
		for kind, selfSigned := range map[string]bool{"issued by a CA": false, "self-signed": true} {
			t.Run(version+", "+kind, func(t *testing.T) {
				t.Parallel()
				f := newTestFarm(t, farmsim.Options{
					PowerShell: path, SharePoint: version, SelfSigned: selfSigned, OfficeServers: 1, SharePointServers: 1,
					// One of the six starts a process for each call, as servers do.
					SharedPowerShell: version != "2019" || selfSigned,
				})
				// A look takes seconds where each call starts a process.
				f.setPolicy(func(p *farm.RotationPolicy) { p.HealthyWithin = 5 * time.Minute })
				f.requireRotated(t)
				f.issueCertificate(t)
				before := f.sim.Trust()
				renewal := f.requireRotated(t)
				f.newRun(t).rollBack(renewal.Snapshot).requireOutcome(farm.RolledBack)
				f.assertTrustUnchanged(t, before)
				f.assertRefreshes(t)
			})
		}
	}
}
