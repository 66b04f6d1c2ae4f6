package model_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

// lastErrors are the sources and messages of a machine's errors, newest first.
func lastErrors(f *testfarm.Farm, host string) (said []string) {
	f.T.Helper()
	found, err := f.On(host).Events(time.Time{})
	f.OK(err)
	for _, e := range found {
		said = append(said, e.Log+": "+e.Source+": "+e.Message)
	}
	return said
}

// assertRuns asserts which of a machine's services run.
func assertRuns(f *testfarm.Farm, host string, want ...string) {
	f.T.Helper()
	var running []string
	for _, m := range f.World.State().Machines {
		for name, s := range m.Services {
			if m.Host == host && s.Running {
				running = append(running, name)
			}
		}
	}
	slices.Sort(running)
	slices.Sort(want)
	if diff := cmp.Diff(want, running); diff != "" {
		f.T.Errorf("%s: services that run (-want +got):\n%s", host, diff)
	}
}

const (
	frontStopped = "Failed to start service 'World Wide Web Publishing Service (W3SVC)'."
	timerStopped = "Failed to start service 'SharePoint Timer Service (SPTimerV4)'."
)

var serviceStories = map[model.RuleID]story{
	model.RuleServiceFails: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.ServiceFails, Service: model.SPTimerV4, Starts: 1}, false))
		assertRuns(f, testfarm.Front, model.WAS, model.W3SVC, model.SPTimerV4)
		f.Refused(f.On(testfarm.Front).RestartService(model.SPTimerV4), timerStopped)
		assertRuns(f, testfarm.Front, model.WAS, model.W3SVC)
		f.OK(f.On(testfarm.Front).StartService(model.SPTimerV4))
		assertRuns(f, testfarm.Front, model.WAS, model.W3SVC, model.SPTimerV4)
		return f
	},
	model.RuleServiceStops: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.Impose(testfarm.Master, model.Condition{Kind: model.ServiceStops, Service: model.WACSM, Starts: -1, Delay: time.Minute}, true))
		assertRuns(f, testfarm.Master, model.WAS, model.W3SVC)
		f.OK(f.On(testfarm.Master).StartService(model.WACSM))
		time.Sleep(59 * time.Second)
		assertRuns(f, testfarm.Master, model.WAS, model.W3SVC, model.WACSM)
		time.Sleep(time.Second)
		assertRuns(f, testfarm.Master, model.WAS, model.W3SVC)
		f.World.LiftConditions()
		f.OK(f.On(testfarm.Master).StartService(model.WACSM))
		time.Sleep(time.Hour)
		assertRuns(f, testfarm.Master, model.WAS, model.W3SVC, model.WACSM)
		return f
	},
	model.RuleCauseInEventLog: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.UseS2S("nothing")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		const cause = "Application: WACSM: Service cannot be started. System.InvalidOperationException: The certificate has not been specified."
		if got := lastErrors(f, testfarm.Master); !slices.Equal(got, []string{cause}) {
			t.Errorf("errors in the event logs: %q", got)
		}
		return f
	},
	model.RuleIISServices: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.Works()
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.ServiceFails, Service: model.WAS, Starts: 1}, true))
		assertRuns(f, testfarm.Front, model.SPTimerV4)
		f.Broken(model.RuleIISServices)
		f.Refused(f.On(testfarm.Front).StartService(model.W3SVC), frontStopped)
		f.OK(f.On(testfarm.Front).StartService(model.W3SVC)) // It starts WAS too.
		assertRuns(f, testfarm.Front, model.WAS, model.W3SVC, model.SPTimerV4)
		f.Works()
		return f
	},
	model.RuleIISResetFails: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.Impose(testfarm.Master, model.Condition{Kind: model.IISResetFails, Starts: 1}, false))
		f.Refused(f.On(testfarm.Master).IISReset(), "iisreset ended with exit code 1053")
		assertRuns(f, testfarm.Master, model.WACSM)
		if workers, err := f.On(testfarm.Master).WorkersSince(); err != nil || !workers.IsZero() {
			t.Errorf("workers since %s, %v; want none", workers, err)
		}
		code, err := f.On(testfarm.Master).IISStart()
		f.OK(err)
		assertRuns(f, testfarm.Master, model.WACSM, model.WAS, model.W3SVC)
		if code != 0 {
			t.Errorf("the second start ended with %d", code)
		}
		return f
	},
	model.RulePoolDown: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.OK(f.World.Impose(testfarm.Master, model.Condition{Kind: model.PoolDown, Starts: -1}, true))
		f.Broken(model.RulePoolDown)
		f.RestartOffice(testfarm.Master)
		f.Broken(model.RulePoolDown)
		assertResponds(f, testfarm.Master, discovery, model.SiteResponse{Status: 503})
		f.World.LiftConditions()
		f.Works()
		f.OK(f.World.Impose(testfarm.Master, model.Condition{Kind: model.PoolDown, Starts: 1, Delay: time.Minute}, false))
		f.RestartOffice(testfarm.Master)
		f.Broken(model.RulePoolDown)
		time.Sleep(time.Minute)
		f.Works()
		return f
	},
	model.RuleSQLAway: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.OK(f.World.Impose(testfarm.Second, model.Condition{Kind: model.SQLAway, Delay: time.Minute}, false))
		f.Broken(model.RuleSQLAway)
		time.Sleep(time.Minute)
		f.Works()
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.SQLAway}, false))
		time.Sleep(time.Hour)
		f.Broken(model.RuleSQLAway)
		f.World.LiftConditions()
		f.Works()
		return f
	},
	model.RuleSettingsRewrite: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{RewritesAtStart: true, RewritesEvery: 4 * time.Minute})
		f.OK(f.On(testfarm.Master).RestartService(model.WACSM))
		written := func() time.Time {
			at, err := f.On(testfarm.Master).FileTime(model.SettingsFile)
			f.OK(err)
			return at
		}
		started, err := f.On(testfarm.Master).Service(model.WACSM)
		f.OK(err)
		if at := written(); !at.After(started.Since) {
			t.Errorf("the settings are of %s, want after the start at %s", at, started.Since)
		}
		time.Sleep(9 * time.Minute)
		if at := written(); !at.Equal(started.Since.Add(8 * time.Minute)) {
			t.Errorf("the settings are of %s, want 8 minutes after %s", at, started.Since)
		}
		return f
	},
	model.RuleSettingsFile: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.UseS2S("R&D")
		text, ok, err := f.On(testfarm.Master).ReadFile(model.SettingsFile)
		f.OK(err)
		if !ok || !strings.Contains(string(text), "<S2SCertificateName><StringValue>R&amp;D</StringValue>") {
			t.Errorf("the settings file holds %s", text)
		}
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		f.OK(f.World.EditSettingsFile(testfarm.Master, "S2S"))
		f.OK(f.On(testfarm.Master).StartService(model.WACSM))
		return f
	},
}

