package powershell_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// assertSays asserts that a script fails with an error of this ID whose message has
// these texts.
func assertSays[R any](t *testing.T, r powershell.Runner, params powershell.Params[R], id string, texts ...string) {
	t.Helper()
	refused := requireRefusal(t, r, params, id)
	for _, text := range texts {
		if !strings.Contains(refused.Message, text) {
			t.Errorf("got %q, want %q in it", refused.Message, text)
		}
	}
}

// stopAfter makes a service stopped from the nth look at it on.
func (s *serverSpec) stopAfter(service string, looks int32) *serverSpec {
	var seen atomic.Int32
	return s.override("Get-Service", func(parameters json.RawMessage, do func() (any, error)) (any, error) {
		if strings.Contains(string(parameters), `"`+service+`"`) && seen.Add(1) > looks {
			return pwsh.Edit("Status", "Stopped")(parameters, do)
		}
		return do()
	})
}

func TestRestart_NotBack(t *testing.T) {
	t.Parallel()
	tomorrow := time.Now().Add(24 * time.Hour)
	front := powershell.RestartSharePointServer{NotBefore: tomorrow}
	t.Run("a service that does not start", func(t *testing.T) {
		t.Parallel()
		spec := newOfficeServer()
		spec.office.S2SCertificateName = "nothing"
		s := newServer(t, spec)
		assertSays(t, s, powershell.RestartOfficeServer{NotBefore: &tomorrow}, powershell.ServiceNotRunning,
			"WACSM is not running: Failed to start service 'Office Online (WACSM)'.; last errors of the event logs: ",
			" WACSM: Service cannot be started. System.InvalidOperationException: The certificate has not been specified.")
		seen := mustRun(t, s, powershell.GetOfficeServer{})
		if seen.Service.Running || len(seen.LastErrors) != 1 || !strings.Contains(seen.LastErrors[0], "certificate has not been") {
			t.Errorf("observed %+v, %q", seen.Service, seen.LastErrors)
		}
	})
	t.Run("a service that stops again", func(t *testing.T) {
		t.Parallel()
		const looks = 3 // whether it runs, how it starts, whether it has started
		spec := newFrontEnd(editions["2016"]).stopAfter(model.SPTimerV4, looks)
		assertSays(t, newServer(t, spec), front, powershell.ServiceNotRunning, "SPTimerV4 is not running: it started and stopped again")
	})
	t.Run("a service that runs on", func(t *testing.T) {
		t.Parallel()
		denied := model.Error{ID: "CouldNotStopService", Message: "denied", Category: "CloseError", Exception: "System.InvalidOperationException"}
		spec := newFrontEnd(editions["2016"]).override("Restart-Service", pwsh.Throw(denied))
		assertRefused(t, newServer(t, spec), front, denied.ID)
	})
	t.Run("IIS", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newFrontEnd(editions["2016"]))
		s.impose(model.Condition{Kind: model.IISResetFails, Starts: 1}, false)
		assertSays(t, s, front, powershell.IisResetFailed,
			"iisreset /stop ended with exit code 0, iisreset /start with 1053: W3SVC running: False, WAS running: False; last errors of the event logs: ", "IISCTLS")
		want := powershell.RestartResult{Changed: true, Restarted: []string{"IIS", "SPTimerV4"}}
		if diff := cmp.Diff(want, mustRun(t, s, powershell.RestartSharePointServer{NotBefore: time.Now()})); diff != "" {
			t.Errorf("the second attempt: want -, got +:\n%s", diff)
		}
	})
	t.Run("an old worker process", func(t *testing.T) {
		t.Parallel()
		spec := newFrontEnd(editions["2016"]).override("Invoke-IisReset", pwsh.Return(5))
		assertSays(t, newServer(t, spec), front, powershell.IisResetFailed, "/stop ended with exit code 5", "an old worker process still runs")
	})
	t.Run("IIS that an administrator has disabled", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, newFrontEnd(editions["2016"]).override("Get-Service", pwsh.Edit("StartType", "Disabled")))
		s.impose(model.Condition{Kind: model.IISResetFails, Starts: 1}, true)
		if got := mustRun(t, s, powershell.RestartSharePointServer{NotBefore: time.Now().Add(-240 * time.Hour)}); got.Changed {
			t.Errorf("restarted %v", got.Restarted)
		}
	})
}

