package workflows_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/workflows"
)

// brokenSites makes servers stop listening when a script has run on them, until
// they are mended.
type brokenSites struct {
	*testFarm

	mended atomic.Bool
}

func newBrokenSites(t *testing.T, o farmsim.Options, script string) *brokenSites {
	t.Helper()
	b := &brokenSites{}
	o.Hooks.ScriptEnded = func(host string, call powershell.Envelope, _ any) {
		if call.Name == script && !b.mended.Load() {
			b.respond(t, host, &model.SiteResponse{Problem: "ConnectFailure"})
		}
	}
	b.testFarm = newTestFarm(t, o)
	return b
}

func (b *brokenSites) respond(t *testing.T, host string, response *model.SiteResponse) {
	t.Helper()
	if err := b.sim.World.BreakSites(host, response); err != nil {
		t.Error(err)
	}
}

// mend has every server listen again.
func (b *brokenSites) mend(t *testing.T) {
	t.Helper()
	b.mended.Store(true)
	for _, m := range b.sim.World.State().Machines {
		b.respond(t, m.Host, nil)
	}
}

// distinct returns the hosts on which an activity was started, each once.
func (r *testRun) distinct(activity string) []string {
	hosts := slices.Clone(r.hostsOf(activity))
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// TestRotate_OfficeServerDead has every office server stop listening at its restart.
// Once all of them counted as healthy where the certificate has the farm's name only,
// as Microsoft requires: no answer before and no answer after were the same.
func TestRotate_OfficeServerDead(t *testing.T) {
	for name, accepted := range map[string][]farm.Acceptance{
		"well before":                  nil,
		"not trusted before, accepted": {{Code: "discovery-unhealthy", By: "ops", Reason: "the certificate is renewed next week"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newBrokenSites(t, farmsim.Options{OfficeServers: 4, Trusting: true}, "Restart-OfficeServer")
			if accepted != nil {
				f.sim.World.NameOfficeSites(office1)
			}
			before := f.sim.Trust()
			r := f.newRun(t)
			r.onActivity("RestoreIssuer", func() {
				if got := r.distinct("RestartOffice"); len(got) != 1 {
					t.Errorf("before the rollback %v were restarted, want the canary alone", got)
				}
				f.mend(t)
			})
			r.rotateWith(workflows.RotateInput{Accepted: accepted}).requireOutcome(farm.RolledBack).assertStatement("because the canary failed")
			f.assertTrustUnchanged(t, before)
			f.assertRefreshes(t)
		})
	}
}

// TestRotate_SharePointServerDead has a SharePoint server serve no site after its
// restart: the next one must not be restarted, which once happened seconds later.
func TestRotate_SharePointServerDead(t *testing.T) {
	t.Parallel()
	f := newBrokenSites(t, farmsim.Options{SharePointServers: 3, Trusting: true}, "Restart-SharePointServer")
	r := f.newRun(t)
	r.after(time.Hour, func() {
		blocked := r.requireBlocked(r.hostsOf("RestartSharePoint")[0], "https://portal.contoso.com gives no response: ConnectFailure")
		if got := r.distinct("RestartSharePoint"); len(got) != 1 {
			t.Errorf("%v were restarted, want %s alone", got, blocked.Server)
		}
		f.mend(t)
		r.decide(farm.Decision{Choice: farm.Retry})
	})
	r.rotate().requireOutcome(farm.Verified)
	f.assertRefreshes(t)
}

// TestRotate_NotWellBefore has servers that are not well before a rotation, which is
// refused before anything is changed.
func TestRotate_NotWellBefore(t *testing.T) {
	everySharePoint := []string{frontEnd}
	for name, c := range map[string]struct {
		hosts    []string
		response model.SiteResponse
		code     string
		// accepted is how the rotation ends if the finding is accepted; empty where
		// nobody can.
		accepted farm.Outcome
	}{
		"nothing listens":            {[]string{office2}, model.SiteResponse{Problem: "ConnectFailure"}, "office-server-unreachable", ""},
		"the certificate is another": {[]string{office1, office2}, model.SiteResponse{Problem: "TrustFailure"}, "discovery-unhealthy", farm.Verified},
		"the pages are not there":    {[]string{office2}, model.SiteResponse{Status: 404}, "discovery-unhealthy", farm.Verified},
		"no site is served":          {everySharePoint, model.SiteResponse{Problem: "ConnectFailure"}, "no-site-answers", farm.Verified},
	} {
		start := func(t *testing.T) *testFarm {
			t.Helper()
			f := newTestFarm(t, farmsim.Options{Trusting: true})
			for _, host := range c.hosts {
				if err := f.sim.World.BreakSites(host, &c.response); err != nil {
					t.Fatal(err)
				}
			}
			return f
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t)
			before := f.sim.Trust()
			end := f.rotate(t).requireEnd(farm.Refused, workflows.RefusedError)
			if !slices.ContainsFunc(end.Findings, func(found farm.Finding) bool { return found.Code == c.code && found.Severity == farm.Stop }) {
				t.Errorf("findings %+v, want %s", end.Findings, c.code)
			}
			f.assertTrustUnchanged(t, before)
		})
		if c.accepted == "" {
			continue
		}
		t.Run(name+", accepted", func(t *testing.T) {
			t.Parallel()
			f := start(t)
			f.newRun(t).rotateWith(workflows.RotateInput{Accepted: []farm.Acceptance{{Code: c.code, By: "ops", Reason: "known"}}}).requireOutcome(c.accepted)
			f.assertRefreshes(t)
		})
	}
}

// TestRotate_SharePointServiceStopped is about a service that does not run before a
// rotation: its server would be waited for in vain after the cutover.
func TestRotate_SharePointServiceStopped(t *testing.T) {
	for _, service := range []string{"SPTimerV4", "W3SVC"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			f := newTestFarm(t, farmsim.Options{SharePointServers: 2, Trusting: true})
			f.stopService(t, appServer, service)
			before := f.sim.Trust()
			end := f.rotate(t).requireEnd(farm.Refused, workflows.RefusedError)
			assertFinding(t, end.Findings, "sharepoint-service-stopped", appServer, service)
			f.assertTrustUnchanged(t, before)
		})
	}
}

// TestRotate_NamesOfMachines rotates a farm that calls its machines by their DNS
// names.
func TestRotate_NamesOfMachines(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true, Policy: model.Policy{DNSMachineNames: true}})
	f.rotate(t).requireOutcome(farm.Verified)
	f.assertRefreshes(t)
}
