package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// Of a farm of three office servers the first is the master, so that the second is
// the canary.
const (
	master = office1
	canary = office2
	later  = office3
)

// newServicesFarm starts a farm with a canary, a master and a later server of each
// kind that can have one.
func newServicesFarm(t *testing.T) *testFarm {
	t.Helper()
	f := newTestFarm(t, farmsim.Options{OfficeServers: 3, SharePointServers: 2, Trusting: true})
	f.setPolicy(func(p *farm.RotationPolicy) { p.HealthyWithin = 2 * time.Second })
	return f
}

// iisreset stands for one that fails and leaves IIS stopped, pool for an application
// pool that stays stopped, and again after a service for one that starts and soon
// stops again.
const (
	iisreset = "iisreset"
	pool     = "application pool"
	again    = " again"
)

// serviceFails is a fault of a service that a script finds running, and that does
// not run after it until the fault is cleared.
func serviceFails(server, script, service string) fault.Fault {
	f := fault.Fault{Server: server, Step: script, Kind: fault.ServiceFails, Service: service, Times: -1, When: fault.Before}
	switch {
	case service == iisreset:
		f.Kind, f.Service = fault.IISResetFails, ""
	case service == pool:
		f.Kind, f.Service = fault.PoolDown, ""
	case strings.HasSuffix(service, again):
		f.Kind, f.Service, f.Delay = fault.ServiceStops, strings.TrimSuffix(service, again), fault.Duration(30*time.Millisecond)
	}
	return f
}

// decideOnce has an operator look at what is blocked, every hour, until do returns
// true: it has decided. It must come to that, unless it is said to be optional.
func (r *testRun) decideOnce(do func(blocked []farm.Blocked) bool, optional ...bool) {
	done := false
	r.t.Cleanup(func() {
		if !done && !slices.Contains(optional, true) {
			r.t.Error("nothing was blocked that an operator was expected to decide about")
		}
	})
	for hour := range 20 {
		r.after(time.Duration(hour+1)*time.Hour, func() {
			if done || r.env.IsWorkflowCompleted() {
				return
			}
			if s := r.status(); s.Wait != nil && s.Wait.For == farm.ForDecision {
				done = do(s.Wait.Blocked)
			}
		})
	}
}

// requireOneBlocked asserts that one step is blocked, on that server, and that its
// text has these words.
func requireOneBlocked(t *testing.T, blocked []farm.Blocked, server string, words ...string) {
	t.Helper()
	if len(blocked) != 1 || blocked[0].Server != server {
		t.Fatalf("blocked are %+v, want %s alone", blocked, server)
	}
	assertMentions(t, blocked[0].Text, words...)
}

// liftAndRetry removes the cause of what is blocked, and asks for another attempt.
func (r *testRun) liftAndRetry() {
	r.sim.ClearFaults()
	r.decide(farm.Decision{Choice: farm.Retry})
}

// assertRefreshesWithout asserts that a data refresh works between all servers but
// one.
func (f *testFarm) assertRefreshesWithout(t *testing.T, broken string) {
	t.Helper()
	obstacles, err := f.sim.RefreshObstacles()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obstacles {
		if !strings.Contains(o, broken) {
			t.Error(o)
		}
	}
}

// servicesOf are the services whose loss on a server is tested, and the script that
// restarts them.
var servicesOf = []struct {
	script   string
	hosts    map[string]string
	services []string
}{
	{"Restart-OfficeServer", map[string]string{"the canary": canary, "the master": master, "a later office server": later}, []string{"WACSM", "W3SVC", "WAS", iisreset, pool, "WACSM" + again}},
	{"Restart-SharePointServer", map[string]string{"the front end": frontEnd, "a later SharePoint server": appServer}, []string{"SPTimerV4", "W3SVC", "WAS", iisreset, pool, "SPTimerV4" + again}},
}

// forEachService runs a test for every service, except some, on every server where it can
// be lost.
func forEachService(t *testing.T, test func(t *testing.T, host, script, service string), but ...string) {
	t.Helper()
	for _, kind := range servicesOf {
		for place, host := range kind.hosts {
			for _, service := range kind.services {
				if slices.Contains(but, service) {
					continue
				}
				t.Run(service+" on "+place, func(t *testing.T) {
					t.Parallel()
					test(t, host, kind.script, service)
				})
			}
		}
	}
}

// causeOf are words of what an operator reads about a service that does not start.
func causeOf(service string) string {
	if service == pool {
		return "503"
	}
	return strings.TrimSuffix(service, again)
}

// startsByItself reports whether a rollback gets a service running without an
// operator: on office servers it starts the services of IIS one by one, which does not
// fail where iisreset does.
func startsByItself(script, service string) bool {
	return script == "Restart-OfficeServer" && (service == iisreset || service == pool)
}

