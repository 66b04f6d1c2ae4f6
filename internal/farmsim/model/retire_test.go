package model_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// retireStories show the rules that the end of a certificate's life meets.
var retireStories = map[model.RuleID]story{
	model.RuleArchivedHidden: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.install(master, p, "S2S")
		s.ok(s.on(master).Archive(p.thumbprint(), true))
		shown, err := s.on(master).Certificates(model.My)
		s.ok(err)
		all, err := s.on(master).AllCertificates(model.My)
		s.ok(err)
		if len(shown) != 0 || len(all) != 1 || !all[0].Archived {
			t.Errorf("shown %+v, all %+v", shown, all)
		}
		return s
	},
	model.RuleKeyOutlivesCertificate: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p, q := pair(t, "s2s", nil), pair(t, "other", nil)
		s.install(master, p, "S2S")
		_, err := s.on(master).RemoveFromStore(model.My, p.thumbprint())
		s.ok(err)
		if left := s.world.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q, want the removed certificate's", left)
		}
		s.install(master, q, "S2S")
		location, err := s.on(master).KeyLocation(q.thumbprint())
		s.ok(err)
		s.ok(s.on(master).RemoveKey(location.File))
		s.refused(s.on(master).RemoveKey(location.File), "Keyset does not exist")
		s.refused(s.on(master).Sign(q.thumbprint(), model.Administrators), "Keyset does not exist")
		if left := s.world.State().Machines[0].KeyFiles; len(left) != 1 {
			t.Errorf("key files %q after one of two was deleted", left)
		}
		return s
	},
	model.RuleArchivedNotNamed: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.setUp(p)
		s.ok(s.on(master).Archive(p.thumbprint(), true))
		s.refused(s.on(master).RestartService(model.WACSM), notSpecified)
		s.install(master, pair(t, "next", nil), "S2S") // the name is free again
		s.ok(s.on(master).RestartService(model.WACSM))
		return s
	},
	model.RuleAppOnlyStays: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		i := farm.Issuers()[0]
		s.setUp(pair(t, "s2s", nil))
		shell := s.on(front).SharePoint()
		principal, err := shell.GetAppPrincipal(site, i.RegisteredName)
		s.ok(err)
		s.ok(shell.SetAppPrincipalPermission(principal, site, model.SiteSubscription, "Read", false))
		if got, err := shell.AppPermission(site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read", AppOnly: true}) {
			t.Errorf("after a lesser right: %+v, %v", got, err)
		}
		s.ok(shell.RemoveAppPrincipalPermission(principal, site))
		s.ok(shell.SetAppPrincipalPermission(principal, site, model.SiteSubscription, "Read", false))
		if got, err := shell.AppPermission(site, i.RegisteredName); err != nil || got != (model.AppPermission{Right: "Read"}) {
			t.Errorf("after removal and a lesser right: %+v, %v", got, err)
		}
		return s
	},
}

func TestARetiredCertificateGoesWithoutATrace(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		old, next := pair(t, "s2s", nil), pair(t, "s2s", nil)
		for _, r := range []rotation{{scene: s, to: old, name: "S2S old"}, {scene: s, to: next, name: "S2S new", from: &old, fromName: "S2S old"}} {
			for _, step := range r.forward() {
				step()
			}
		}
		use := powershell.GetCertificateUse{Thumbprint: string(old.thumbprint())}
		hide := powershell.SetS2SCertificateArchived{Thumbprint: string(old.thumbprint()), Archived: true}
		show := powershell.SetS2SCertificateArchived{Thumbprint: string(old.thumbprint())}
		remove := powershell.RemoveS2SCertificate{Thumbprint: string(old.thumbprint()), Personal: true, Root: true}
		for _, host := range []string{master, member} {
			if got := must(s, host, use); !got.Present || got.Archived || len(got.Uses) > 0 {
				t.Errorf("before: %+v", got)
			}
			if first, second := must(s, host, hide), must(s, host, hide); !first.Changed || second.Changed {
				t.Errorf("archived: %+v, then %+v", first, second)
			}
			if got := must(s, host, use); !got.Present || !got.Archived {
				t.Errorf("archived: %+v", got)
			}
			if first, second := must(s, host, show), must(s, host, show); !first.Changed || second.Changed || must(s, host, use).Archived {
				t.Errorf("shown again: %+v, then %+v", first, second)
			}
			must(s, host, hide)
			first, second := must(s, host, remove), must(s, host, remove)
			if !slices.Equal(first.Removed, []string{"Root", "My"}) || second.Changed {
				t.Errorf("removed: %+v, then %+v", first, second)
			}
			if got := must(s, host, use); got.Present {
				t.Errorf("afterwards: %+v", got)
			}
			if got := must(s, host, hide); got.Changed {
				t.Errorf("archived what is gone: %+v", got)
			}
		}
		for _, m := range s.world.State().Machines[:2] {
			if len(m.Stores[model.My]) != 1 || len(m.Stores[model.Root]) != 1 || len(m.KeyFiles) != 1 {
				t.Errorf("%s holds %+v and the keys %q", m.Host, m.Stores, m.KeyFiles)
			}
		}
		s.restartOffice(master)
		s.works()
	})
}

