package model_test

import (
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

const (
	nonInteractive = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
	unresolved     = "Parameter set cannot be resolved using the specified named parameters."
	noObject       = "A valid object could not be read from the provided pipebind parameter."
	noLocalFarm    = "Cannot access the local farm. Verify that the local farm is properly configured, currently available, and " +
		"that you have the appropriate permissions to access the database before trying again."
)

var officeStories = map[model.RuleID]story{
	model.RuleNotJoined: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		_, err := f.On(testfarm.Alone).Office().GetOfficeWebAppsMachine()
		f.Refused(err, "It does not appear that this machine is part of an Office Online Server farm.")
		return f
	},
	model.RuleFarmNeedsService: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.UseS2S("nothing")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		_, err := f.On(testfarm.Master).Office().GetOfficeWebAppsFarm()
		f.Refused(err, "The Office Online service is not running.")
		return f
	},
	model.RuleSetFarmPrompts: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		name := "S2S"
		f.Refused(f.On(testfarm.Master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name}), nonInteractive)
		return f
	},
	model.RuleSetFarmWarns: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		on, session := true, f.On(testfarm.Master)
		f.OK(session.Office().SetOfficeWebAppsFarm(model.SetFarm{AllowOutboundHTTP: &on}))
		want := []string{"The following settings have been changed: AllowOutboundHttp. For this to take effect, every machine in the farm must be restarted."}
		if got := session.TakeWarnings(); !slices.Equal(got, want) {
			t.Errorf("it warned %q, want %q", got, want)
		}
		if left := session.TakeWarnings(); len(left) > 0 {
			t.Errorf("%q is there again", left)
		}
		return f
	},
	model.RuleS2SNameChecked: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{CheckS2SName: true})
		name := "S2S"
		set := model.SetFarm{S2SCertificateName: &name, Force: true}
		f.Refused(f.On(testfarm.Master).Office().SetOfficeWebAppsFarm(set), "The specified certificate was not found: S2S")
		f.Install(testfarm.Master, testfarm.NewPair(t, "s2s", nil), "S2S")
		f.OK(f.On(testfarm.Master).Office().SetOfficeWebAppsFarm(set))
		return f
	},
	model.RuleEmptyS2SName: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{KeepS2SName: true})
		name := ""
		f.Refused(f.On(testfarm.Master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}),
			"Cannot validate argument on parameter 'S2SCertificateName'. The argument is null or empty.")
		return f
	},
	model.RuleReplication: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{ReplicationDelay: time.Minute})
		f.UseS2S("S2S")
		seen := func(host string) string {
			settings, err := f.On(host).Office().GetOfficeWebAppsFarm()
			f.OK(err)
			return settings.S2SCertificateName
		}
		if seen(testfarm.Master) != "S2S" || seen(testfarm.Member) != "" {
			t.Errorf("at once the master sees %q and a member %q", seen(testfarm.Master), seen(testfarm.Member))
		}
		time.Sleep(time.Minute)
		if seen(testfarm.Member) != "S2S" {
			t.Errorf("after the delay a member sees %q", seen(testfarm.Member))
		}
		written, err := f.On(testfarm.Member).FileTime(model.SettingsFile)
		f.OK(err)
		if !written.Equal(time.Now()) {
			t.Errorf("the member's settings were written at %s, want when they came: %s", written, time.Now())
		}
		return f
	},
	model.RuleLoadAtStart: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		old, next := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "new", nil)
		f.SetUp(old)
		f.Install(testfarm.Master, next, "S2S new")
		f.Grant(testfarm.Master, next)
		f.UseS2S("S2S new")
		f.Broken(model.RuleLoadAtStart)
		f.OK(f.On(testfarm.Master).RestartService(model.WACSM))
		if got := f.Obstacles(testfarm.Master, testfarm.Front); !slices.Contains(got, model.RuleLoadAtStart) {
			t.Errorf("obstacles %q after WACSM alone restarted", got)
		}
		f.OK(f.On(testfarm.Master).IISReset())
		// It signs with the new one, which SharePoint does not know.
		if got := f.Obstacles(testfarm.Master, testfarm.Front); !slices.Equal(got, []model.RuleID{model.RuleTrustedIssuer, model.RuleChain}) {
			t.Errorf("obstacles %q after both restarted", got)
		}
		return f
	},
	model.RuleNameMissing: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.UseS2S("misspelt")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		f.UseS2S("s2s") // Windows compares names without case.
		f.RestartOffice(testfarm.Master)
		return f
	},
	model.RuleNameAmbiguous: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		_, err := f.On(testfarm.Master).AddToStore(model.Root, p.Cert.Raw)
		f.OK(err)
		f.RestartOffice(testfarm.Master) // a copy in Trusted Root without the name does no harm
		f.OK(f.On(testfarm.Master).SetFriendlyName(model.Root, p.Thumbprint(), "S2S"))
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		_, err = f.On(testfarm.Master).RemoveFromStore(model.Root, p.Thumbprint())
		f.OK(err)
		f.Install(testfarm.Master, testfarm.NewPair(t, "other", nil), "S2S")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		return f
	},
	model.RuleSameSubject: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{SameSubjectStopsService: true})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.Install(testfarm.Master, testfarm.NewPair(t, "s2s", nil), "S2S renewed")
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		return f
	},
	model.RuleNoCNG: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		_, err := f.On(testfarm.Master).ImportPFX(model.PfxCmdlet, p.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		f.OK(f.On(testfarm.Master).SetFriendlyName(model.My, p.Thumbprint(), "S2S"))
		f.Grant(testfarm.Master, p)
		f.UseS2S("S2S")
		f.Register(p)
		f.RestartSharePoint(testfarm.Front)
		f.RestartOffice(testfarm.Master)
		f.Broken(model.RuleNoCNG)
		return f
	},
	model.RuleRSAOnly: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewECPair(t, "s2s", nil))
		if got := f.Obstacles(testfarm.Master, testfarm.Front); !slices.Contains(got, model.RuleRSAOnly) {
			t.Errorf("obstacles %q, want the key's kind among them", got)
		}
		return f
	},
}

// TestOfficeFarms has a second office farm beside the first, which keeps settings and
// a master of its own.
func TestOfficeFarms(t *testing.T) {
	f := testfarm.New(t, model.Policy{})
	f.OK(f.World.NewOfficeFarm(model.OfficeSettings{}, testfarm.Alone))
	f.Install(testfarm.Alone, testfarm.NewPair(t, "s2s", nil), "S2S")
	settings := func(host string) model.OfficeFarm {
		found, err := f.On(host).Office().GetOfficeWebAppsFarm()
		f.OK(err)
		return found
	}
	name := "S2S"
	f.OK(f.On(testfarm.Alone).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}))
	if own, other := settings(testfarm.Alone).S2SCertificateName, settings(testfarm.Master).S2SCertificateName; own != name || other != "" {
		t.Errorf("the name is %q, and in the other office farm %q", own, other)
	}
	if n := len(settings(testfarm.Alone).Machines); n != 1 {
		t.Errorf("the office farm of one machine lists %d", n)
	}
	if err := f.World.NewOfficeFarm(model.OfficeSettings{}, testfarm.Member); err == nil {
		t.Errorf("%s is in two office farms", testfarm.Member)
	}
	f.OK(f.World.RecreateOfficeFarm(testfarm.Alone, ""))
	if own := settings(testfarm.Alone).S2SCertificateName; own != "" {
		t.Errorf("after the office farm was re-created its name is %q", own)
	}
}
