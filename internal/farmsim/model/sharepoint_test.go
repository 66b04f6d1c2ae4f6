package model_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

var sharePointStories = map[model.RuleID]story{
	model.RuleSecondHop: func(t *testing.T) *scene {
		remote := func(spec *model.SharePointSpec) { spec.RemoteSQL, spec.Delegation = true, true }
		s := newScene(t, model.Policy{}, remote)
		_, err := s.on(front).SharePoint().GetFarm()
		s.refused(err, noLocalFarm)
		_, err = s.onAs(front, model.Logon{User: "svc", Auth: model.Kerberos}).SharePoint().GetFarm()
		s.ok(err)
		return s
	},
	model.RuleBatchLogon: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.RemoteSQL = true })
		_, err := s.on(front).SharePoint().GetFarm()
		s.refused(err, noLocalFarm)
		_, err = s.onAs(front, model.Logon{User: `CONTOSO\farmtrust-sp$`, Auth: model.Batch}).SharePoint().GetFarm()
		s.ok(err)
		return s
	},
	model.RuleHighImpactPrompts: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		unconfirmed := issuer(farm.Issuers()[0], p)
		unconfirmed.Confirmed = false
		shell := s.on(front).SharePoint()
		s.refused(shell.NewTrustedSecurityTokenIssuer(unconfirmed), nonInteractive)
		s.refused(shell.SetTrustedSecurityTokenIssuer(unconfirmed), nonInteractive)
		s.refused(shell.RemoveTrustedSecurityTokenIssuer("any", false), nonInteractive)
		s.refused(shell.NewTrustedRootAuthority("any", p.cert.Raw, false), nonInteractive)
		s.refused(shell.RemoveTrustedRootAuthority("any", false), nonInteractive)
		return s
	},
	model.RulePipeBind: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		shell := s.on(front).SharePoint()
		s.refused(shell.SetTrustedSecurityTokenIssuer(issuer(farm.Issuers()[0], pair(t, "s2s", nil))), noObject)
		s.refused(shell.RemoveTrustedRootAuthority("none", true), noObject)
		_, err := shell.AppPermission("https://elsewhere.contoso.com", farm.Issuers()[0].RegisteredName)
		s.refused(err, noObject)
		return s
	},
	model.RuleIssuerNameUnique: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		first, other := farm.Issuers()[0], farm.Issuers()[1]
		p := pair(t, "s2s", nil)
		shell := s.on(front).SharePoint()
		s.ok(shell.NewTrustedSecurityTokenIssuer(issuer(first, p)))
		again := issuer(other, p)
		again.Name = strings.ToUpper("OOS " + first.Product)
		if err := shell.NewTrustedSecurityTokenIssuer(again); err == nil || !strings.Contains(err.Error(), "already exists under the parent") {
			t.Errorf("a second issuer of one name: %v", err)
		}
		return s
	},
	model.RuleIssuerBinding: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		half := issuer(farm.Issuers()[0], pair(t, "s2s", nil))
		s.ok(s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(half))
		half.RegisteredIssuerName = nil
		s.refused(s.on(front).SharePoint().SetTrustedSecurityTokenIssuer(half), unresolved)
		newer := newScene(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.Version = "16.0.18526.20508" })
		newer.ok(newer.on(front).SharePoint().NewTrustedSecurityTokenIssuer(half))
		return s
	},
	model.RuleTrustBroker: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		broker := issuer(farm.Issuers()[0], pair(t, "s2s", nil))
		broker.TrustBroker = true
		shell := s.on(front).SharePoint()
		s.ok(shell.NewTrustedSecurityTokenIssuer(broker))
		s.ok(shell.SetTrustedSecurityTokenIssuer(broker))
		if found, err := shell.GetTrustedSecurityTokenIssuer(); err != nil || !found[0].TrustBroker {
			t.Errorf("after saying it again: %+v, %v", found, err)
		}
		broker.TrustBroker = false
		s.ok(shell.SetTrustedSecurityTokenIssuer(broker))
		if found, err := shell.GetTrustedSecurityTokenIssuer(); err != nil || found[0].TrustBroker {
			t.Errorf("after not saying it: %+v, %v", found, err)
		}
		return s
	},
	model.RuleIssuerMakesPrincipal: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		i := farm.Issuers()[0]
		_, err := s.on(front).SharePoint().GetAppPrincipal(site, i.RegisteredName)
		s.refused(err, "The app principal could not be found.")
		s.ok(s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(issuer(i, pair(t, "s2s", nil))))
		_, err = s.on(front).SharePoint().GetAppPrincipal(site+"/", i.RegisteredName)
		s.ok(err)
		return s
	},
	model.RuleRegisteredNameTwice: func(t *testing.T) *scene {
		i := farm.Issuers()[0]
		second := func(s *scene, p keyPair) error {
			with := issuer(i, p)
			with.Name = "other"
			return s.on(front).SharePoint().NewTrustedSecurityTokenIssuer(with)
		}
		old, next := pair(t, "old", nil), pair(t, "new", nil)
		both := newScene(t, model.Policy{})
		both.setUp(old)
		both.ok(second(both, next))
		both.restartSharePoint(front)
		both.works()
		reject := newScene(t, model.Policy{DuplicateNames: model.Reject})
		reject.setUp(old)
		if err := second(reject, next); err == nil {
			t.Error("a second issuer of one registered name was not rejected")
		}
		shadowed := newScene(t, model.Policy{DuplicateNames: model.FirstMatch})
		shadowed.ok(second(shadowed, next))
		shadowed.setUp(old)
		shadowed.broken(model.RuleTrustedIssuer)
		return shadowed
	},
	model.RuleRegisteredNameCase: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		p := pair(t, "s2s", nil)
		s.setUp(p)
		shouted := strings.ToUpper(farm.Issuers()[0].RegisteredName)
		with := issuer(farm.Issuers()[0], p)
		with.RegisteredIssuerName = &shouted
		s.ok(s.on(front).SharePoint().SetTrustedSecurityTokenIssuer(with))
		s.restartSharePoint(front)
		s.broken(model.RuleTrustedIssuer)
		return s
	},
	model.RuleAuthorityNameUnique: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		err := s.on(front).SharePoint().NewTrustedRootAuthority("LOCAL", pair(t, "s2s", nil).cert.Raw, true)
		if err == nil || !strings.Contains(err.Error(), "already exists under the parent") {
			t.Errorf("a second authority of one name: %v", err)
		}
		return s
	},
	model.RuleAuthorityOneCertificate: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.refused(s.on(front).SharePoint().NewTrustedRootAuthority("OOS", pair(t, "s2s", nil).pfx(t), true),
			"The certificate must be one X509 certificate without a private key.")
		return s
	},
	model.RulePermissionOfSubscription: func(t *testing.T) *scene {
		other := "https://other.contoso.com"
		s := newScene(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.Sites = append(spec.Sites, other) })
		s.setUp(pair(t, "s2s", nil))
		got, err := s.on(front).SharePoint().AppPermission(other, farm.Issuers()[1].RegisteredName)
		s.ok(err)
		if want := (model.AppPermission{Right: model.FullControl, AppOnly: true}); got != want {
			t.Errorf("seen from another site: %+v, want %+v", got, want)
		}
		return s
	},
	model.RulePropagation: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(pair(t, "s2s", nil))
		if got := s.obstacles(master, second); !slices.Contains(got, model.RulePropagation) {
			t.Errorf("a server that was not restarted knows the issuer: %q", got)
		}
		time.Sleep(24 * time.Hour)
		if got := s.obstacles(master, second); len(got) > 0 {
			t.Errorf("after 24 hours %q are in the way", got)
		}
		return s
	},
	model.RuleTimerCachesTrust: func(t *testing.T) *scene {
		s := newScene(t, model.Policy{})
		s.setUp(pair(t, "s2s", nil))
		s.ok(s.on(second).IISReset())
		if got := s.obstacles(master, second); !slices.Contains(got, model.RuleTimerCachesTrust) || slices.Contains(got, model.RulePropagation) {
			t.Errorf("after iisreset alone: %q", got)
		}
		return s
	},
}
