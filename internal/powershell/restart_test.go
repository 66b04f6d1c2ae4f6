package powershell_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// writeSettings makes the farm's settings file as old as a moment.
func writeSettings(t *testing.T, e *engine, at time.Time) {
	t.Helper()
	file := filepath.Join(filepath.Dir(e.world), "Microsoft", "OfficeWebApps", "Data", "FarmState", "settings.xml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("<x/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOfficeServerRestartsWhatRunsOlderSettingsOnly(t *testing.T) {
	t.Parallel()
	started := moment(t, sinceStart)
	later := started.Add(time.Hour)
	both := []string{"WACSM", "IIS"}
	cases := []struct {
		claim     string
		settings  time.Time
		notBefore *time.Time
		world     func(w map[string]any)
		want      []string
	}{
		{claim: "settings are older", settings: started.Add(-time.Hour), want: []string{}},
		{claim: "settings are newer", settings: later, want: both},
		{claim: "no settings file", want: both},
		{claim: "asked to", settings: started.Add(-time.Hour), notBefore: &later, want: both},
		{claim: "no worker runs", settings: later, world: func(w map[string]any) { w["workersSince"] = nil }, want: []string{"WACSM"}},
		{
			claim: "the service stopped by itself", settings: started.Add(-time.Hour), want: []string{"WACSM"},
			world: func(w map[string]any) {
				with(w, "services", "WACSM", map[string]any{"status": "Stopped", "startType": "Automatic", "since": nil, "afterRestart": "Running"})
			},
		},
		{
			claim: "the service is switched off", settings: later, want: []string{"IIS"},
			world: func(w map[string]any) {
				with(w, "services", "WACSM", map[string]any{"status": "Stopped", "startType": "Disabled", "since": nil, "afterRestart": "Running"})
			},
		},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := officeServer(t)
			if c.world != nil {
				c.world(w)
			}
			e := newEngine(t, w)
			if !c.settings.IsZero() {
				writeSettings(t, e, c.settings)
			}
			got := run(t, e, powershell.RestartOfficeServer{NotBefore: c.notBefore})
			if !cmp.Equal(got.Restarted, c.want) || got.Changed != (len(c.want) > 0) {
				t.Errorf("restarted %v, want %v", got.Restarted, c.want)
			}
			if c.settings.IsZero() {
				return // Without the file it cannot know, and restarts each time.
			}
			if again := run(t, e, powershell.RestartOfficeServer{NotBefore: c.notBefore}); again.Changed {
				t.Errorf("again: restarted %v, want nothing", again.Restarted)
			}
		})
	}
}

func TestRestartThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	w := officeServer(t)
	w["iisResetCode"] = 5
	refused(t, newEngine(t, w), powershell.RestartOfficeServer{}, powershell.IisResetFailed)

	w = officeServer(t)
	with(w, "services", "WACSM", map[string]any{"status": "Running", "startType": "Automatic", "since": longAgo, "afterRestart": "StartPending"})
	_, err := powershell.Run(t.Context(), newEngine(t, w), powershell.Target{Host: "oos-01"}, powershell.RestartOfficeServer{})
	var said *powershell.ScriptError
	if !errors.As(err, &said) || said.Exception != "System.TimeoutException" || said.Line == 0 {
		t.Errorf("got %+v, want the exception and its line", err)
	}
}

func TestSharePointServerRestartsWhatStartedTooEarly(t *testing.T) {
	t.Parallel()
	e := newEngine(t, someMachine())
	started := moment(t, sinceStart)
	if got := run(t, e, powershell.RestartSharePointServer{NotBefore: started}); got.Changed {
		t.Errorf("restarted %v although all started at that moment", got.Restarted)
	}
	params := powershell.RestartSharePointServer{NotBefore: started.Add(123456789 * time.Nanosecond)}
	if got := run(t, e, params); !cmp.Equal(got.Restarted, []string{"IIS", "SPTimerV4"}) {
		t.Errorf("restarted %v, want both", got.Restarted)
	}
	if got := run(t, e, params); got.Changed {
		t.Errorf("again: restarted %v", got.Restarted)
	}
}