func TestACertificateInUseIsNeitherArchivedNorRemoved(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		s.setUp(p)
		s.ok(s.on(master).BindTLS("0.0.0.0:443", p.thumbprint()))
		s.ok(s.on(master).BindTLS("0.0.0.0:5986", pair(t, "winrm", nil).thumbprint()))
		s.ok(s.on(master).Listen(p.thumbprint()))
		got := must(s, master, powershell.GetCertificateUse{Thumbprint: string(p.thumbprint())})
		if diff := cmp.Diff([]string{"S2SCertificateName", "http.sys 0.0.0.0:443", "WinRM listener"}, got.Uses); diff != "" {
			t.Errorf("uses, want -, got +:\n%s", diff)
		}
		before := s.snapshot()
		says(s, master, powershell.SetS2SCertificateArchived{Thumbprint: string(p.thumbprint()), Archived: true}, "InUse")
		says(s, master, powershell.RemoveS2SCertificate{Thumbprint: string(p.thumbprint()), Personal: true}, "InUse")
		s.unchangedSince(before)
	})
}

func TestARemovalThatWasCutShortIsFinished(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		before := s.snapshot()
		p := pair(t, "s2s", nil)
		must(s, alone, importOf(t, p, "S2S"))
		location, err := s.on(alone).KeyLocation(p.thumbprint())
		s.ok(err)
		s.ok(s.on(alone).RemoveKey(location.File))
		call := powershell.RemoveS2SCertificate{Thumbprint: string(p.thumbprint()), Personal: true, Root: true}
		if got := must(s, alone, call); !got.Changed {
			t.Errorf("got %+v", got)
		}
		s.unchangedSince(before)
	})
}

func TestAKeyThatAnotherCertificateSharesIsKept(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		old, renewed := pair(t, "s2s", nil), pair(t, "s2s", nil)
		s.install(alone, old, "S2S old")
		location, err := s.on(alone).KeyLocation(old.thumbprint())
		s.ok(err)
		_, err = s.on(alone).AddCertificate(model.My, model.Certificate{DER: renewed.cert.Raw, FriendlyName: "S2S", Key: &location})
		s.ok(err)
		must(s, alone, powershell.RemoveS2SCertificate{Thumbprint: string(old.thumbprint()), Personal: true})
		s.ok(s.on(alone).Sign(renewed.thumbprint(), model.Administrators))
	})
}

func TestAnAccountLosesTheKeyItWasGiven(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		revoke := powershell.RevokeS2SKey{Thumbprint: string(p.thumbprint()), Sid: farm.NetworkService}
		if got := must(s, master, revoke); got.Changed {
			t.Errorf("without the certificate: %+v", got)
		}
		s.install(master, p, "S2S")
		before := s.snapshot()
		must(s, master, grantOf(p))
		if first, second := must(s, master, revoke), must(s, master, revoke); !first.Changed || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		s.unchangedSince(before)
	})
}

func TestARefusedImportLeavesNoKeyBehind(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		before := s.snapshot()
		unnamed := importOf(t, pair(t, "s2s", nil), "S2S")
		unnamed.PFX = pair(t, "s2s", nil).pfx(t)
		says(s, master, unnamed, "WrongCertificate")
		s.unchangedSince(before)
	})
}
