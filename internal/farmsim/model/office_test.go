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
		s := testfarm.New(t, model.Policy{})
		_, err := s.On(testfarm.Alone).Office().GetOfficeWebAppsMachine()
		s.Refused(err, "It does not appear that this machine is part of an Office Online Server farm.")
		return s
	},
	model.RuleFarmNeedsService: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.UseS2S("nothing")
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		_, err := s.On(testfarm.Master).Office().GetOfficeWebAppsFarm()
		s.Refused(err, "The Office Online service is not running.")
		return s
	},
	model.RuleSetFarmPrompts: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		name := "S2S"
		s.Refused(s.On(testfarm.Master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name}), nonInteractive)
		return s
	},
	model.RuleS2SNameChecked: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{CheckS2SName: true})
		name := "S2S"
		set := model.SetFarm{S2SCertificateName: &name, Force: true}
		s.Refused(s.On(testfarm.Master).Office().SetOfficeWebAppsFarm(set), "The specified certificate was not found: S2S")
		s.Install(testfarm.Master, testfarm.NewPair(t, "s2s", nil), "S2S")
		s.OK(s.On(testfarm.Master).Office().SetOfficeWebAppsFarm(set))
		return s
	},
	model.RuleEmptyS2SName: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{KeepS2SName: true})
		name := ""
		s.Refused(s.On(testfarm.Master).Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &name, Force: true}),
			"Cannot validate argument on parameter 'S2SCertificateName'. The argument is null or empty.")
		return s
	},
	model.RuleReplication: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{ReplicationDelay: time.Minute})
		s.UseS2S("S2S")
		seen := func(host string) string {
			f, err := s.On(host).Office().GetOfficeWebAppsFarm()
			s.OK(err)
			return f.S2SCertificateName
		}
		if seen(testfarm.Master) != "S2S" || seen(testfarm.Member) != "" {
			t.Errorf("at once the master sees %q and a member %q", seen(testfarm.Master), seen(testfarm.Member))
		}
		time.Sleep(time.Minute)
		if seen(testfarm.Member) != "S2S" {
			t.Errorf("after the delay a member sees %q", seen(testfarm.Member))
		}
		written, err := s.On(testfarm.Member).FileTime(model.SettingsFile)
		s.OK(err)
		if !written.Equal(time.Now()) {
			t.Errorf("the member's settings were written at %s, want when they came: %s", written, time.Now())
		}
		return s
	},
	model.RuleLoadAtStart: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		old, next := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "new", nil)
		s.SetUp(old)
		s.Install(testfarm.Master, next, "S2S new")
		s.Grant(testfarm.Master, next)
		s.UseS2S("S2S new")
		s.Broken(model.RuleLoadAtStart)
		s.OK(s.On(testfarm.Master).RestartService(model.WACSM))
		if got := s.Obstacles(testfarm.Master, testfarm.Front); !slices.Contains(got, model.RuleLoadAtStart) {
			t.Errorf("obstacles %q after WACSM alone restarted", got)
		}
		s.OK(s.On(testfarm.Master).IISReset())
		// It signs with the new one, which SharePoint does not know.
		if got := s.Obstacles(testfarm.Master, testfarm.Front); !slices.Equal(got, []model.RuleID{model.RuleTrustedIssuer, model.RuleChain}) {
			t.Errorf("obstacles %q after both restarted", got)
		}
		return s
	},
	model.RuleNameMissing: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		s.UseS2S("misspelt")
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		s.UseS2S("s2s") // Windows compares names without case.
		s.RestartOffice(testfarm.Master)
		return s
	},
	model.RuleNameAmbiguous: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		s.SetUp(p)
		_, err := s.On(testfarm.Master).AddToStore(model.Root, p.Cert.Raw)
		s.OK(err)
		s.RestartOffice(testfarm.Master) // a copy in Trusted Root without the name does no harm
		s.OK(s.On(testfarm.Master).SetFriendlyName(model.Root, p.Thumbprint(), "S2S"))
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		_, err = s.On(testfarm.Master).RemoveFromStore(model.Root, p.Thumbprint())
		s.OK(err)
		s.Install(testfarm.Master, testfarm.NewPair(t, "other", nil), "S2S")
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		return s
	},
	model.RuleSameSubject: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{SameSubjectStopsService: true})
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		s.Install(testfarm.Master, testfarm.NewPair(t, "s2s", nil), "S2S renewed")
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		return s
	},
	model.RuleNoCNG: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		_, err := s.On(testfarm.Master).ImportPFX(model.PfxCmdlet, p.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		s.OK(err)
		s.OK(s.On(testfarm.Master).SetFriendlyName(model.My, p.Thumbprint(), "S2S"))
		s.Grant(testfarm.Master, p)
		s.UseS2S("S2S")
		s.Register(p)
		s.RestartSharePoint(testfarm.Front)
		s.RestartOffice(testfarm.Master)
		s.Broken(model.RuleNoCNG)
		return s
	},
	model.RuleRSAOnly: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.SetUp(testfarm.NewECPair(t, "s2s", nil))
		if got := s.Obstacles(testfarm.Master, testfarm.Front); !slices.Contains(got, model.RuleRSAOnly) {
			t.Errorf("obstacles %q, want the key's kind among them", got)
		}
		return s
	},
}
