package model_test

import (
	"errors"
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

// TestRules checks that every rule is enforced and says what it rests on.
func TestRules(t *testing.T) {
	t.Parallel()
	stories := map[model.RuleID]story{}
	for _, group := range []map[model.RuleID]story{windowsStories, officeStories, sharePointStories, siteStories, tokenStories, retireStories, serviceStories} {
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
				if f := tell(t); f.World.Applied()[rule.ID] == 0 {
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

// requireMutex takes the mutex, which says that it was abandoned, or nothing.
func requireMutex(t *testing.T, s *model.Session, exception string) {
	t.Helper()
	held, err := s.WaitMutex(time.Second)
	said := ""
	if refused, ok := errors.AsType[*model.Error](err); ok {
		said = refused.Exception
	} else if err != nil {
		t.Fatal(err)
	}
	if !held || said != exception {
		t.Fatalf("taken %t, said %q, want %q", held, said, exception)
	}
}

var windowsStories = map[model.RuleID]story{
	model.RuleElevation: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		local := f.OnAs(testfarm.Master, model.Logon{User: "installer", Auth: model.Basic, Filtered: true})
		f.Refused(local.IISReset(), "Access is denied.")
		return f
	},
	model.RuleMachineDown: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		before := f.On(testfarm.Master)
		f.OK(f.World.Reboot(testfarm.Master, time.Minute))
		f.Broken(model.RuleMachineDown)
		if _, err := before.Describe(); err == nil {
			t.Error("a session outlived a reboot")
		}
		time.Sleep(time.Minute)
		if _, err := before.Describe(); err == nil {
			t.Error("a session came back after a reboot")
		}
		state, err := f.On(testfarm.Master).Service(model.WACSM)
		f.OK(err)
		if up := time.Now(); !state.Running || !state.Since.Equal(up) {
			t.Errorf("after the reboot WACSM is %+v, want running since %s", state, up)
		}
		return f
	},
	model.RuleMutexAbandoned: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		first, second := f.On(testfarm.Master), f.On(testfarm.Master)
		first.BeginScript("Probe")
		requireMutex(t, first, "")
		if held, err := second.WaitMutex(time.Second); held || err != nil {
			t.Errorf("a mutex that is held: taken %t, %v", held, err)
		}
		first.EndProcess()
		requireMutex(t, second, model.AbandonedMutexException)
		f.OK(second.ReleaseMutex())
		requireMutex(t, f.On(testfarm.Master), "")
		f.OK(f.World.Reboot(testfarm.Master, time.Minute))
		time.Sleep(time.Minute)
		requireMutex(t, f.On(testfarm.Master), "")
		return f
	},
	model.RuleMutexAccess: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		first, task := f.On(testfarm.Front), f.OnAs(testfarm.Front, model.Logon{User: `CONTOSO\task$`, Auth: model.Batch})
		f.OK(task.OpenMutex())
		requireMutex(t, first, "")
		f.Refused(task.OpenMutex(), "Access is denied.")
		f.OK(first.ReleaseMutex())
		requireMutex(t, task, "")
		f.OK(first.OpenMutex())
		return f
	},
	model.RuleIISResetLeavesServices: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		before, err := f.On(testfarm.Front).Service(model.SPTimerV4)
		f.OK(err)
		f.OK(f.On(testfarm.Front).IISReset())
		after, err := f.On(testfarm.Front).Service(model.SPTimerV4)
		f.OK(err)
		workers, err := f.On(testfarm.Front).WorkersSince()
		f.OK(err)
		if !after.Since.Equal(before.Since) || !workers.After(before.Since) {
			t.Errorf("after iisreset: timer since %s, workers since %s", after.Since, workers)
		}
		return f
	},
	model.RulePFXAlgorithm: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		modern := testfarm.NewPair(t, "new", nil).ModernPFX(t)
		_, err := f.On(testfarm.Master).ImportPFX(model.StoreAdd, modern, []byte(testfarm.Password), testfarm.MachineKey)
		f.Refused(err, "The specified network password is not correct.")
		_, err = f.On(testfarm.Member).ImportPFX(model.StoreAdd, modern, []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		return f
	},
	model.RuleProviderByImport: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
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
			got, err := f.On(testfarm.Master).ImportPFX(c.by, c.pfx, []byte(testfarm.Password), testfarm.MachineKey)
			f.OK(err)
			if got.Key.Provider != c.want {
				t.Errorf("%s put the key into %q, want %q", c.by, got.Key.Provider, c.want)
			}
		}
		return f
	},
	model.RuleKeySetFlags: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "lost", nil)
		_, err := f.On(testfarm.Master).ImportPFX(model.StoreAdd, p.NamedPFX(t), []byte(testfarm.Password), model.ImportFlags{MachineKeySet: true})
		f.OK(err)
		_, err = f.On(testfarm.Master).GrantKey(p.Thumbprint(), farm.NetworkService)
		f.Refused(err, "Keyset does not exist")
		return f
	},
	model.RuleContainerTaken: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		var found []string
		for range 2 {
			opened, err := f.On(testfarm.Master).OpenPFX(model.StoreAdd, p.NamedPFX(t), []byte(testfarm.Password), testfarm.MachineKey)
			f.OK(err)
			found = append(found, opened.Key.Container)
			if opened.FriendlyName != "" {
				t.Errorf("the certificate has the name %q, which is its key's", opened.FriendlyName)
			}
		}
		if want := farm.KeyContainer(p.Thumbprint()); found[0] != want || found[1] == want {
			t.Errorf("the keys went to %q, want %q and then another", found, want)
		}
		return f
	},
	model.RuleKeyAccess: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.Install(testfarm.Master, p, "S2S")
		f.OK(f.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators, model.Legacy))
		f.Refused(f.On(testfarm.Master).Sign(p.Thumbprint(), farm.NetworkService, model.Legacy), "Keyset does not exist")
		f.Grant(testfarm.Master, p)
		f.OK(f.On(testfarm.Master).Sign(p.Thumbprint(), farm.NetworkService, model.Legacy))
		return f
	},
	model.RuleSHA256Provider: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		_, err := f.On(testfarm.Master).ImportPFX(model.StoreAdd, p.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		f.Refused(f.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators, model.Modern), "Invalid algorithm specified.")
		f.OK(f.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators, model.Legacy))
		return f
	},
	model.RuleLegacyPath: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		_, err := f.On(testfarm.Master).ImportPFX(model.PfxCmdlet, p.PFX(t), []byte(testfarm.Password), testfarm.MachineKey)
		f.OK(err)
		f.Refused(f.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators, model.Legacy), "Invalid provider type specified.")
		f.OK(f.On(testfarm.Master).Sign(p.Thumbprint(), model.Administrators, model.Modern))
		return f
	},
}

