package scripts_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/scripts"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// TestRollback_AfterAnyStep checks that rollback after any step restores the
// farm.
func TestRollback_AfterAnyStep(t *testing.T) {
	for kind, certificate := range kinds {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first set-up %v", kind, first), func(t *testing.T) {
				tell(t, model.Policy{ReplicationDelay: time.Millisecond}, func(t *testing.T, f *testfarm.Farm) {
					r := rotation{Farm: f, to: certificate(t, "new"), name: "S2S new"}
					if !first {
						old := certificate(t, "old")
						for _, step := range (rotation{Farm: f, to: old, name: "S2S old"}).forward() {
							step()
						}
						r.from, r.fromName = &old, "S2S old"
						f.Works()
					}
					before := f.Trust()
					steps := r.forward()
					for done := range len(steps) + 1 {
						for _, step := range steps[:done] {
							step()
						}
						if done == len(steps) {
							f.Works()
						}
						r.back()
						f.AssertUnchangedSince(before)
						if again := r.back(); len(again) > 0 {
							t.Errorf("after %d steps, undone a second time: %q", done, again)
						}
					}
					if !first {
						f.Works()
					}
				})
			})
		}
	}
}

// TestRollback_Issuer checks that an issuer that is rolled back says that
// servers must load it.
func TestRollback_Issuer(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		old, next := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "new", nil)
		f.SetUp(old)
		i := farm.Issuers()[0]
		broker := testfarm.IssuerParameters(i, old)
		broker.IsTrustBroker = true
		f.OK(f.On(testfarm.Front).SharePoint().SetTrustedSecurityTokenIssuer(broker))
		must(f, testfarm.Front, powershell.SetTrustedIssuer{Name: "ours", RegisteredName: i.RegisteredName, Certificate: next.Cert.Raw, Sites: []string{testfarm.Site}})
		time.Sleep(time.Hour)
		back := rotation{Farm: f, to: next, from: &old}.issuerBack(i)
		back.Description = "of before"
		if r := must(f, testfarm.Front, back); !r.Updated || r.Removed || len(r.Permissions) > 0 {
			t.Errorf("got %+v", r)
		}
		seen := must(f, testfarm.Front, powershell.GetSharePointFarm{RegisteredNames: []string{i.RegisteredName}}).Issuers[0]
		if !seen.TrustBroker || seen.Thumbprint != string(old.Thumbprint()) || scripts.WithoutMark(seen.Description) != "of before" {
			t.Errorf("issuer %+v", seen)
		}
		if seen.Since == nil || !seen.Since.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("since %v, want now", seen.Since)
		}
	})
}

// TestRollback_Permission checks that a permission is rolled back to what it
// was.
func TestRollback_Permission(t *testing.T) {
	for _, was := range []powershell.SitePermission{
		{Site: testfarm.Site}, {Site: testfarm.Site, Right: "Read"}, {Site: testfarm.Site, Right: "Manage", AppOnly: true}, {Site: testfarm.Site, Right: model.FullControl},
	} {
		t.Run(fmt.Sprintf("%s %v", was.Right, was.AppOnly), func(t *testing.T) {
			tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
				p, i := testfarm.NewPair(t, "s2s", nil), farm.Issuers()[0]
				f.SetUp(p)
				call := powershell.RestoreTrustedIssuer{
					RegisteredName: i.RegisteredName, Ours: string(p.Thumbprint()), Previous: p.Cert.Raw, Permissions: []powershell.SitePermission{was},
				}
				if r := must(f, testfarm.Front, call); !slices.Equal(r.Permissions, []string{testfarm.Site}) || r.Updated || r.Removed {
					t.Errorf("got %+v", r)
				}
				if r := must(f, testfarm.Front, call); r.Changed {
					t.Errorf("again: %+v", r)
				}
				now, err := f.On(testfarm.Front).SharePoint().AppPermission(testfarm.Site, i.RegisteredName)
				f.OK(err)
				if now.Right != was.Right || now.AppOnly != was.AppOnly {
					t.Errorf("permission %+v, want %+v", now, was)
				}
			})
		})
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	t.Run("the principal of a removed issuer needs nothing", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			f.SetUp(p)
			i := farm.Issuers()[0]
			f.OK(f.On(testfarm.Front).SharePoint().RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: "OOS " + i.Product, Confirmed: true}))
			if r := must(f, testfarm.Front, (rotation{Farm: f, to: p}).issuerBack(i)); r.Changed {
				t.Errorf("got %+v", r)
			}
		})
	})
	t.Run("a certificate is kept while the product keeps its name", func(t *testing.T) {
		tell(t, model.Policy{KeepS2SName: true}, func(t *testing.T, f *testfarm.Farm) {
			p := testfarm.NewPair(t, "s2s", nil)
			r := rotation{Farm: f, to: p, name: "S2S"}
			for _, step := range r.forward() {
				step()
			}
			for range 2 {
				got := must(f, testfarm.Master, powershell.RestoreS2SCertificateName{Ours: "S2S"})
				if !got.ClearRefused || got.Changed || got.Reason == "" {
					t.Errorf("got %+v", got)
				}
			}
			before := f.Trust()
			says(f, testfarm.Master, r.removal(), "InUse")
			f.AssertUnchangedSince(before)
		})
	})
	t.Run("the local authority is never removed", func(t *testing.T) {
		tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
			found, err := f.On(testfarm.Front).SharePoint().GetTrustedRootAuthority()
			f.OK(err)
			if r := must(f, testfarm.Front, powershell.RemoveRootAuthority{Thumbprints: []string{string(found[0].Thumbprint())}}); r.Changed {
				t.Errorf("removed %q", r.Removed)
			}
		})
	})
}

// TestRollback_ForeignState checks that rollback stops at what is not ours.
func TestRollback_ForeignState(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, f *testfarm.Farm) {
		old, ours, theirs := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "ours", nil), testfarm.NewPair(t, "theirs", nil)
		i := farm.Issuers()[0]
		f.SetUp(theirs)
		renewal := rotation{Farm: f, to: ours, name: "S2S ours", from: &old, fromName: "S2S old"}
		before := f.Trust()
		says(f, testfarm.Front, renewal.issuerBack(i), "ChangedSince")
		says(f, testfarm.Front, (rotation{Farm: f, to: ours}).issuerBack(i), "ChangedSince")
		says(f, testfarm.Master, powershell.RestoreS2SCertificateName{Ours: "S2S ours", Previous: "S2S old"}, "ChangedSince")
		says(f, testfarm.Member, powershell.RestoreS2SCertificateName{Ours: "S2S ours"}, "NotMaster")
		lesser := powershell.RestoreTrustedIssuer{
			RegisteredName: i.RegisteredName, Ours: string(theirs.Thumbprint()), Previous: theirs.Cert.Raw,
			Permissions: []powershell.SitePermission{{Site: testfarm.Site, Right: "Read"}},
		}
		principal, err := f.On(testfarm.Front).SharePoint().GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: i.RegisteredName})
		f.OK(err)
		f.OK(f.On(testfarm.Front).SharePoint().SetAppPrincipalPermission(model.PermissionParameters{
			Site: testfarm.Site, AppPrincipal: principal.NameIdentifier, Scope: model.SiteSubscription, Right: "Write",
		}))
		says(f, testfarm.Front, lesser, "ChangedSince")
		f.Permit(i)
		f.AssertUnchangedSince(before)
	})
}
