package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/workflows"
)

// retire runs the retirement of a certificate to its end.
func (p *place) retire(t *testing.T, old farm.StoreCertificate, prepare func(*testsuite.TestWorkflowEnvironment)) (farm.Report, error) {
	t.Helper()
	env := p.environment(t)
	prepare(env)
	env.ExecuteWorkflow(workflows.RetireCertificate, workflows.RetireInput{Farm: farmsim.FarmName, Reason: "test", Old: old})
	return ended(t, env)
}

// holders lists the machines that hold a certificate in their Personal store.
func (p *place) holders(thumbprint farm.Thumbprint) []string {
	var hosts []string
	for _, m := range p.sim.World.State().Machines {
		for _, c := range m.Stores[model.My] {
			if c.Thumbprint == thumbprint {
				hosts = append(hosts, m.Host)
			}
		}
	}
	return hosts
}

// renewed rotates a farm to its next certificate and returns the old.
func (p *place) renewed(t *testing.T) farm.StoreCertificate {
	t.Helper()
	report, err := p.rotate(t)
	if err != nil || report.Outcome != farm.Verified {
		t.Fatalf("renewal: %s, %v", report.Outcome, err)
	}
	return farm.StoreCertificate{Thumbprint: report.Previous}
}

// trusted says whether a certificate is a root authority of SharePoint.
func (p *place) trusted(thumbprint farm.Thumbprint) bool {
	for _, f := range p.sim.World.State().SharePoint {
		for _, a := range f.Authorities {
			if a.Thumbprint == thumbprint {
				return true
			}
		}
	}
	return false
}

func TestAnOldCertificateIsArchivedAndDeletedOnlyAfterApproval(t *testing.T) {
	for claim, c := range map[string]struct {
		options farmsim.Options
		// trusted says that it stays a root authority: somebody else made it.
		trusted bool
	}{
		"issued by a CA":                             {farmsim.Options{Trusting: true}, false},
		"self-signed, set up by hand":                {farmsim.Options{Trusting: true, SelfSigned: true}, true},
		"self-signed, set up by an earlier rotation": {farmsim.Options{SelfSigned: true}, false},
	} {
		t.Run(claim, func(t *testing.T) {
			p := newPlace(t, c.options)
			if !c.options.Trusting {
				p.renewed(t)
				if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			old := p.renewed(t)
			report, err := p.retire(t, old, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					s := status(t, env)
					if s.Wait == nil || s.Wait.For != farm.ForApproval || len(p.holders(old.Thumbprint)) != 3 {
						t.Errorf("waits for %+v with the old certificate on %v; want an approval, nothing deleted", s.Wait, p.holders(old.Thumbprint))
					}
					decide(t, env, farm.Decision{Choice: farm.Approve, Digest: s.Wait.Digest}, nil)
				}, time.Hour)
			})
			if err != nil || report.Outcome != farm.Verified || !strings.Contains(report.Statement, "deleted on every office server") {
				t.Fatalf("retired: %s %s, %v", report.Outcome, report.Statement, err)
			}
			if left := p.holders(old.Thumbprint); len(left) > 0 {
				t.Errorf("the old certificate is still on %v", left)
			}
			if got := p.trusted(old.Thumbprint); got != c.trusted {
				t.Errorf("the old certificate is still a root authority: %t, want %t", got, c.trusted)
			}
			p.refreshes(t)
		})
	}
}

// TestARetirementThatIsCalledOffLeavesACertificateThatCanBeGoneBackTo cancels
// one that waits, as a keeper does for an undo.
func TestARetirementThatIsCalledOffLeavesACertificateThatCanBeGoneBackTo(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	before := p.sim.World.State()
	k := p.keep(t)
	k.at(15*24*time.Hour, func() {
		if !p.archived() {
			t.Error("a retirement that waits for approval has archived nothing")
		}
		k.wish(controller.Request{Kind: controller.RequestRollback, By: "op", Reason: "refreshes fail"}, nil)
	})
	known := k.until(15*24*time.Hour + 3*time.Hour)
	if known.LastRun.Outcome != farm.RolledBack || p.archived() {
		t.Errorf("undone while its retirement waited: last %+v, archived %t", known.LastRun, p.archived())
	}
	p.sameTrust(t, before)
	p.refreshes(t)
}

// archived says whether some certificate is marked so.
func (p *place) archived() bool {
	for _, m := range p.sim.World.State().Machines {
		if slices.ContainsFunc(m.Stores[model.My], func(c model.CertificateState) bool { return c.Archived }) {
			return true
		}
	}
	return false
}

func TestARotationCallsAWaitingRetirementOff(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.keep(t)
	k.at(15*24*time.Hour, func() {
		if _, err := p.sim.IssueCertificate(400 * 24 * time.Hour); err != nil {
			t.Error(err)
		}
		k.wish(controller.Request{Kind: controller.RequestRotate, By: "op", Reason: "now"}, nil)
	})
	known := k.until(15*24*time.Hour + 3*time.Hour)
	if known.LastRun.Outcome != farm.Verified || known.ActiveRun != nil {
		t.Errorf("a wish during a retirement that waits: last %+v, work %+v; want rotated", known.LastRun, known.ActiveRun)
	}
	p.refreshes(t)
}