// TestReboot_StartsWhatCanStart checks that what is wrong with one service keeps
// no other from starting with Windows.
func TestReboot_StartsWhatCanStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.ServiceFails, Service: model.W3SVC, Starts: 1}, true))
		f.OK(f.World.Reboot(testfarm.Front, time.Minute))
		time.Sleep(time.Minute)
		assertRuns(f, testfarm.Front, model.WAS, model.SPTimerV4)
		f.OK(f.World.Reboot(testfarm.Front, time.Minute))
		time.Sleep(time.Minute)
		assertRuns(f, testfarm.Front, model.WAS, model.W3SVC, model.SPTimerV4)
	})
}

// TestImpose_Impossible checks that what could never show is refused.
func TestImpose_Impossible(t *testing.T) {
	t.Parallel()
	f := testfarm.New(t, model.Policy{})
	f.OK(f.World.AddMachine(model.MachineSpec{Host: "bare.contoso.com"}))
	for claim, c := range map[string]struct {
		host string
		model.Condition
	}{
		"there is no machine": {"nowhere", model.Condition{Kind: model.PoolDown}},
		"has no service":      {testfarm.Front, model.Condition{Kind: model.ServiceFails, Service: model.WACSM}},
		"has no IIS":          {"bare.contoso.com", model.Condition{Kind: model.IISResetFails}},
		"no SharePoint farm":  {testfarm.Master, model.Condition{Kind: model.SQLAway}},
	} {
		if err := f.World.Impose(c.host, c.Condition, false); err == nil || !strings.Contains(err.Error(), claim) {
			t.Errorf("%+v: got %v, want %q", c, err, claim)
		}
	}
	bare, err := f.World.LogOn("bare.contoso.com", testfarm.Admin)
	f.OK(err)
	f.Refused(bare.IISReset(), "Cannot find any service with service name 'W3SVC'.")
}

// TestRegistry checks that a text value is kept, and is not part of the trust.
func TestRegistry(t *testing.T) {
	t.Parallel()
	f := testfarm.New(t, model.Policy{})
	before := f.Trust()
	const path = `HKLM\SOFTWARE\farmtrust\Loaded`
	_, found, err := f.On(testfarm.Master).RegistryText(path)
	f.OK(err)
	f.OK(f.On(testfarm.Master).SetRegistryText(path, "{}"))
	text, _, err := f.On(testfarm.Master).RegistryText(path)
	f.OK(err)
	if found || text != "{}" {
		t.Errorf("found before: %t, afterwards %q", found, text)
	}
	f.AssertUnchangedSince(before)
}
