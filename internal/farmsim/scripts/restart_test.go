package scripts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// assertSays asserts that a script says no with an error of ours whose message has
// every one of some texts.
func assertSays[R any](f *testfarm.Farm, host string, p powershell.Params[R], id string, texts ...string) {
	f.T.Helper()
	_, err := run(f, host, p)
	var refused *powershell.ScriptError
	if !errors.As(err, &refused) || refused.ID != id {
		f.T.Fatalf("%s: got %v, want %s", powershell.ScriptOf(p), err, id)
	}
	for _, text := range texts {
		if !strings.Contains(refused.Message, text) {
			f.T.Errorf("%s says %q, want %q in it", powershell.ScriptOf(p), refused.Message, text)
		}
	}
}

// assertRestarts asserts what a restart of the master restarts.
func assertRestarts(f *testfarm.Farm, p powershell.RestartOfficeServer, want ...string) {
	f.T.Helper()
	if got := must(f, testfarm.Master, p); !slices.Equal(got.Restarted, want) {
		f.T.Errorf("restarted %v, want %v", got.Restarted, want)
	}
}

func impose(f *testfarm.Farm, host string, c model.Condition, stop bool) {
	f.T.Helper()
	f.OK(f.World.Impose(host, c, stop))
}

func TestRestart_NotBack(t *testing.T) {
	t.Parallel()
	t.Run("WACSM without its certificate", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			f.UseS2S("nothing")
			time.Sleep(time.Second)
			assertSays(f, testfarm.Master, powershell.RestartOfficeServer{}, powershell.ServiceNotRunning,
				"WACSM is not running: Failed to start service 'Office Online (WACSM)'.", " WACSM: Service cannot be started. ", "The certificate has not been specified.")
			assertSays(f, testfarm.Master, powershell.RestartOfficeServer{}, powershell.ServiceNotRunning, "WACSM is not running")
			seen := must(f, testfarm.Master, powershell.GetOfficeServer{})
			if seen.Service.Running || !seen.WebServer.Running || len(seen.LastErrors) != 2 {
				t.Errorf("observed %+v, %+v, %q", seen.Service, seen.WebServer, seen.LastErrors)
			}
		})
	})
	t.Run("a service that stops again at once", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			now := time.Now()
			impose(f, testfarm.Front, model.Condition{Kind: model.ServiceStops, Service: model.SPTimerV4, Starts: 1, Delay: time.Nanosecond}, false)
			time.Sleep(time.Second)
			// It runs when it is looked at first.
			impose(f, testfarm.Front, model.Condition{Kind: model.ServiceStops, Service: model.W3SVC, Starts: 1, Delay: time.Nanosecond}, false)
			must(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: now})
			time.Sleep(time.Second)
			seen := must(f, testfarm.Front, powershell.GetSharePointServer{})
			if seen.Timer.Running || seen.WebServer.Running || !seen.Activation.Running || len(seen.LastErrors) != 2 {
				t.Errorf("observed %+v", seen)
			}
		})
	})
	t.Run("IIS that iisreset leaves stopped", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			now := time.Now()
			time.Sleep(time.Second)
			impose(f, testfarm.Front, model.Condition{Kind: model.IISResetFails, Starts: 2}, false)
			for range 2 {
				assertSays(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: now}, powershell.IisResetFailed,
					"iisreset /stop ended with exit code 0, iisreset /start with 1053: W3SVC running: False, WAS running: False", "IISCTLS")
			}
			got := must(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: now})
			want := powershell.RestartResult{Changed: true, Restarted: []string{model.IIS, model.SPTimerV4}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the third attempt (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("IIS that was stopped is started although no worker is older", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			impose(f, testfarm.Front, model.Condition{Kind: model.IISResetFails, Starts: 1}, true)
			f.World.LiftConditions()
			got := must(f, testfarm.Front, powershell.RestartSharePointServer{NotBefore: time.Now().Add(-240 * time.Hour)})
			if !slices.Equal(got.Restarted, []string{model.IIS}) {
				t.Errorf("restarted %v", got.Restarted)
			}
		})
	})
}

