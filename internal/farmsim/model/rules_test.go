package model_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

// story shows one rule at work and returns the world that it happened in.
type story func(t *testing.T) *testfarm.Farm

func TestEveryRuleIsEnforcedAndSaysWhatItRestsOn(t *testing.T) {
	t.Parallel()
	stories := map[model.RuleID]story{}
	for _, group := range []map[model.RuleID]story{windowsStories, officeStories, sharePointStories, tokenStories, retireStories} {
		maps.Copy(stories, group)
	}
	listed := map[model.RuleID]bool{}
	for _, rule := range model.Rules() {
		listed[rule.ID] = true
		t.Run(string(rule.ID), func(t *testing.T) {
			t.Parallel()
			if rule.Text == "" || rule.Source == "" || !slices.Contains([]model.Basis{model.Sourced, model.Assumed}, rule.Basis) {
				t.Errorf("incomplete rule: %+v", rule)
			}
			tell, ok := stories[rule.ID]
			if !ok {
				t.Fatal("no test exercises this rule")
			}
			synctest.Test(t, func(t *testing.T) {
				if s := tell(t); s.World.Applied()[rule.ID] == 0 {
					t.Error("the rule decided nothing")
				}
			})
		})
	}
	for rule := range stories {
		if !listed[rule] {
			t.Errorf("rule %s is exercised but not listed", rule)
		}
	}
}

var windowsStories = map[model.RuleID]story{
	model.RuleElevation: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		local := s.OnAs(testfarm.Master, model.Logon{User: "installer", Auth: model.Basic, Filtered: true})
		s.Refused(local.IISReset(), "Access is denied.")
		return s
	},
	model.RuleMachineDown: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		before := s.On(testfarm.Master)
		s.OK(s.World.Reboot(testfarm.Master, time.Minute))
		s.Broken(model.RuleMachineDown)
		if _, err := before.Describe(); err == nil {
			t.Error("a session outlived a reboot")
		}
		time.Sleep(time.Minute)
		if _, err := before.Describe(); err == nil {
			t.Error("a session came back after a reboot")
		}
		state, err := s.On(testfarm.Master).Service(model.WACSM)
		s.OK(err)
		if up := time.Now(); !state.Running || !state.Since.Equal(up) {
			t.Errorf("after the reboot WACSM is %+v, want running since %s", state, up)
		}
		return s
	},
	model.RuleIISResetLeavesServices: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		before, err := s.On(testfarm.Front).Service(model.SPTimerV4)
		s.OK(err)
		s.OK(s.On(testfarm.Front).IISReset())
		after, err := s.On(testfarm.Front).Service(model.SPTimerV4)
		s.OK(err)
		workers, err := s.On(testfarm.Front).WorkersSince()
		s.OK(err)
		if !after.Since.Equal(before.Since) || !workers.After(before.Since) {
			t.Errorf("after iisreset: timer since %s, workers since %s", after.Since, workers)
		}
		return s
	},
	model.RulePFXAlgorithm: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		modern := testfarm.NewPair(t, "new", nil).ModernPFX(t)
		_, err := s.On(testfarm.Master).ImportPFX(model.StoreAdd, modern, []byte(testfarm.Password), testfarm.MachineKey)
		s.Refused(err, "The specified network password is not correct.")
		_, err = s.On(testfarm.Member).ImportPFX(model.StoreAdd, modern, []byte(testfarm.Password), testfarm.MachineKey)
		s.OK(err)
		return s
	},
	model.RuleProviderByImport: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		for _, c := range []struct {
			by   model.Importer
			pfx  []byte
			want string
		}{
			{model.StoreAdd, testfarm.NewPair(t, "a", nil).PFX(t), model.EnhancedProvider},
			{model.PfxCmdlet, testfarm.NewPair(t, "b", nil).PFX(t), model.SoftwareKSP},
			{model.StoreAdd, testfarm.NewPair(t, "c", nil).NamedPFX(t), farm.KeyProvider},
			{model.PfxCmdlet, testfarm.NewPair(t, "d", nil).NamedPFX(t), farm.KeyProvider},
		} {
			got, err := s.On(testfarm.Master).ImportPFX(c.by, c.pfx, []byte(testfarm.Password), testfarm.MachineKey)
			s.OK(err)
			if got.Key.Provider != c.want {
				t.Errorf("%s put the key into %q, want %q", c.by, got.Key.Provider, c.want)
			}
		}
		return s
	},
	model.RuleKeySetFlags: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "lost", nil)
		_, err := s.On(testfarm.Master).ImportPFX(model.StoreAdd, p.NamedPFX(t), []byte(testfarm.Password), model.ImportFlags{MachineKeySet: true})
		s.OK(err)
		_, err = s.On(testfarm.Master).GrantKey(p.Thumbprint(), farm.NetworkService)
		s.Refused(err, "Keyset does not exist")
		return s
	},
	model.RuleKeyAccess: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		s.Install(testfarm.Master, p, "S2S")
		s.OK(s.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators))
		s.Refused(s.On(testfarm.Master).Sign(p.Thumbprint(), farm.NetworkService), "Keyset does not exist")
		s.Grant(testfarm.Master, p)
		s.OK(s.On(testfarm.Master).Sign(p.Thumbprint(), farm.NetworkService))
		return s
	},
	model.RuleSHA256Provider: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		_, err := s.On(testfarm.Master).ImportPFX(model.StoreAdd, p.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		s.OK(err)
		s.Refused(s.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators), "Invalid algorithm specified.")
		return s
	},
}

var tokenStories = map[model.RuleID]story{
	model.RuleSameForest: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.OK(s.World.AddMachine(model.MachineSpec{Host: "sp-01.fabrikam.com", Build: 14393}))
		s.OK(s.World.NewSharePointFarm(model.SharePointSpec{Name: "other", Servers: []string{"sp-01.fabrikam.com"}}, nil))
		if got := s.Obstacles(testfarm.Master, "sp-01.fabrikam.com"); !slices.Contains(got, model.RuleSameForest) {
			t.Errorf("obstacles %q do not name the forest", got)
		}
		return s
	},
	model.RuleUserProfile: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.UserProfileServices = 0 })
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		s.Broken(model.RuleUserProfile)
		return s
	},
	model.RuleTrustedIssuer: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		s.SetUp(p)
		s.Works()
		s.OK(s.On(testfarm.Front).SharePoint().RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: "OOS SQL Server", Confirmed: true}))
		s.RestartSharePoint(testfarm.Front)
		s.Broken(model.RuleTrustedIssuer)
		return s
	},
	model.RuleChain: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		root := testfarm.NewECPair(t, "Root CA", nil)
		issuing := testfarm.NewECPair(t, "Issuing CA", &root)
		s.SetUp(testfarm.NewPair(t, "s2s", &issuing))
		s.Works()
		s.OK(s.On(testfarm.Front).SharePoint().RemoveTrustedRootAuthority(model.Removal{Identity: "Issuing CA", Confirmed: true}))
		s.RestartSharePoint(testfarm.Front)
		s.Broken(model.RuleChain)
		return s
	},
	model.RulePermission: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		shell := s.On(testfarm.Front).SharePoint()
		principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: farm.Issuers()[0].RegisteredName})
		s.OK(err)
		s.OK(shell.RemoveAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
		}))
		s.Broken(model.RulePermission)
		s.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: model.FullControl,
		}))
		s.Broken(model.RulePermission)
		s.Permit(farm.Issuers()[0])
		s.Works()
		return s
	},
	model.RuleValidity: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		time.Sleep(1001 * time.Hour)
		s.Broken(model.RuleValidity)
		return s
	},
}
