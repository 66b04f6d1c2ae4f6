package model_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/testfarm"
)

var sharePointStories = map[model.RuleID]story{
	model.RuleSecondHop: func(t *testing.T) *testfarm.Farm {
		remote := func(spec *model.SharePointSpec) { spec.RemoteSQL, spec.Delegation = true, true }
		f := testfarm.New(t, model.Policy{}, remote)
		_, err := f.On(testfarm.Front).SharePoint().GetFarm()
		f.Refused(err, noLocalFarm)
		_, err = f.OnAs(testfarm.Front, model.Logon{User: "svc", Auth: model.Kerberos}).SharePoint().GetFarm()
		f.OK(err)
		return f
	},
	model.RuleSQLNumbers: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.RemoteSQL = true })
		account := model.Logon{User: `CONTOSO\farmtrust-sp$`, Auth: model.Batch}
		for _, c := range []struct {
			refusal model.SQLRefusal
			logon   model.Logon
			number  int
			says    string
		}{
			{model.SQLAdmits, testfarm.Admin, 18456, `NT AUTHORITY\ANONYMOUS LOGON`},
			{model.SQLAdmits, account, 0, ""},
			{model.SQLFailsOver, account, 983, "replica"},
			{model.SQLRecovers, account, 4060, account.User},
			{model.SQLWithoutLogin, account, 18456, account.User},
		} {
			f.OK(f.World.RefuseSQL("portal", c.refusal))
			session := f.OnAs(testfarm.Front, c.logon)
			answer, err := session.OpenConfigurationDatabase()
			f.OK(err)
			if answer.Number != c.number || !strings.Contains(answer.Message, c.says) {
				t.Errorf("%s: got %+v, want number %d", c.refusal, answer, c.number)
			}
			if _, err := session.SharePoint().GetFarm(); c.number != 0 {
				f.Refused(err, noLocalFarm)
			}
		}
		f.OK(f.World.Impose(testfarm.Front, model.Condition{Kind: model.SQLAway}, false))
		answer, err := f.On(testfarm.Front).OpenConfigurationDatabase()
		f.OK(err)
		if answer.Number != 53 {
			t.Errorf("SQL Server is away: got %+v", answer)
		}
		return f
	},
	model.RuleBatchLogon: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.RemoteSQL = true })
		_, err := f.On(testfarm.Front).SharePoint().GetFarm()
		f.Refused(err, noLocalFarm)
		_, err = f.OnAs(testfarm.Front, model.Logon{User: `CONTOSO\farmtrust-sp$`, Auth: model.Batch}).SharePoint().GetFarm()
		f.OK(err)
		return f
	},
	model.RuleHighImpactPrompts: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		unconfirmed := testfarm.IssuerParameters(farm.Issuers()[0], p)
		unconfirmed.Confirmed = false
		shell := f.On(testfarm.Front).SharePoint()
		f.Refused(shell.NewTrustedSecurityTokenIssuer(unconfirmed), nonInteractive)
		f.Refused(shell.SetTrustedSecurityTokenIssuer(unconfirmed), nonInteractive)
		f.Refused(shell.RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: "any"}), nonInteractive)
		f.Refused(shell.NewTrustedRootAuthority(model.AuthorityParameters{Name: "any", Certificate: p.Cert.Raw}), nonInteractive)
		f.Refused(shell.RemoveTrustedRootAuthority(model.Removal{Identity: "any"}), nonInteractive)
		return f
	},
	model.RulePipeBind: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		shell := f.On(testfarm.Front).SharePoint()
		f.Refused(shell.SetTrustedSecurityTokenIssuer(testfarm.IssuerParameters(farm.Issuers()[0], testfarm.NewPair(t, "s2s", nil))), noObject)
		f.Refused(shell.RemoveTrustedRootAuthority(model.Removal{Identity: "none", Confirmed: true}), noObject)
		_, err := shell.AppPermission("https://elsewhere.contoso.com", farm.Issuers()[0].RegisteredName)
		f.Refused(err, noObject)
		return f
	},
	model.RuleIssuerNameUnique: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		first, other := farm.Issuers()[0], farm.Issuers()[1]
		p := testfarm.NewPair(t, "s2s", nil)
		shell := f.On(testfarm.Front).SharePoint()
		f.OK(shell.NewTrustedSecurityTokenIssuer(testfarm.IssuerParameters(first, p)))
		again := testfarm.IssuerParameters(other, p)
		again.Name = strings.ToUpper("OOS " + first.Product)
		if err := shell.NewTrustedSecurityTokenIssuer(again); err == nil || !strings.Contains(err.Error(), "already exists under the parent") {
			t.Errorf("a second issuer of one name: %v", err)
		}
		return f
	},
	model.RuleIssuerBinding: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		half := testfarm.IssuerParameters(farm.Issuers()[0], testfarm.NewPair(t, "s2s", nil))
		f.OK(f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(half))
		half.RegisteredIssuerName = nil
		f.Refused(f.On(testfarm.Front).SharePoint().SetTrustedSecurityTokenIssuer(half), unresolved)
		newer := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.Version = "16.0.18526.20508" })
		newer.OK(newer.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(half))
		return f
	},
	model.RuleTrustBroker: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		broker := testfarm.IssuerParameters(farm.Issuers()[0], testfarm.NewPair(t, "s2s", nil))
		broker.IsTrustBroker = true
		shell := f.On(testfarm.Front).SharePoint()
		f.OK(shell.NewTrustedSecurityTokenIssuer(broker))
		f.OK(shell.SetTrustedSecurityTokenIssuer(broker))
		if found, err := shell.GetTrustedSecurityTokenIssuer(); err != nil || !found[0].TrustBroker {
			t.Errorf("after saying it again: %+v, %v", found, err)
		}
		broker.IsTrustBroker = false
		f.OK(shell.SetTrustedSecurityTokenIssuer(broker))
		if found, err := shell.GetTrustedSecurityTokenIssuer(); err != nil || found[0].TrustBroker {
			t.Errorf("after not saying it: %+v, %v", found, err)
		}
		return f
	},
	model.RuleIssuerMakesPrincipal: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		i := farm.Issuers()[0]
		_, err := f.On(testfarm.Front).SharePoint().GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site, NameIdentifier: i.RegisteredName})
		f.Refused(err, "The app principal could not be found.")
		f.OK(f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(testfarm.IssuerParameters(i, testfarm.NewPair(t, "s2s", nil))))
		_, err = f.On(testfarm.Front).SharePoint().GetAppPrincipal(model.PrincipalParameters{Site: testfarm.Site + "/", NameIdentifier: i.RegisteredName})
		f.OK(err)
		return f
	},
	model.RuleRegisteredNameTwice: func(t *testing.T) *testfarm.Farm {
		i := farm.Issuers()[0]
		second := func(f *testfarm.Farm, p testfarm.KeyPair) error {
			with := testfarm.IssuerParameters(i, p)
			with.Name = "other"
			return f.On(testfarm.Front).SharePoint().NewTrustedSecurityTokenIssuer(with)
		}
		old, next := testfarm.NewPair(t, "old", nil), testfarm.NewPair(t, "new", nil)
		both := testfarm.New(t, model.Policy{})
		both.SetUp(old)
		both.OK(second(both, next))
		both.RestartSharePoint(testfarm.Front)
		both.Works()
		reject := testfarm.New(t, model.Policy{DuplicateNames: model.Reject})
		reject.SetUp(old)
		if err := second(reject, next); err == nil {
			t.Error("a second issuer of one registered name was not rejected")
		}
		shadowed := testfarm.New(t, model.Policy{DuplicateNames: model.FirstMatch})
		shadowed.OK(second(shadowed, next))
		shadowed.SetUp(old)
		shadowed.Broken(model.RuleTrustedIssuer)
		return shadowed
	},
	model.RuleRegisteredNameCase: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		p := testfarm.NewPair(t, "s2s", nil)
		f.SetUp(p)
		shouted := strings.ToUpper(farm.Issuers()[0].RegisteredName)
		with := testfarm.IssuerParameters(farm.Issuers()[0], p)
		with.RegisteredIssuerName = &shouted
		f.OK(f.On(testfarm.Front).SharePoint().SetTrustedSecurityTokenIssuer(with))
		f.RestartSharePoint(testfarm.Front)
		f.Broken(model.RuleTrustedIssuer)
		return f
	},
	model.RuleAuthorityNameUnique: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		err := f.On(testfarm.Front).SharePoint().NewTrustedRootAuthority(model.AuthorityParameters{Name: "LOCAL", Certificate: testfarm.NewPair(t, "s2s", nil).Cert.Raw, Confirmed: true})
		if err == nil || !strings.Contains(err.Error(), "already exists under the parent") {
			t.Errorf("a second authority of one name: %v", err)
		}
		return f
	},
	model.RuleAuthorityOneCertificate: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.Refused(f.On(testfarm.Front).SharePoint().NewTrustedRootAuthority(model.AuthorityParameters{Name: "OOS", Certificate: testfarm.NewPair(t, "s2s", nil).PFX(t), Confirmed: true}),
			"The certificate must be one X509 certificate without a private key.")
		return f
	},
	model.RulePermissionOfSubscription: func(t *testing.T) *testfarm.Farm {
		other := "https://other.contoso.com"
		f := testfarm.New(t, model.Policy{}, func(spec *model.SharePointSpec) { spec.Sites = append(spec.Sites, other) })
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		got, err := f.On(testfarm.Front).SharePoint().AppPermission(other, farm.Issuers()[1].RegisteredName)
		f.OK(err)
		if want := (model.AppPermission{Right: model.FullControl, AppOnly: true}); got != want {
			t.Errorf("seen from another site: %+v, want %+v", got, want)
		}
		return f
	},
	model.RulePropagation: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		if got := f.Obstacles(testfarm.Master, testfarm.Second); !slices.Contains(got, model.RulePropagation) {
			t.Errorf("a server that was not restarted knows the issuer: %q", got)
		}
		time.Sleep(24 * time.Hour)
		if got := f.Obstacles(testfarm.Master, testfarm.Second); len(got) > 0 {
			t.Errorf("after 24 hours %q are in the way", got)
		}
		return f
	},
	model.RuleTimerCachesTrust: func(t *testing.T) *testfarm.Farm {
		f := testfarm.New(t, model.Policy{})
		f.SetUp(testfarm.NewPair(t, "s2s", nil))
		f.OK(f.On(testfarm.Second).IISReset())
		if got := f.Obstacles(testfarm.Master, testfarm.Second); !slices.Contains(got, model.RuleTimerCachesTrust) || slices.Contains(got, model.RulePropagation) {
			t.Errorf("after iisreset alone: %q", got)
		}
		return f
	},
}