var tokenStories = map[model.RuleID]story{
	model.RuleSameForest: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.OK(f.World.AddMachine(model.MachineSpec{Host: "sp-01.fabrikam.com", Build: 14393}))
		f.OK(f.World.NewSharePointFarm(model.SharePointSpec{Name: "other", Servers: []string{"sp-01.fabrikam.com"}}, nil))
		if got := f.Obstacles(testfarm.Master, "sp-01.fabrikam.com"); !slices.Contains(got, model.RuleSameForest) {
			t.Errorf("obstacles %q do not name the forest", got)
		}
		return f
	},
	model.RuleUserProfile: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.UserProfileServices = 0 })
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.Broken(model.RuleUserProfile)
		consumer := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.UserProfileServices, spec.UserProfileProxies = 0, 1 })
		consumer.SetUp(testfarm.NewPair(t, "s2s", nil))
		consumer.Works()
		apart := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.NotProxied = []string{testfarm.Site + "/"} })
		apart.SetUp(testfarm.NewPair(t, "s2s", nil))
		apart.Broken(model.RuleUserProfile)
		return f
	},
	model.RuleOAuthOverHTTP: func(t *testing.T) *testfarm.Farm {
		const site = "http://portal.contoso.com"
		f := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.Sites = append(spec.Sites, site) })
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.Broken(model.RuleOAuthOverHTTP)
		return f
	},
	model.RuleTrustedIssuer: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		f.Works()
		f.OK(f.On(testfarm.Front).SharePoint().RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: "OOS SQL Server", Confirmed: true}))
		f.RestartSharePoint(testfarm.Front)
		f.Broken(model.RuleTrustedIssuer)
		return f
	},
	model.RuleChain: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		root := testfarm.NewECPair(t, "Root CA", nil)
		issuing := testfarm.NewECPair(t, "Issuing CA", &root)
		f.SetUp(testfarm.NewPair(t, "s2s", &issuing))
		f.Works()
		f.OK(f.On(testfarm.Front).SharePoint().RemoveTrustedRootAuthority(model.Removal{Identity: "Issuing CA", Confirmed: true}))
		f.RestartSharePoint(testfarm.Front)
		f.Broken(model.RuleChain)
		return f
	},
	model.RulePermission: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		shell := f.On(testfarm.Front).SharePoint()
		principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: farm.Issuers()[0].RegisteredName})
		f.OK(err)
		f.OK(shell.RemoveAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
		}))
		f.Broken(model.RulePermission)
		f.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: model.FullControl,
		}))
		f.Broken(model.RulePermission)
		f.Permit(farm.Issuers()[0])
		f.Works()
		return f
	},
	model.RuleValidity: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		time.Sleep(1001 * time.Hour)
		f.Broken(model.RuleValidity)
		return f
	},
}