func TestRotate_ServiceDoesNotStart(t *testing.T) {
	forEachService(t, func(t *testing.T, host, script, service string) {
		f := newServicesFarm(t)
		before := f.sim.Trust()
		f.addFaults(t, serviceFails(host, script, service))
		r := f.newRun(t)
		r.decideOnce(func(blocked []farm.Blocked) bool {
			requireOneBlocked(t, blocked, host, causeOf(service))
			if host == canary {
				f.assertRefreshesWithout(t, host)
			}
			r.liftAndRetry()
			return true
		}, host == canary && startsByItself(script, service))
		ended := r.rotate()
		if host == canary {
			ended.requireOutcome(farm.RolledBack).assertStatement("because the canary failed", canary)
			f.assertTrustUnchanged(t, before)
		} else {
			ended.requireOutcome(farm.Verified)
		}
		f.assertRefreshes(t)
	})
}

// TestRotate_RollsBackWithoutService is about a rotation that an operator rolls back
// while the service is still down.
func TestRotate_RollsBackWithoutService(t *testing.T) {
	forEachService(t, func(t *testing.T, host, script, service string) {
		f := newServicesFarm(t)
		before := f.sim.Trust()
		f.addFaults(t, serviceFails(host, script, service))
		r := f.newRun(t)
		if host != canary {
			r.decideOnce(func(blocked []farm.Blocked) bool {
				requireOneBlocked(t, blocked, host, causeOf(service))
				r.decide(farm.Decision{Choice: farm.RollBack})
				return true
			})
		}
		r.decideOnce(func(blocked []farm.Blocked) bool {
			if r.status().Phase != farm.PhaseRollingBack {
				return false
			}
			requireOneBlocked(t, blocked, host)
			f.assertRefreshesWithout(t, host)
			r.liftAndRetry()
			return true
		}, startsByItself(script, service))
		r.rotate().requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	}, "W3SVC", "WAS", pool, "WACSM"+again, "SPTimerV4"+again)
}

func TestRollback_ServiceDoesNotStart(t *testing.T) {
	forEachService(t, func(t *testing.T, host, script, service string) {
		f := newServicesFarm(t)
		before := f.sim.Trust()
		rotated := f.requireRotated(t)
		f.addFaults(t, serviceFails(host, script, service))
		r := f.newRun(t)
		r.decideOnce(func(blocked []farm.Blocked) bool {
			requireOneBlocked(t, blocked, host, causeOf(service))
			r.liftAndRetry()
			return true
		}, host != canary && service == iisreset && startsByItself(script, service))
		r.rollBack(rotated.Snapshot).requireOutcome(farm.RolledBack)
		f.assertTrustUnchanged(t, before)
		f.assertRefreshes(t)
	}, "W3SVC", pool)
}

// TestRetire_ServiceStopped is about a retirement while a service is stopped: what the
// farm still names cannot be read, and that is what an operator reads.
func TestRetire_ServiceStopped(t *testing.T) {
	t.Parallel()
	f := newServicesFarm(t)
	_, old := f.current(t)
	previous := f.requireRotated(t).Snapshot.Previous
	if previous.Thumbprint != old {
		t.Fatalf("the rotation replaced %s, want %s", previous.Thumbprint, old)
	}
	f.stopService(t, later, "WACSM")
	f.newRun(t).retire(previous).requireOutcome(farm.Refused).assertStatement(later, "WACSM is not running", "terminated unexpectedly")
	f.assertOnServers(t, old, 3)
}

// TestInspect_ServiceStopped is about what is said of a farm with a stopped service.
func TestInspect_ServiceStopped(t *testing.T) {
	for name, host := range map[string]string{"of the master": master, "of a member": later} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newServicesFarm(t)
			f.stopService(t, host, "WACSM")
			n := f.inspect(t)
			stops := slices.DeleteFunc(farm.Stops(n.Findings), func(found farm.Finding) bool { return found.Code != "wacsm-stopped" })
			if len(stops) != 1 || stops[0].Server != host {
				t.Fatalf("findings are %+v, want wacsm-stopped on %s alone", n.Findings, host)
			}
			assertMentions(t, stops[0].Text, "WACSM is not running", "terminated unexpectedly")
			assertMentions(t, stops[0].Remedy, "settings.xml")
			for _, d := range n.Plan {
				if d.Server == "" || (d.Server == host && d.Have == "none") {
					t.Errorf("the plan has %+v: on no server, or unset although it is unknown", d)
				}
			}
		})
	}
}

// stopService stops a service as a crash does.
func (f *testFarm) stopService(t *testing.T, host, service string) {
	t.Helper()
	if err := f.sim.World.Impose(host, stops(service), true); err != nil {
		t.Fatal(err)
	}
	f.sim.World.LiftConditions()
}

func stops(service string) model.Condition {
	return model.Condition{Kind: model.ServiceFails, Service: service, Starts: -1}
}