func TestLastErrors(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC)
	event := func(minute int, source, message string) any {
		return pwsh.Object("EventLogRecord", map[string]any{
			"TimeCreated": dateTime(at.Add(time.Duration(minute) * time.Minute)), "ProviderName": source, "Message": message, "Id": 7000 + minute,
		})
	}
	spec := newMachine().override("Get-WinEvent", func(parameters json.RawMessage, _ func() (any, error)) (any, error) {
		switch {
		case strings.Contains(string(parameters), `"Application"`):
			return []any{event(2, "WACSM", "two\r\n\tlines "), event(0, "old", "old")}, nil
		case strings.Contains(string(parameters), `"System"`):
			return []any{event(3, "unknown", ""), event(1, "long", strings.Repeat("x", 400))}, nil
		}
		return nil, nil
	})
	want := []string{
		"2026-11-28T18:03:00.000Z unknown: event 7003",
		"2026-11-28T18:02:00.000Z WACSM: two lines",
		"2026-11-28T18:01:00.000Z long: " + strings.Repeat("x", 266) + "...",
	}
	if diff := cmp.Diff(want, mustRun(t, newServer(t, spec), powershell.GetSharePointServer{}).LastErrors); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestRestart_WhatWasLoaded(t *testing.T) {
	t.Parallel()
	s2s, next := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "next.contoso.com")
	spec := newOfficeServer().in(model.My, s2s.withKey("S2S"), next.withKey("next"))
	spec.office.S2SCertificateName = "S2S"
	s := newServer(t, spec)
	requireNoError(t, s.session().SetRegistryText(model.LoadedNote, "{"))
	assertRestarts := func(what string, p powershell.RestartOfficeServer, want ...string) {
		t.Helper()
		if diff := cmp.Diff(append([]string{}, want...), mustRun(t, s, p).Restarted); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", what, diff)
		}
	}
	assertRestarts("the settings changed", powershell.RestartOfficeServer{}, "WACSM", "IIS")
	seen := mustRun(t, s, powershell.GetOfficeServer{})
	want := &powershell.LoadedSettings{Service: *seen.Service.Since, S2SCertificateName: "S2S", Thumbprint: s2s.thumbprint}
	if seen.Loaded == nil || seen.Loaded.Since.After(*seen.Service.Since) {
		t.Fatalf("noted %+v for a process that started at %s", seen.Loaded, seen.Service.Since)
	}
	want.Since = seen.Loaded.Since
	if diff := cmp.Diff(want, seen.Loaded); diff != "" {
		t.Errorf("noted: want -, got +:\n%s", diff)
	}

	set := model.SetFarm{S2SCertificateName: &spec.office.S2SCertificateName, Force: true}
	requireNoError(t, s.session().Office().SetOfficeWebAppsFarm(set))
	now := time.Now()
	assertRestarts("the settings were written without a change", powershell.RestartOfficeServer{UnlessNoted: &now})
	assertRestarts("it must be restarted", powershell.RestartOfficeServer{NotBefore: &now}, "WACSM", "IIS")
	requireNoError(t, s.session().SetFriendlyName(model.My, farm.Thumbprint(s2s.thumbprint), "before"))
	requireNoError(t, s.session().SetFriendlyName(model.My, farm.Thumbprint(next.thumbprint), "S2S"))
	assertRestarts("another certificate has the name", powershell.RestartOfficeServer{}, "WACSM", "IIS")
	assertRestarts("nothing changed", powershell.RestartOfficeServer{})
	s.impose(model.Condition{Kind: model.IISResetFails, Starts: 1}, true)
	s.World.LiftConditions()
	assertRestarts("IIS stopped", powershell.RestartOfficeServer{}, "IIS")
	s.impose(stopped(model.WACSM, -1), true)
	s.World.LiftConditions()
	assertRestarts("WACSM stopped", powershell.RestartOfficeServer{}, "WACSM")
	if seen := mustRun(t, s, powershell.GetOfficeServer{}); seen.Loaded.Thumbprint != next.thumbprint || !seen.Loaded.Service.Equal(*seen.Service.Since) {
		t.Errorf("noted %+v, the service started at %s", seen.Loaded, seen.Service.Since)
	}

	s.impose(stopped(model.WACSM, -1), true)
	s.World.LiftConditions()
	mustRun(t, s, powershell.StartOfficeServer{})
	if seen := mustRun(t, s, powershell.GetOfficeServer{}); seen.Loaded != nil {
		t.Errorf("noted %+v about a process that was only started", seen.Loaded)
	}
	now = time.Now()
	assertRestarts("without a note", powershell.RestartOfficeServer{UnlessNoted: &now}, "WACSM", "IIS")
}

func TestRestart_InNoFarm(t *testing.T) {
	t.Parallel()
	spec := newOfficeServer().override("Get-OfficeWebAppsMachine", pwsh.Throw(model.Error{
		ID: "GetFarm", Message: "in no farm", Category: "ObjectNotFound", Exception: model.FileNotFoundException,
	}))
	s := newServer(t, spec)
	now := time.Now()
	if got := mustRun(t, s, powershell.RestartOfficeServer{NotBefore: &now}); !got.Changed {
		t.Error("nothing was restarted")
	}
	if note := s.World.State().Machines[0].Registry; len(note) > 0 {
		t.Errorf("noted %v", note)
	}
}
