package scripts_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestARetiredCertificateGoesWithoutATrace(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		old, next := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
		for _, r := range []rotation{{Farm: s, to: old, name: "S2S old"}, {Farm: s, to: next, name: "S2S new", from: &old, fromName: "S2S old"}} {
			for _, step := range r.forward() {
				step()
			}
		}
		use := powershell.GetCertificateUse{Thumbprint: string(old.Thumbprint())}
		hide := powershell.SetS2SCertificateArchived{Thumbprint: string(old.Thumbprint()), Archived: true}
		show := powershell.SetS2SCertificateArchived{Thumbprint: string(old.Thumbprint())}
		remove := powershell.RemoveS2SCertificate{Thumbprint: string(old.Thumbprint()), Personal: true, Root: true}
		for _, host := range []string{testfarm.Master, testfarm.Member} {
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
		for _, m := range s.World.State().Machines[:2] {
			if len(m.Stores[model.My]) != 1 || len(m.Stores[model.Root]) != 1 || len(m.KeyFiles) != 1 {
				t.Errorf("%s holds %+v and the keys %q", m.Host, m.Stores, m.KeyFiles)
			}
		}
		s.RestartOffice(testfarm.Master)
		s.Works()
	})
}

func TestACertificateInUseIsNeitherArchivedNorRemoved(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		s.SetUp(p)
		s.OK(s.On(testfarm.Master).BindTLS("0.0.0.0:443", p.Thumbprint()))
		s.OK(s.On(testfarm.Master).BindTLS("0.0.0.0:5986", testfarm.NewPair(t, "winrm", nil).Thumbprint()))
		s.OK(s.On(testfarm.Master).Listen(p.Thumbprint()))
		got := must(s, testfarm.Master, powershell.GetCertificateUse{Thumbprint: string(p.Thumbprint())})
		if diff := cmp.Diff([]string{"S2SCertificateName", "http.sys 0.0.0.0:443", "WinRM listener"}, got.Uses); diff != "" {
			t.Errorf("uses, want -, got +:\n%s", diff)
		}
		before := s.Trust()
		says(s, testfarm.Master, powershell.SetS2SCertificateArchived{Thumbprint: string(p.Thumbprint()), Archived: true}, "InUse")
		says(s, testfarm.Master, powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true}, "InUse")
		s.AssertUnchangedSince(before)
	})
}

func TestARemovalThatWasCutShortIsFinished(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		before := s.Trust()
		p := testfarm.NewPair(t, "s2s", nil)
		must(s, testfarm.Alone, importOf(t, p, "S2S"))
		location, err := s.On(testfarm.Alone).KeyLocation(p.Thumbprint())
		s.OK(err)
		s.OK(s.On(testfarm.Alone).RemoveKey(location.File))
		call := powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true, Root: true}
		if got := must(s, testfarm.Alone, call); !got.Changed {
			t.Errorf("got %+v", got)
		}
		s.AssertUnchangedSince(before)
	})
}

func TestAKeyThatAnotherCertificateSharesIsKept(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		old, renewed := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
		s.Install(testfarm.Alone, old, "S2S old")
		location, err := s.On(testfarm.Alone).KeyLocation(old.Thumbprint())
		s.OK(err)
		_, err = s.On(testfarm.Alone).AddCertificate(model.My, model.Certificate{DER: renewed.Cert.Raw, FriendlyName: "S2S", Key: &location})
		s.OK(err)
		must(s, testfarm.Alone, powershell.RemoveS2SCertificate{Thumbprint: string(old.Thumbprint()), Personal: true})
		s.OK(s.On(testfarm.Alone).Sign(renewed.Thumbprint(), model.Administrators))
	})
}

func TestAnAccountLosesTheKeyItWasGiven(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		revoke := powershell.RevokeS2SKey{Thumbprint: string(p.Thumbprint()), Sid: farm.NetworkService}
		if got := must(s, testfarm.Master, revoke); got.Changed {
			t.Errorf("without the certificate: %+v", got)
		}
		s.Install(testfarm.Master, p, "S2S")
		before := s.Trust()
		must(s, testfarm.Master, grantOf(p))
		if first, second := must(s, testfarm.Master, revoke), must(s, testfarm.Master, revoke); !first.Changed || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		s.AssertUnchangedSince(before)
	})
}

func TestARefusedImportLeavesNoKeyBehind(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *testfarm.Farm) {
		before := s.Trust()
		unnamed := importOf(t, testfarm.NewPair(t, "s2s", nil), "S2S")
		unnamed.PFX = testfarm.NewPair(t, "s2s", nil).PFX(t)
		says(s, testfarm.Master, unnamed, "WrongCertificate")
		s.AssertUnchangedSince(before)
	})
}
