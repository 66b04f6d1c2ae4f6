package model_test

import (
	"testing"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

// retireStories show the rules that the end of a certificate's life meets.
var retireStories = map[model.RuleID]story{
	model.RuleArchivedHidden: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.Install(testfarm.Master, p, "S2S")
		f.OK(f.On(testfarm.Master).Archive(p.Thumbprint(), true))
		shown, err := f.On(testfarm.Master).Certificates(model.My)
		f.OK(err)
		all, err := f.On(testfarm.Master).AllCertificates(model.My)
		f.OK(err)
		if len(shown) != 0 || len(all) != 1 || !all[0].Archived {
			t.Errorf("shown %+v, all %+v", shown, all)
		}
		return f
	},
	model.RuleKeyOutlivesCertificate: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p, q := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "other", nil)
		f.Install(testfarm.Master, p, "S2S")
		_, err := f.On(testfarm.Master).RemoveFromStore(model.My, p.Thumbprint())
		f.OK(err)
		if left := f.World.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q, want the removed certificate's", left)
		}
		f.Install(testfarm.Master, q, "S2S")
		location, err := f.On(testfarm.Master).KeyLocation(q.Thumbprint())
		f.OK(err)
		f.OK(f.On(testfarm.Master).RemoveKey(location.File))
		f.Refused(f.On(testfarm.Master).RemoveKey(location.File), "Keyset does not exist")
		f.Refused(f.On(testfarm.Master).Sign(q.Thumbprint(), model.Administrators, model.Modern), "Keyset does not exist")
		if left := f.World.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q after one of two was deleted", left)
		}
		return f
	},
	model.RuleArchivedNotNamed: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		f.OK(f.On(testfarm.Master).Archive(p.Thumbprint(), true))
		f.Refused(f.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		f.Install(testfarm.Master, testfarm.NewPair(t, "next", nil), "S2S") // the name is free again
		f.OK(f.On(testfarm.Master).RestartService(model.WACSM))
		return f
	},
	model.RuleAppOnlyStays: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		i := farm.Issuers()[0]
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		shell := f.On(testfarm.Front).SharePoint()
		principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: i.RegisteredName})
		f.OK(err)
		f.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: "Read",
		}))
		if got, err := shell.AppPermission(testfarm.Site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read", AppOnly: true}) {
			t.Errorf("after a lesser right: %+v, %v", got, err)
		}
		f.OK(shell.RemoveAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
		}))
		f.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: "Read",
		}))
		if got, err := shell.AppPermission(testfarm.Site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read"}) {
			t.Errorf("after removal and a lesser right: %+v, %v", got, err)
		}
		return f
	},
}