func TestRestart_WhatWasLoaded(t *testing.T) {
	t.Parallel()
	nothing, both := []string{}, []string{model.WACSM, model.IIS}
	// A farm whose master was restarted by the script with a certificate.
	loaded := func(f *testfarm.Farm, t *testing.T) testfarm.KeyPair {
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		time.Sleep(time.Minute)
		now := time.Now()
		assertRestarts(f, powershell.RestartOfficeServer{NotBefore: &now}, both...)
		time.Sleep(time.Minute)
		return p
	}
	t.Run("is noted and observed", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			before := must(f, testfarm.Master, powershell.GetOfficeServer{})
			p := loaded(f, t)
			seen := must(f, testfarm.Master, powershell.GetOfficeServer{})
			want := &powershell.LoadedSettings{
				Since: *seen.Service.Since, Service: *seen.Service.Since, S2SCertificateName: "S2S", Thumbprint: string(p.Thumbprint()),
			}
			if diff := cmp.Diff(want, seen.Loaded); diff != "" || before.Loaded != nil {
				t.Errorf("before %+v; note (-want +got):\n%s", before.Loaded, diff)
			}
		})
	})
	t.Run("settings that are written without a change make no restart pending", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			loaded(f, t)
			f.UseS2S("S2S")
			now := time.Now()
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
			assertRestarts(f, powershell.RestartOfficeServer{UnlessNoted: &now}, nothing...)
			assertRestarts(f, powershell.RestartOfficeServer{NotBefore: &now}, both...)
		})
	})
	t.Run("a note from before the settings were changed and set back proves nothing", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			loaded(f, t)
			now := time.Now()
			time.Sleep(time.Minute)
			f.OK(f.On(testfarm.Master).RestartService(model.WACSM))
			f.OK(f.On(testfarm.Master).IISReset())
			time.Sleep(time.Minute)
			f.UseS2S("S2S")
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
			assertRestarts(f, powershell.RestartOfficeServer{NotBefore: &now}, both...)
			assertRestarts(f, powershell.RestartOfficeServer{NotBefore: &now}, nothing...)
		})
	})
	t.Run("where the trust changes, a note proves nothing about another process", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			loaded(f, t)
			f.OK(f.On(testfarm.Master).RestartService(model.WACSM))
			f.OK(f.On(testfarm.Master).IISReset())
			time.Sleep(time.Minute)
			now := time.Now()
			assertRestarts(f, powershell.RestartOfficeServer{UnlessNoted: &now}, both...)
		})
	})
	t.Run("without a note the times decide", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			f.SetUp(testfarm.NewPair(t, "s2s", nil))
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
			time.Sleep(time.Minute)
			now := time.Now()
			assertRestarts(f, powershell.RestartOfficeServer{UnlessNoted: &now}, both...)
			time.Sleep(time.Minute)
			now = time.Now()
			assertRestarts(f, powershell.RestartOfficeServer{UnlessNoted: &now}, nothing...)
		})
	})
	t.Run("another certificate under the same name is loaded", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := loaded(f, t)
			_, err := f.On(testfarm.Master).RemoveFromStore(model.My, p.Thumbprint())
			f.OK(err)
			f.Install(testfarm.Master, testfarm.NewPair(t, "next", nil), "S2S")
			time.Sleep(time.Minute)
			assertRestarts(f, powershell.RestartOfficeServer{}, both...)
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
		})
	})
	t.Run("an older certificate under the same name is loaded by the process of the note", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			older := testfarm.NewPair(t, "older", nil)
			f.Install(testfarm.Master, older, "spare")
			time.Sleep(time.Minute)
			p := loaded(f, t)
			f.OK(f.On(testfarm.Master).SetFriendlyName(model.My, p.Thumbprint(), "before"))
			f.OK(f.On(testfarm.Master).SetFriendlyName(model.My, older.Thumbprint(), "S2S"))
			assertRestarts(f, powershell.RestartOfficeServer{}, both...)
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
		})
	})
	t.Run("a restart of IIS alone keeps the proof of WACSM", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			loaded(f, t)
			impose(f, testfarm.Master, model.Condition{Kind: model.IISResetFails, Starts: 1}, true)
			f.World.LiftConditions()
			assertRestarts(f, powershell.RestartOfficeServer{}, model.IIS)
			f.UseS2S("S2S")
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
		})
	})
	t.Run("what cannot be read is no note", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			f.OK(f.On(testfarm.Master).SetRegistryText(model.LoadedNote, "{"))
			if seen := must(f, testfarm.Master, powershell.GetOfficeServer{}); seen.Loaded != nil {
				t.Errorf("the note is %+v", seen.Loaded)
			}
			assertRestarts(f, powershell.RestartOfficeServer{}, nothing...)
		})
	})
}

func TestStart(t *testing.T) {
	t.Parallel()
	named := func(p testfarm.KeyPair, name string) powershell.NamedCertificate {
		return powershell.NamedCertificate{Thumbprint: string(p.Thumbprint()), FriendlyName: name}
	}
	t.Run("changes nothing where all services run", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			f.SetUp(p)
			before := f.Trust()
			got := must(f, testfarm.Master, powershell.StartOfficeServer{Certificates: []powershell.NamedCertificate{named(p, "S2S")}})
			if diff := cmp.Diff(powershell.StartResult{Started: []string{}, Named: "S2S"}, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("starts with the certificate that the settings name", func(t *testing.T) {
		tell(t, model.Policy{SameSubjectStopsService: true}, func(t *testing.T, f *testfarm.Farm) {
			old, next := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
			f.SetUp(old)
			f.Install(testfarm.Master, next, "S2S <2>")
			f.UseS2S("S2S <2>")
			f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
			impose(f, testfarm.Master, model.Condition{Kind: model.ServiceFails, Service: model.WAS, Starts: 1}, true)
			f.World.LiftConditions()
			f.OK(f.On(testfarm.Master).Archive(next.Thumbprint(), true))

			both := []powershell.NamedCertificate{named(old, "S2S"), named(next, "S2S <2>")}
			got := must(f, testfarm.Master, powershell.StartOfficeServer{Certificates: both})
			want := powershell.StartResult{Changed: true, Started: []string{model.WAS, model.W3SVC, model.WACSM}, Named: "S2S <2>"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("says which name the settings have", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			f.SetUp(p)
			f.UseS2S("elsewhere")
			f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
			lost := testfarm.NewPair(t, "lost", nil)
			call := powershell.StartOfficeServer{Certificates: []powershell.NamedCertificate{named(p, "S2S"), named(lost, "elsewhere")}}
			assertSays(f, testfarm.Master, call, powershell.ServiceNotRunning, "settings.xml has the name 'elsewhere'", "The certificate has not been specified.")
			call.Certificates = call.Certificates[:1]
			assertSays(f, testfarm.Master, call, powershell.ServiceNotRunning, "settings.xml has none of the names")
			f.OK(f.World.EditSettingsFile(testfarm.Master, "S2S"))
			if got := must(f, testfarm.Master, call); !slices.Equal(got.Started, []string{model.WACSM}) || got.Named != "S2S" {
				t.Errorf("got %+v", got)
			}
			f.Works()
		})
	})
}
