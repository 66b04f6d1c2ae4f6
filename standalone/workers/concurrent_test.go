package workers_test

import (
	"sync"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// gauge counts the scripts that run at once on all servers of a farm.
type gauge struct {
	mu        sync.Mutex
	now, most int
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.most = max(g.most, g.now)
}

func TestWorker_BoundsItsCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit string
		want  func(most int) bool
	}{
		"with a limit of one call":  {"worker: {concurrentCalls: 1}\n", func(most int) bool { return most == 1 }},
		"with the limit by default": {"", func(most int) bool { return most > 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var g gauge
			s := startTemporal(t)
			sim := startFarm(t, map[string]time.Duration{"": 100 * time.Millisecond}, farmsim.Hooks{
				CommandLine: func(string, string) { g.add(1) },
				ScriptEnded: func(string, powershell.Envelope, any) { g.add(-1) },
			})
			startWorker(t, s, loadConfig(t, sim, "farms:", c.limit+"farms:"))
			requireVerified(t, s.farmAt("", farmsim.FarmName))
			if !c.want(g.most) {
				t.Errorf("%d calls at once", g.most)
			}
		})
	}
}
