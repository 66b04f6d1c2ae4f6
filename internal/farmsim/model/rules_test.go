package model_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// story shows one rule at work and returns the world that it happened in.
type story func(t *testing.T) *scene

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
				if s := tell(t); s.world.Applied()[rule.ID] == 0 {
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
	model.RuleElevation: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		local := s.onAs(master, model.Logon{User: "installer", Auth: model.Basic, Filtered: true})
		s.refused(local.IISReset(), "Access is denied.")
		return s
	},
	model.RuleMachineDown: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		before := s.on(master)
		s.ok(s.world.Reboot(master, time.Minute))
		s.broken(model.RuleMachineDown)
		if _, err := before.Describe(); err == nil {
			t.Error("a session outlived a reboot")
		}
		time.Sleep(time.Minute)
		if _, err := before.Describe(); err == nil {
			t.Error("a session came back after a reboot")
		}
		state, err := s.on(master).Service(model.WACSM)
		s.ok(err)
		if up := time.Now(); !state.Running || !state.Since.Equal(up) {
			t.Errorf("after the reboot WACSM is %+v, want running since %s", state, up)
		}
		return s
	},
	model.RuleIISResetLeavesServices: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		before, err := s.on(front).Service(model.SPTimerV4)
		s.ok(err)
		s.ok(s.on(front).IISReset())
		after, err := s.on(front).Service(model.SPTimerV4)
		s.ok(err)
		workers, err := s.on(front).WorkersSince()
		s.ok(err)
		if !after.Since.Equal(before.Since) || !workers.After(before.Since) {
			t.Errorf("after iisreset: timer since %s, workers since %s", after.Since, workers)
		}
		return s
	},
	model.RulePFXAlgorithm: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		modern := pair(t, "new", nil).modern(t)
		_, err := s.on(master).ImportPFX(model.StoreAdd, modern, []byte(password), machineKey)
		s.refused(err, "The specified network password is not correct.")
		_, err = s.on(member).ImportPFX(model.StoreAdd, modern, []byte(password), machineKey)
		s.ok(err)
		return s
	},
	model.RuleProviderByImport: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		for _, c := range []struct {
			by   model.Importer
			pfx  []byte
			want string
		}{
			{model.StoreAdd, pair(t, "a", nil).pfx(t), model.EnhancedProvider},
			{model.PfxCmdlet, pair(t, "b", nil).pfx(t), model.SoftwareKSP},
			{model.StoreAdd, pair(t, "c", nil).named(t), farm.KeyProvider},
			{model.PfxCmdlet, pair(t, "d", nil).named(t), farm.KeyProvider},
		} {
			got, err := s.on(master).ImportPFX(c.by, c.pfx, []byte(password), machineKey)
			s.ok(err)
			if got.Key.Provider != c.want {
				t.Errorf("%s put the key into %q, want %q", c.by, got.Key.Provider, c.want)
			}
		}
		return s
	},
	model.RuleKeySetFlags: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "lost", nil)
		_, err := s.on(master).ImportPFX(model.StoreAdd, p.named(t), []byte(password), model.ImportFlags{MachineKeySet: true})
		s.ok(err)
		_, err = s.on(master).GrantKey(p.thumbprint(), farm.NetworkService)
		s.refused(err, "Keyset does not exist")
		return s
	},
	model.RuleKeyAccess: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.install(master, p, "S2S")
		s.ok(s.on(master).Sign(p.thumbprint(), model.Administrators))
		s.refused(s.on(master).Sign(p.thumbprint(), farm.NetworkService), "Keyset does not exist")
		s.grant(master, p)
		s.ok(s.on(master).Sign(p.thumbprint(), farm.NetworkService))
		return s
	},
	model.RuleSHA256Provider: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		_, err := s.on(master).ImportPFX(model.StoreAdd, p.pfx(t), []byte(password), machineKey)
		s.ok(err)
		s.refused(s.on(master).Sign(p.thumbprint(), model.Administrators), "Invalid algorithm specified.")
		return s
	},
}

var tokenStories = map[model.RuleID]story{
	model.RuleSameForest: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.ok(s.world.AddMachine(model.MachineSpec{Host: "sp-01.fabrikam.com", Build: 14393}))
		s.ok(s.world.NewSharePointFarm(model.SharePointSpec{Name: "other", Servers: []string{"sp-01.fabrikam.com"}}, nil))
		if got := s.obstacles(master, "sp-01.fabrikam.com"); !slices.Contains(got, model.RuleSameForest) {
			t.Errorf("obstacles %q do not name the forest", got)
		}
		return s
	},
	model.RuleUserProfile: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.UserProfileServices = 0 })
		s.setUp(pair(t, "s2s", nil))
		s.broken(model.RuleUserProfile)
		return s
	},
	model.RuleTrustedIssuer: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.setUp(p)
		s.works()
		s.ok(s.on(front).SharePoint().RemoveTrustedSecurityTokenIssuer("OOS SQL Server", true))
		s.restartSharePoint(front)
		s.broken(model.RuleTrustedIssuer)
		return s
	},
	model.RuleChain: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		root := ecPair(t, "Root CA", nil)
		issuing := ecPair(t, "Issuing CA", &root)
		s.setUp(pair(t, "s2s", &issuing))
		s.works()
		s.ok(s.on(front).SharePoint().RemoveTrustedRootAuthority("Issuing CA", true))
		s.restartSharePoint(front)
		s.broken(model.RuleChain)
		return s
	},
	model.RulePermission: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(pair(t, "s2s", nil))
		shell := s.on(front).SharePoint()
		principal, err := shell.GetAppPrincipal(site, farm.Issuers()[0].RegisteredName)
		s.ok(err)
		s.ok(shell.RemoveAppPrincipalPermission(principal, site))
		s.broken(model.RulePermission)
		s.ok(shell.SetAppPrincipalPermission(principal, site, model.SiteSubscription, model.FullControl, false))
		s.broken(model.RulePermission)
		s.permit(farm.Issuers()[0])
		s.works()
		return s
	},
	model.RuleValidity: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(pair(t, "s2s", nil))
		time.Sleep(1001 * time.Hour)
		s.broken(model.RuleValidity)
		return s
	},
}
