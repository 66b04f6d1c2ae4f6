package workflows_test

import (
	"sync"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/internal/farmsim/fault"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestRotate_ScriptOfALostAttempt has the first attempt at a step lose its caller while
// its script goes on at the server, as where heartbeats were lost: the attempts after it
// find the server busy, and then the step done.
func TestRotate_ScriptOfALostAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		server, script string
		// changes is how often the script changes something in a rotation.
		changes int
	}{
		"import":                      {office1, "Import-S2SCertificate", 1},
		"restart of an office server": {office1, "Restart-OfficeServer", 1},
		"issuer":                      {frontEnd, "Set-TrustedIssuer", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := &scriptCalls{host: c.server, script: c.script}
			f := newTestFarm(t, farmsim.Options{
				Hooks: farmsim.Hooks{ScriptEnded: calls.note}, Policy: model.Policy{MutexWait: 500 * time.Millisecond},
			})
			// It ends once an attempt was refused.
			calls.onRefused = func() { f.sim.World.Hurry(c.server) }
			f.addFaults(t, fault.Fault{
				Server: c.server, Step: c.script, Kind: fault.Detached, Delay: fault.Duration(time.Hour),
			})
			f.requireRotated(t)
			if calls.refused == 0 || calls.changed != c.changes {
				t.Errorf("%s was refused %d times and changed something %d times, want some and %d", c.script, calls.refused, calls.changed, c.changes)
			}
		})
	}
}

// scriptCalls counts how the runs of a script on a server ended.
type scriptCalls struct {
	host, script string
	// onRefused is called when one was refused.
	onRefused func()

	mu               sync.Mutex
	refused, changed int
}

// note is a [farmsim.Hooks] function.
func (c *scriptCalls) note(host string, call powershell.Envelope, result any) {
	if host != c.host || call.Name != c.script {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch done := result.(type) {
	case nil:
		c.refused++
		c.onRefused()
	case powershell.ImportResult:
		c.count(done.Changed)
	case powershell.RestartResult:
		c.count(done.Changed)
	case powershell.SetIssuerResult:
		c.count(done.Changed)
	}
}

func (c *scriptCalls) count(changed bool) {
	if changed {
		c.changed++
	}
}
