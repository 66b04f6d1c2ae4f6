package reliability

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// assertOutcomeIsTrue compares a reported outcome with the farm's state before
// and after the run, and asserts that no completed change was repeated.
func (s *testFarm) assertOutcomeIsTrue(t *testing.T, op operation, ended farm.RotationResult, before model.State, calls []callRecord) {
	t.Helper()
	now := s.sim.State()
	s.assertRefreshes(t)
	switch ended.Outcome {
	case farm.Verified:
		s.assertInUse(t, now, s.target)
		target := s.target
		if op == opRetire {
			target = s.snapshot.Previous.Thumbprint
			assertRetired(t, farmsim.TrustOf(before), farmsim.TrustOf(now), target)
		}
		if ended.Target != target || len(ended.Differences) > 0 {
			t.Errorf("verified %s with the differences %+v, want %s and none", ended.Target, ended.Differences, target)
		}
	case farm.RolledBack:
		assertSameTrust(t, farmsim.TrustOf(s.before), farmsim.TrustOf(now))
	case farm.Refused:
		assertSameTrust(t, farmsim.TrustOf(before), farmsim.TrustOf(now))
		for _, a := range calls {
			if a.changed {
				t.Errorf("refused, but %.400s changed something", a.key())
			}
		}
	default:
		t.Errorf("ended %q: %s", ended.Outcome, ended.Statement)
	}
	assertNothingRepeated(t, calls)
}

// assertRetired asserts that a certificate and its key were removed from every
// server and that nothing else changed. The root authority that an administrator
// added stays.
func assertRetired(t *testing.T, before, now farmsim.Trust, old farm.Thumbprint) {
	t.Helper()
	want := maps.Clone(before)
	maps.DeleteFunc(want, func(fact, value string) bool {
		return strings.Contains(fact+" "+value, string(old)) && !strings.HasSuffix(fact, oldRootAuthority)
	})
	assertSameTrust(t, want, now)
}

// assertRefreshes asserts that a data refresh works between every office server
// and every SharePoint server. It must work with the old certificate as with the
// new one.
func (s *testFarm) assertRefreshes(t *testing.T) {
	t.Helper()
	obstacles, err := s.sim.RefreshObstacles()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range obstacles {
		t.Error(o)
	}
}

// assertInUse asserts that every server uses a certificate.
func (s *testFarm) assertInUse(t *testing.T, now model.State, want farm.Thumbprint) {
	t.Helper()
	for _, member := range now.Office.Members {
		if len(member.Loaded) == 0 || !member.Settings.AllowOutboundHTTP {
			t.Errorf("%s has loaded %d certificates, its settings are %+v", member.Host, len(member.Loaded), member.Settings)
		}
		for process, loaded := range member.Loaded {
			if loaded != want {
				t.Errorf("%s of %s has loaded %s, want %s", process, member.Host, loaded, want)
			}
		}
	}
	for _, sp := range now.SharePoint {
		for _, issuer := range sp.Issuers {
			if issuer.Thumbprint != want {
				t.Errorf("issuer %s of %s holds %s, want %s", issuer.Name, sp.Name, issuer.Thumbprint, want)
			}
		}
	}
}

// assertSameTrust asserts that nothing a rotation can change has changed.
func assertSameTrust(t *testing.T, before, now farmsim.Trust) {
	t.Helper()
	if diff := before.Diff(now); diff != "" {
		t.Errorf("the farm has changed (-before +now):\n%s", diff)
	}
}

// assertNothingRepeated asserts that no completed change was made twice, unless it was
// taken back between: what has gone back of a pair is set forward again where the rest
// fails. Starts and restarts do not change the trust; restarts are counted separately.
func assertNothingRepeated(t *testing.T, calls []callRecord) {
	t.Helper()
	done := map[string]bool{}
	for _, a := range calls {
		if !a.changed || a.script == startScript || slices.Contains(restarts(), a.script) {
			continue
		}
		if done[a.key()] {
			t.Errorf("%.400s made its change twice", a.key())
		}
		if a.isForward() {
			maps.DeleteFunc(done, func(key string, _ bool) bool { return goesBackTogether(key) })
		}
		done[a.key()] = true
	}
}

// goesBackTogether reports whether a change is one of those that a way back makes
// together, the certificates that it archives and unarchives included.
func goesBackTogether(key string) bool {
	return strings.Contains(key, "Restore-") || strings.Contains(key, powershell.ScriptOf(powershell.SetS2SCertificateArchived{}))
}

// isForward reports whether a call sets one of what goes back together.
func (a callRecord) isForward() bool {
	return strings.Contains(a.key(), powershell.ScriptOf(powershell.SetTrustedIssuer{})) || a.script == powershell.ScriptOf(powershell.SetS2SCertificateName{})
}

// countRestarts returns how often services and IIS were restarted so far, on all
// machines.
func countRestarts(s model.State) int {
	n := 0
	for _, m := range s.Machines {
		for _, times := range m.Restarts {
			n += times
		}
	}
	return n
}

// logCalls logs the calls that reached the servers and the worker's own log, to
// diagnose a failure.
func (s *testFarm) logCalls(t *testing.T, calls []callRecord) {
	t.Helper()
	for _, a := range calls {
		t.Logf("%s %s on %s: changed %t", a.at.Format("15:04:05.000"), a.script, a.host, a.changed)
	}
	t.Logf("the worker's log:\n%s", readFile(t, s.worker.log.Name()))
}