func TestACertificateThatIsStillNamedIsNotRetired(t *testing.T) {
	p := newPlace(t, farmsim.Options{})
	report, err := p.rotate(t)
	if err != nil {
		t.Fatal(err)
	}
	current := farm.StoreCertificate{Thumbprint: report.Target}
	report, err = p.retire(t, current, func(*testsuite.TestWorkflowEnvironment) {})
	if err == nil || report.Outcome != farm.Refused || !strings.Contains(report.Statement, "still in use") || !strings.Contains(report.Statement, "S2SCertificateName") {
		t.Errorf("retiring the certificate in use: %s %s, %v; want refused, naming what uses it", report.Outcome, report.Statement, err)
	}
	if got := len(p.holders(current.Thumbprint)); got != 3 {
		t.Errorf("the certificate in use is on %d servers, want 3", got)
	}
	p.refreshes(t)
}

// TestARetirementWaitsForAPersonOnceTheCertificateIsArchived meets, after the
// approval, somebody's use of the certificate and a server that does not answer.
func TestARetirementWaitsForAPersonOnceTheCertificateIsArchived(t *testing.T) {
	for claim, c := range map[string]struct {
		happens, mended func(*place, farm.Thumbprint) error
		server, says    string
	}{
		"somebody uses it again": {
			func(p *place, old farm.Thumbprint) error { return p.bind("oos-02.contoso.com", old) },
			func(p *place, _ farm.Thumbprint) error { return p.bind("oos-02.contoso.com", "") },
			"oos-02.contoso.com", "still in use",
		},
		"a server cannot be looked at": {
			func(p *place, _ farm.Thumbprint) error {
				return p.sim.AddFaults(broken("oos-03.contoso.com", "Get-CertificateUse"))
			},
			func(p *place, _ farm.Thumbprint) error { p.sim.ClearFaults(); return nil },
			"oos-03.contoso.com", "the disk is full",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			p := newPlace(t, farmsim.Options{Trusting: true})
			old := p.renewed(t)
			report, err := p.retire(t, old, func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterDelayedCallback(func() {
					if err := c.happens(p, old.Thumbprint); err != nil {
						t.Error(err)
					}
					decide(t, env, farm.Decision{Choice: farm.Approve, Digest: status(t, env).Wait.Digest}, nil)
				}, time.Hour)
				env.RegisterDelayedCallback(func() {
					s := status(t, env)
					if s.Wait == nil || len(s.Wait.Blocked) != 1 || s.Wait.Blocked[0].Server != c.server || !strings.Contains(s.Wait.Blocked[0].Text, c.says) {
						t.Errorf("waits for %+v, want %s parked: %s", s.Wait, c.server, c.says)
					}
					if len(p.holders(old.Thumbprint)) != 3 {
						t.Errorf("the old certificate is left on %v only, and something stands in its way", p.holders(old.Thumbprint))
					}
					if err := c.mended(p, old.Thumbprint); err != nil {
						t.Error(err)
					}
					decide(t, env, farm.Decision{Choice: farm.Retry, Server: c.server}, nil)
				}, 3*time.Hour)
			})
			if err != nil || report.Outcome != farm.Verified || len(p.holders(old.Thumbprint)) > 0 {
				t.Errorf("retired: %s %s, %v; the old certificate is left on %v", report.Outcome, report.Statement, err, p.holders(old.Thumbprint))
			}
		})
	}
}

// bind is somebody else who binds http.sys on a server to a certificate.
func (p *place) bind(host string, to farm.Thumbprint) error {
	session, err := p.sim.World.LogOn(host, model.Logon{User: "somebody else", Auth: model.NTLM})
	if err != nil {
		return err
	}
	return session.BindTLS("0.0.0.0:8443", to)
}

func TestAKeeperRetiresTheOldCertificateAfterItsSoak(t *testing.T) {
	p := newPlace(t, farmsim.Options{Trusting: true})
	k := p.keep(t)
	var old farm.Thumbprint
	k.at(20*time.Hour, func() { old = k.known().Snapshot.Previous.Thumbprint })
	k.at(15*24*time.Hour, func() {
		if work := k.known().ActiveRun; work == nil || work.WorkflowID != workflows.RetireID(farmsim.FarmName) {
			t.Errorf("after the soak the keeper is at %+v, want the retirement", work)
		}
		if err := k.env.UpdateWorkflowByID(workflows.RetireID(farmsim.FarmName), workflows.DecideUpdate, "early", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(error) {}, OnComplete: func(any, error) {},
		}, farm.Decision{Choice: farm.Abort, By: "op", Reason: "keep it"}); err != nil {
			t.Error(err)
		}
	})
	known := k.until(16 * 24 * time.Hour)
	if len(p.holders(old)) != 3 || known.LastRun.Outcome != farm.Partial {
		t.Errorf("aborted: the old certificate is on %v, last %+v", p.holders(old), known.LastRun)
	}
}
