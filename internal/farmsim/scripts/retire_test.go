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

// TestRetire checks that a retired certificate goes without a trace.
func TestRetire(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		old, next := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
		for _, r := range []rotation{{Farm: f, to: old, name: "S2S old"}, {Farm: f, to: next, name: "S2S new", from: &old, fromName: "S2S old"}} {
			for _, step := range r.forward() {
				step()
			}
		}
		use := powershell.GetCertificateUse{Thumbprint: string(old.Thumbprint())}
		hide := powershell.SetS2SCertificateArchived{Thumbprint: string(old.Thumbprint()), Archived: true}
		show := powershell.SetS2SCertificateArchived{Thumbprint: string(old.Thumbprint())}
		remove := powershell.RemoveS2SCertificate{Thumbprint: string(old.Thumbprint()), Personal: true, Root: true}
		for _, host := range []string{testfarm.Master, testfarm.Member} {
			if got := must(f, host, use); !got.Present || got.Archived || len(got.Uses) > 0 {
				t.Errorf("before: %+v", got)
			}
			if first, second := must(f, host, hide), must(f, host, hide); !first.Changed || second.Changed {
				t.Errorf("archived: %+v, then %+v", first, second)
			}
			if got := must(f, host, use); !got.Present || !got.Archived {
				t.Errorf("archived: %+v", got)
			}
			if first, second := must(f, host, show), must(f, host, show); !first.Changed || second.Changed || must(f, host, use).Archived {
				t.Errorf("shown again: %+v, then %+v", first, second)
			}
			must(f, host, hide)
			first, second := must(f, host, remove), must(f, host, remove)
			if !slices.Equal(first.Removed, []string{"Root", "My"}) || second.Changed {
				t.Errorf("removed: %+v, then %+v", first, second)
			}
			if got := must(f, host, use); got.Present {
				t.Errorf("afterwards: %+v", got)
			}
			if got := must(f, host, hide); got.Changed {
				t.Errorf("archived what is gone: %+v", got)
			}
		}
		for _, m := range f.World.State().Machines[:2] {
			if len(m.Stores[model.My]) != 1 || len(m.Stores[model.Root]) != 1 || len(m.KeyFiles) != 1 {
				t.Errorf("%s holds %+v and the keys %q", m.Host, m.Stores, m.KeyFiles)
			}
		}
		f.RestartOffice(testfarm.Master)
		f.Works()
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	t.Run("a certificate in use is neither archived nor removed", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			f.SetUp(p)
			f.OK(f.On(testfarm.Master).BindTLS("0.0.0.0:443", p.Thumbprint()))
			f.OK(f.On(testfarm.Master).BindTLS("0.0.0.0:5986", testfarm.NewPair(t, "winrm", nil).Thumbprint()))
			f.OK(f.On(testfarm.Master).Listen(p.Thumbprint()))
			got := must(f, testfarm.Master, powershell.GetCertificateUse{Thumbprint: string(p.Thumbprint())})
			if diff := cmp.Diff([]string{"S2SCertificateName", "http.sys 0.0.0.0:443", "WinRM listener"}, got.Uses); diff != "" {
				t.Errorf("uses, want -, got +:\n%s", diff)
			}
			before := f.Trust()
			says(f, testfarm.Master, powershell.SetS2SCertificateArchived{Thumbprint: string(p.Thumbprint()), Archived: true}, "InUse")
			says(f, testfarm.Master, powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true}, "InUse")
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("a removal that was cut short is finished", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			before := f.Trust()
			p := testfarm.NewPair(t, "s2s", nil)
			must(f, testfarm.Alone, importOf(t, p, "S2S"))
			location, err := f.On(testfarm.Alone).KeyLocation(p.Thumbprint())
			f.OK(err)
			f.OK(f.On(testfarm.Alone).RemoveKey(location.File))
			call := powershell.RemoveS2SCertificate{Thumbprint: string(p.Thumbprint()), Personal: true, Root: true}
			if got := must(f, testfarm.Alone, call); !got.Changed {
				t.Errorf("got %+v", got)
			}
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("a key that another certificate shares is kept", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			old, renewed := testfarm.NewPair(t, "s2s", nil), testfarm.NewPair(t, "s2s", nil)
			f.Install(testfarm.Alone, old, "S2S old")
			location, err := f.On(testfarm.Alone).KeyLocation(old.Thumbprint())
			f.OK(err)
			_, err = f.On(testfarm.Alone).AddCertificate(model.My, model.Certificate{DER: renewed.Cert.Raw, FriendlyName: "S2S", Key: &location})
			f.OK(err)
			must(f, testfarm.Alone, powershell.RemoveS2SCertificate{Thumbprint: string(old.Thumbprint()), Personal: true})
			f.OK(f.On(testfarm.Alone).Sign(renewed.Thumbprint(), model.Administrators, model.Legacy))
		})
	})
}

// TestRevoke checks that an account loses the key that it was given.
func TestRevoke(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		p := testfarm.NewPair(t, "s2s", nil)
		revoke := powershell.RevokeS2SKey{Thumbprint: string(p.Thumbprint()), Sid: farm.NetworkService}
		if got := must(f, testfarm.Master, revoke); got.Changed {
			t.Errorf("without the certificate: %+v", got)
		}
		f.Install(testfarm.Master, p, "S2S")
		before := f.Trust()
		must(f, testfarm.Master, grantOf(p))
		if first, second := must(f, testfarm.Master, revoke), must(f, testfarm.Master, revoke); !first.Changed || second.Changed {
			t.Errorf("first %+v, second %+v", first, second)
		}
		f.AssertUnchangedSince(before)
	})
}

// TestImport_LeavesNoKey checks that a refused import leaves no key behind.
func TestImport_LeavesNoKey(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		before := f.Trust()
		unnamed := importOf(t, testfarm.NewPair(t, "s2s", nil), "S2S")
		unnamed.PFX = testfarm.NewPair(t, "s2s", nil).PFX(t)
		says(f, testfarm.Master, unnamed, "WrongCertificate")
		f.AssertUnchangedSince(before)
	})
}
