package powershell_test

import (
	"bytes"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// stop makes WACSM stopped, with a start type, until a script restarts it.
func (s *serverSpec) stop(startType string) *serverSpec {
	var restarted atomic.Bool
	isWACSM := func(parameters json.RawMessage) bool { return bytes.Contains(parameters, []byte(`"WACSM"`)) }
	s.override("Restart-Service", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
		if isWACSM(parameters) {
			restarted.Store(true)
		}
		return do()
	})
	return s.override("Get-Service", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
		if !isWACSM(parameters) {
			return do()
		}
		found, err := pwsh.Edit("StartType", startType)(parameters, do)
		if restarted.Load() {
			return found, err
		}
		return pwsh.Edit("Status", "Stopped")(parameters, func() (any, error) { return found, err })
	})
}

func TestRestart_OnlyOlderSettings(t *testing.T) {
	t.Parallel()
	const uptime = 3 * 24 * time.Hour // of a machine of the model
	started := time.Now().Add(-uptime)
	earlier, later := started.Add(-time.Hour), started.Add(time.Hour)
	both := []string{"WACSM", "IIS"}
	cases := []struct {
		name      string
		settings  time.Time
		notBefore *time.Time
		spec      func(s *serverSpec)
		want      []string
	}{
		{name: "settings are older", settings: earlier, want: []string{}},
		{name: "settings are newer", settings: later, want: both},
		{name: "no settings file", want: both},
		{name: "NotBefore is later", settings: earlier, notBefore: &later, want: both},
		{
			name: "no worker runs", settings: later, want: []string{"WACSM"},
			spec: func(s *serverSpec) { s.override("Get-WorkerStart", pwsh.Return(nil)) },
		},
		{name: "the service stopped by itself", settings: earlier, want: []string{"WACSM"}, spec: func(s *serverSpec) { s.stop("Automatic") }},
		{name: "the service is disabled", settings: later, want: []string{"IIS"}, spec: func(s *serverSpec) { s.stop("Disabled") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Get-FileTime", pwsh.Return(nil))
			if !c.settings.IsZero() {
				spec.override("Get-FileTime", pwsh.Return(dateTime(c.settings)))
			}
			if c.spec != nil {
				c.spec(spec)
			}
			s := newServer(t, spec)
			params := powershell.RestartOfficeServer{NotBefore: c.notBefore}
			want := powershell.RestartResult{Changed: len(c.want) > 0, Restarted: c.want}
			if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if again := mustRun(t, s, params); again.Changed {
				t.Errorf("again: restarted %v, want nothing", again.Restarted)
			}
		})
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("that fails is an error", func(t *testing.T) {
		t.Parallel()
		t.Run("iisreset", func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Get-FileTime", pwsh.Return(nil)).override("Invoke-IisReset", pwsh.Return(5))
			assertRefused(t, newServer(t, spec), powershell.RestartOfficeServer{}, powershell.IisResetFailed)
		})
		t.Run("a service that does not start in time", func(t *testing.T) {
			t.Parallel()
			spec := newOfficeServer().override("Get-FileTime", pwsh.Return(nil)).override("Get-Service", pwsh.Edit("Status", "StartPending"))
			refused := requireRefusal(t, newServer(t, spec), powershell.RestartOfficeServer{}, powershell.ServiceNotRunning)
			if want := "WACSM is not running: 'WACSM' is not Running after 00:02:00."; refused.Message != want {
				t.Errorf("got %q, want %q", refused.Message, want)
			}
		})
	})
	t.Run("of a SharePoint server takes only what started too early", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newFrontEnd(editions["2016"]))
		started := s.World.State().Machines[0].Services[model.SPTimerV4].Since
		started = started.Truncate(100 * time.Nanosecond) // as precise as Windows is
		if got := mustRun(t, s, powershell.RestartSharePointServer{NotBefore: started}); got.Changed {
			t.Errorf("restarted %v although all started at that moment", got.Restarted)
		}
		params := powershell.RestartSharePointServer{NotBefore: started.Add(123456789 * time.Nanosecond)}
		want := powershell.RestartResult{Changed: true, Restarted: []string{"IIS", "SPTimerV4"}}
		if diff := cmp.Diff(want, mustRun(t, s, params)); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		if got := mustRun(t, s, params); got.Changed {
			t.Errorf("again: restarted %v", got.Restarted)
		}
	})
}
