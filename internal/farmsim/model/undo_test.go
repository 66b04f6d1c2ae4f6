package model_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestUndoAfterAnyStepPutsTheFarmBack(t *testing.T) {
	for kind, certificate := range kinds {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first set-up %v", kind, first), func(t *testing.T) {
				tell(t, model.Policy{ReplicationDelay: time.Millisecond}, func(t *testing.T, s *scene) {
					r := rotation{scene: s, to: certificate(t, "new"), name: "S2S new"}
					if !first {
						old := certificate(t, "old")
						for _, step := range (rotation{scene: s, to: old, name: "S2S old"}).forward() {
							step()
						}
						r.from, r.fromName = &old, "S2S old"
						s.works()
					}
					before := s.snapshot()
					steps := r.forward()
					for done := range len(steps) + 1 {
						for _, step := range steps[:done] {
							step()
						}
						if done == len(steps) {
							s.works()
						}
						r.back()
						s.unchangedSince(before)
						if again := r.back(); len(again) > 0 {
							t.Errorf("after %d steps, undone a second time: %q", done, again)
						}
					}
					if !first {
						s.works()
					}
				})
			})
		}
	}
}

func TestAnIssuerThatIsPutBackSaysThatServersMustLoadIt(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		old, next := pair(t, "old", nil), pair(t, "new", nil)
		s.setUp(old)
		i := farm.Issuers()[0]
		broker := issuer(i, old)
		broker.TrustBroker = true
		s.ok(s.on(front).SharePoint().SetTrustedSecurityTokenIssuer(broker))
		must(s, front, powershell.SetTrustedIssuer{Name: "ours", RegisteredName: i.RegisteredName, Certificate: next.cert.Raw, Sites: []string{site}})
		time.Sleep(time.Hour)
		back := rotation{scene: s, to: next, from: &old}.issuerBack(i)
		back.Description = "of before"
		if r := must(s, front, back); !r.Updated || r.Removed || len(r.Permissions) > 0 {
			t.Errorf("got %+v", r)
		}
		seen := must(s, front, powershell.GetSharePointFarm{RegisteredNames: []string{i.RegisteredName}}).Issuers[0]
		if !seen.TrustBroker || seen.Thumbprint != string(old.thumbprint()) || markOfTime.ReplaceAllString(seen.Description, "") != "of before" {
			t.Errorf("issuer %+v", seen)
		}
		if seen.Since == nil || !seen.Since.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("since %v, want now", seen.Since)
		}
	})
}

func TestPermissionGoesBackToWhatItWas(t *testing.T) {
	for _, was := range []powershell.SitePermission{
		{Site: site}, {Site: site, Right: "Read"}, {Site: site, Right: "Manage", AppOnly: true}, {Site: site, Right: model.FullControl},
	} {
		t.Run(fmt.Sprintf("%s %v", was.Right, was.AppOnly), func(t *testing.T) {
			tell(t, model.Policy{}, func(t *testing.T, s *scene) {
				p, i := pair(t, "s2s", nil), farm.Issuers()[0]
				s.setUp(p)
				call := powershell.RestoreTrustedIssuer{
					RegisteredName: i.RegisteredName, Ours: string(p.thumbprint()), Previous: p.cert.Raw, Permissions: []powershell.SitePermission{was},
				}
				if r := must(s, front, call); !slices.Equal(r.Permissions, []string{site}) || r.Updated || r.Removed {
					t.Errorf("got %+v", r)
				}
				if r := must(s, front, call); r.Changed {
					t.Errorf("again: %+v", r)
				}
				now, err := s.on(front).SharePoint().AppPermission(site, i.RegisteredName)
				s.ok(err)
				if now.Right != was.Right || now.AppOnly != was.AppOnly {
					t.Errorf("permission %+v, want %+v", now, was)
				}
			})
		})
	}
}

func TestThePrincipalOfARemovedIssuerNeedsNothing(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		s.setUp(p)
		i := farm.Issuers()[0]
		s.ok(s.on(front).SharePoint().RemoveTrustedSecurityTokenIssuer("OOS "+i.Product, true))
		if r := must(s, front, (rotation{scene: s, to: p}).issuerBack(i)); r.Changed {
			t.Errorf("got %+v", r)
		}
	})
}

func TestTheWayBackStopsAtWhatIsNotOurs(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		old, ours, theirs := pair(t, "old", nil), pair(t, "ours", nil), pair(t, "theirs", nil)
		i := farm.Issuers()[0]
		s.setUp(theirs)
		renewal := rotation{scene: s, to: ours, name: "S2S ours", from: &old, fromName: "S2S old"}
		before := s.snapshot()
		says(s, front, renewal.issuerBack(i), "ChangedSince")
		says(s, front, (rotation{scene: s, to: ours}).issuerBack(i), "ChangedSince")
		says(s, master, powershell.RestoreS2SCertificateName{Ours: "S2S ours", Previous: "S2S old"}, "ChangedSince")
		says(s, member, powershell.RestoreS2SCertificateName{Ours: "S2S ours"}, "NotMaster")
		lesser := powershell.RestoreTrustedIssuer{
			RegisteredName: i.RegisteredName, Ours: string(theirs.thumbprint()), Previous: theirs.cert.Raw,
			Permissions: []powershell.SitePermission{{Site: site, Right: "Read"}},
		}
		principal, err := s.on(front).SharePoint().GetAppPrincipal(site, i.RegisteredName)
		s.ok(err)
		s.ok(s.on(front).SharePoint().SetAppPrincipalPermission(principal, site, model.SiteSubscription, "Write", false))
		says(s, front, lesser, "ChangedSince")
		s.permit(i)
		s.unchangedSince(before)
	})
}

func TestANameThatTheProductKeepsKeepsItsCertificate(t *testing.T) {
	tell(t, model.Policy{KeepS2SName: true}, func(t *testing.T, s *scene) {
		p := pair(t, "s2s", nil)
		r := rotation{scene: s, to: p, name: "S2S"}
		for _, step := range r.forward() {
			step()
		}
		for range 2 {
			got := must(s, master, powershell.RestoreS2SCertificateName{Ours: "S2S"})
			if !got.ClearRefused || got.Changed || got.Reason == "" {
				t.Errorf("got %+v", got)
			}
		}
		before := s.snapshot()
		says(s, master, r.removal(), "InUse")
		s.unchangedSince(before)
	})
}

func TestTheLocalAuthorityIsNeverRemoved(t *testing.T) {
	tell(t, model.Policy{}, func(t *testing.T, s *scene) {
		found, err := s.on(front).SharePoint().GetTrustedRootAuthority()
		s.ok(err)
		if r := must(s, front, powershell.RemoveRootAuthority{Thumbprints: []string{string(found[0].Thumbprint())}}); r.Changed {
			t.Errorf("removed %q", r.Removed)
		}
	})
}
