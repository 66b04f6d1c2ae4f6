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
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		s.Install(testfarm.Master, p, "S2S")
		s.OK(s.On(testfarm.Master).Archive(p.Thumbprint(), true))
		shown, err := s.On(testfarm.Master).Certificates(model.My)
		s.OK(err)
		all, err := s.On(testfarm.Master).AllCertificates(model.My)
		s.OK(err)
		if len(shown) != 0 || len(all) != 1 || !all[0].Archived {
			t.Errorf("shown %+v, all %+v", shown, all)
		}
		return s
	},
	model.RuleKeyOutlivesCertificate: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p, q := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "other", nil)
		s.Install(testfarm.Master, p, "S2S")
		_, err := s.On(testfarm.Master).RemoveFromStore(model.My, p.Thumbprint())
		s.OK(err)
		if left := s.World.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q, want the removed certificate's", left)
		}
		s.Install(testfarm.Master, q, "S2S")
		location, err := s.On(testfarm.Master).KeyLocation(q.Thumbprint())
		s.OK(err)
		s.OK(s.On(testfarm.Master).RemoveKey(location.File))
		s.Refused(s.On(testfarm.Master).RemoveKey(location.File), "Keyset does not exist")
		s.Refused(s.On(testfarm.Master).Sign(q.Thumbprint(), model.Administrators), "Keyset does not exist")
		if left := s.World.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q after one of two was deleted", left)
		}
		return s
	},
	model.RuleArchivedNotNamed: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		s.SetUp(p)
		s.OK(s.On(testfarm.Master).Archive(p.Thumbprint(), true))
		s.Refused(s.On(testfarm.Master).RestartService(model.WACSM), testfarm.NotStarted)
		s.Install(testfarm.Master, testfarm.NewPair(t, "next", nil), "S2S") // the name is free again
		s.OK(s.On(testfarm.Master).RestartService(model.WACSM))
		return s
	},
	model.RuleAppOnlyStays: func(t *testing.T) *testfarm.Farm {
		s := testfarm.New(t, model.Policy{})
		i := farm.Issuers()[0]
		s.SetUp(testfarm.NewPair(t, "s2s", nil))
		shell := s.On(testfarm.Front).SharePoint()
		principal, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: i.RegisteredName})
		s.OK(err)
		s.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: "Read",
		}))
		if got, err := shell.AppPermission(testfarm.Site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read", AppOnly: true}) {
			t.Errorf("after a lesser right: %+v, %v", got, err)
		}
		s.OK(shell.RemoveAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
		}))
		s.OK(shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: "Read",
		}))
		if got, err := shell.AppPermission(testfarm.Site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read"}) {
			t.Errorf("after removal and a lesser right: %+v, %v", got, err)
		}
		return s
	},
}
