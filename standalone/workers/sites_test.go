package workers_test

import (
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// TestSites_ShareANamespace runs two sites, each with a farm that only its own worker
// knows, and restarts both.
func TestSites_ShareANamespace(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	contoso, fabrikam := startFarm(t, nil), startFarm(t, nil)
	main := loadConfig(t, contoso)
	berlin := loadConfig(t, fabrikam, "name: "+farmsim.FarmName, "name: fabrikam", "farms:", "site: berlin\nfarms:")
	inContoso, inFabrikam := s.farmAt("", farmsim.FarmName), s.farmAt("berlin", "fabrikam")

	mainWorker, berlinWorker := startWorker(t, s, main), startWorker(t, s, berlin)
	requireVerified(t, inContoso)
	requireVerified(t, inFabrikam)
	mainWorker.end(t)
	mainWorker = startWorker(t, s, main)
	berlinWorker.end(t)
	berlinWorker = startWorker(t, s, berlin)
	for _, f := range []client.Farm{inContoso, inFabrikam} {
		waitUntil(t, f.Name()+" is told by the restarted worker", func() bool {
			state, err := f.State(t.Context())
			return err == nil && state.Unmanaged == "" && state.Configured.Hash != ""
		})
	}
	for name, w := range map[string]*testWorker{"the worker without a site": mainWorker, "the worker of berlin": berlinWorker} {
		if w.hasLogged(zapcore.WarnLevel) || w.hasLogged(zapcore.ErrorLevel) {
			t.Errorf("%s logged %v", name, w.logs.All())
		}
	}

	t.Log("a worker of a third site has contoso in its configuration by mistake")
	wrong := startWorker(t, s, loadConfig(t, contoso, "farms:", "site: munich\nfarms:"))
	waitUntil(t, "the worker says to whom the farm belongs", func() bool {
		return wrong.hasLogged(zapcore.ErrorLevel, farmsim.FarmName, "where workers have no site", "farmtrust forget contoso")
	})
	if state, err := inContoso.State(t.Context()); err != nil || state.Unmanaged != "" {
		t.Errorf("contoso is unmanaged because %q (%v)", state.Unmanaged, err)
	}
	if at, err := s.farmAt("munich", farmsim.FarmName).Find(t.Context()); err != nil || at.Site() != "" {
		t.Errorf("contoso is at site %q (%v), want at none", at.Site(), err)
	}
}

// requireVerified releases a farm, and waits until its controller has renewed its
// certificate.
func requireVerified(t *testing.T, f client.Farm) {
	t.Helper()
	release(t, f)
	requireRenewed(t, f)
}

// requireRenewed waits until the farm's controller has renewed its certificate.
func requireRenewed(t *testing.T, f client.Farm) {
	t.Helper()
	waitUntil(t, f.Name()+" is rotated", func() bool {
		run, err := f.LastRotation(t.Context())
		if err != nil || run == nil {
			return false
		}
		report, err := run.Report(t.Context())
		if err != nil || report.Outcome != farm.Verified {
			t.Fatalf("%s ended as %q (%v)", f.Name(), report.Outcome, err)
		}
		return true
	})
}

// TestReplicas_WithOtherConfigurations restarts a worker with a configuration that
// lacks a server, while a rotation runs: a step lands there, and is done by the other.
func TestReplicas_WithOtherConfigurations(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	sim := startFarm(t, map[string]time.Duration{slowScript: 3 * time.Second})
	right := loadConfig(t, sim)
	wrong := loadConfig(t, sim, "sp-02.contoso.com", "sp-09.contoso.com")
	f := s.farmAt("", farmsim.FarmName)
	first := startWorker(t, s, right)
	release(t, f)
	waitUntil(t, "the rotation imports the certificate", func() bool {
		return s.pending(t, rotation, slowStep).GetLastStartedTime() != nil
	})
	other := startWorker(t, s, wrong)
	waitUntil(t, "the workers that differ are named", func() bool {
		return other.hasLogged(zapcore.WarnLevel, "different configurations", right.Hash(), wrong.Hash())
	})
	first.end(t)
	waitUntil(t, "a step lands where its server is not known", func() bool { return s.failsWith(t, rotation, "UnknownServer") })
	startWorker(t, s, right)
	requireRenewed(t, f)
}
