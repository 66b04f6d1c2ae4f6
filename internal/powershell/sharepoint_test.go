package powershell_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/farmsim/pwsh"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// editions are the two interfaces that SharePoint's cmdlets have, each with a
// build.
var editions = map[string]string{"2016": "16.0.4456.1000", "Subscription Edition": "16.0.18526.20508"}

func trustOf(c testCertificate, registeredName, name string) powershell.SetTrustedIssuer {
	return powershell.SetTrustedIssuer{Name: name, RegisteredName: registeredName, Certificate: c.der, Sites: []string{site}}
}

// issuerOf is the issuer for SharePoint with a certificate.
func issuerOf(c testCertificate, name string) model.TokenIssuer {
	return model.TokenIssuer{Name: name, RegisteredIssuerName: sharePointIssuer, Certificate: c.der}
}

// permissionOf is the permission of the app principal of the issuer for
// SharePoint.
func permissionOf(right string, appOnly bool) map[string]model.AppPermission {
	return map[string]model.AppPermission{sharePointIssuer: {Right: right, AppOnly: appOnly}}
}

// assertPermissions compares permissions. One without a right is none.
func assertPermissions(t *testing.T, s *testServer, want map[string]model.AppPermission) {
	t.Helper()
	none := cmpopts.IgnoreMapEntries(func(_ string, p model.AppPermission) bool { return p.Right == "" })
	if diff := cmp.Diff(want, s.state().Permissions, none, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("permissions, want -, got +:\n%s", diff)
	}
}

func TestSetTrustedIssuer(t *testing.T) {
	t.Parallel()
	t.Run("created, then updated in place, and granted once", func(t *testing.T) {
		t.Parallel()
		old, renewed := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		for edition, version := range editions {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				const name = "OOS SharePoint Server"
				s := newServer(t, newFrontEnd(version))
				for _, step := range []struct {
					name   string
					params powershell.SetTrustedIssuer
					want   powershell.SetIssuerResult
				}{
					{"created", trustOf(old, sharePointIssuer, name), powershell.SetIssuerResult{Changed: true, Created: true, Granted: []string{site}, Name: name}},
					{"again", trustOf(old, sharePointIssuer, "another name"), powershell.SetIssuerResult{Granted: []string{}, Name: name}},
					{"renewed", trustOf(renewed, sharePointIssuer, "another name"), powershell.SetIssuerResult{Changed: true, Updated: true, Granted: []string{}, Name: name}},
				} {
					if diff := cmp.Diff(step.want, mustRun(t, s, step.params)); diff != "" {
						t.Errorf("%s, want -, got +:\n%s", step.name, diff)
					}
				}
				want := []model.TokenIssuer{issuerOf(renewed, name)}
				if diff := cmp.Diff(want, s.state().Issuers, cmpopts.IgnoreFields(model.TokenIssuer{}, "Description")); diff != "" {
					t.Errorf("issuers, want -, got +:\n%s", diff)
				}
				assertPermissions(t, s, permissionOf("FullControl", true))
			})
		}
	})
	t.Run("keeps what is not ours", func(t *testing.T) {
		t.Parallel()
		old, renewed := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "s2s.contoso.com")
		spec := newFrontEnd(editions["2016"])
		theirs := issuerOf(old, "theirs")
		theirs.TrustBroker, theirs.Description = true, "for OOS [farmtrust 2025-01-02T03:04:05.678Z]"
		spec.sharePoint.Issuers = []model.TokenIssuer{theirs}
		s := newServer(t, spec)
		mustRun(t, s, trustOf(renewed, sharePointIssuer, "ours"))

		got := mustRun(t, s, powershell.GetSharePointFarm{RegisteredNames: []string{sharePointIssuer}, Sites: []string{site}})
		if len(got.Issuers) != 1 {
			t.Fatalf("%d issuers", len(got.Issuers))
		}
		issuer := got.Issuers[0]
		if issuer.Since == nil || time.Since(*issuer.Since) > time.Minute {
			t.Fatalf("since %v, want just now", issuer.Since)
		}
		want := powershell.TokenIssuer{
			Name: "theirs", RegisteredName: sharePointIssuer, TrustBroker: true, Thumbprint: renewed.thumbprint, Certificate: renewed.der,
			Description: "for OOS [farmtrust " + issuer.Since.Format("2006-01-02T15:04:05.000Z") + "]", Since: issuer.Since,
		}
		if diff := cmp.Diff(want, issuer); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
}

// updateConflict is how a cmdlet fails that conflicts with another change.
func updateConflict(cmdlet string) pwsh.Override {
	return pwsh.Throw(model.Error{
		ID: "Microsoft.SharePoint.PowerShell.SPCmdlet" + cmdlet, Message: "An update conflict has occurred.",
		Category: "InvalidData", Exception: powershell.UpdateConflict,
	})
}

func TestSetTrustedIssuer_OnlyIfClear(t *testing.T) {
	t.Parallel()
	s2s, old := newCertificate(t, "s2s.contoso.com"), newCertificate(t, "old")
	taken := model.TokenIssuer{Name: "OOS", RegisteredIssuerName: sqlIssuer, Certificate: s2s.der}
	cases := []struct {
		name string
		spec func(s *serverSpec)
		id   string
	}{
		{
			"two issuers have the registered name",
			func(s *serverSpec) {
				s.sharePoint.Issuers = []model.TokenIssuer{issuerOf(s2s, "one"), issuerOf(s2s, "two")}
			}, powershell.IssuerAmbiguous,
		},
		{"another issuer has the name", func(s *serverSpec) { s.sharePoint.Issuers = []model.TokenIssuer{taken} }, powershell.NameTaken},
		{"no app principal", func(s *serverSpec) { s.override("Get-SPAppPrincipal", pwsh.Return(nil)) }, powershell.AppPrincipalMissing},
		{"the farm cannot be reached", func(s *serverSpec) { s.sharePoint.RemoteSQL = true }, powershell.SecondHop},
		{
			"the farm forgets the certificate",
			func(s *serverSpec) {
				s.sharePoint.Issuers = []model.TokenIssuer{issuerOf(old, "one")}
				s.override("Set-SPTrustedSecurityTokenIssuer", pwsh.Ignore())
			}, powershell.SettingNotKept,
		},
		{
			"somebody else changes the farm",
			func(s *serverSpec) {
				s.sharePoint.Issuers = []model.TokenIssuer{issuerOf(old, "one")}
				s.override("Set-SPTrustedSecurityTokenIssuer", updateConflict("SetTrustedSecurityTokenIssuer"))
			}, "Microsoft.SharePoint.PowerShell.SPCmdletSetTrustedSecurityTokenIssuer",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newFrontEnd(editions["2016"])
			c.spec(spec)
			s := newServer(t, spec)
			assertRefused(t, s, trustOf(s2s, sharePointIssuer, "OOS"), c.id)
			assertPermissions(t, s, nil)
		})
	}
}

func TestSetTrustedIssuer_Errors(t *testing.T) {
	t.Parallel()
	t.Run("an update conflict is reported", func(t *testing.T) {
		t.Parallel()
		spec := newFrontEnd(editions["2016"]).override("New-SPTrustedSecurityTokenIssuer", updateConflict("NewTrustedSecurityTokenIssuer"))
		refused := requireRefusal(t, newServer(t, spec), trustOf(newCertificate(t, "s2s.contoso.com"), sharePointIssuer, "OOS"),
			"Microsoft.SharePoint.PowerShell.SPCmdletNewTrustedSecurityTokenIssuer")
		if refused.Exception != powershell.UpdateConflict {
			t.Errorf("exception %s", refused.Exception)
		}
	})
	t.Run("an unknown site is the product's error", func(t *testing.T) {
		t.Parallel()
		params := trustOf(newCertificate(t, "s2s.contoso.com"), sharePointIssuer, "OOS")
		params.Sites = []string{"https://nowhere.contoso.com"}
		refused := requireRefusal(t, newServer(t, newFrontEnd(editions["2016"])), params, "Microsoft.SharePoint.PowerShell.SPCmdletGetSite")
		if refused.Category != "InvalidData" || refused.Line == 0 {
			t.Errorf("got %+v", refused)
		}
	})
	t.Run("what is not a public certificate is refused", func(t *testing.T) {
		t.Parallel()
		c := newCertificate(t, "s2s.contoso.com")
		params := trustOf(c, sharePointIssuer, "OOS")
		params.Certificate = c.pfx
		s := newServer(t, newFrontEnd(editions["2016"]))
		before := s.state()
		assertRefused(t, s, params, powershell.NotPublic)
		assertUnchanged(t, before, s)
	})
}

func TestAddRootAuthority(t *testing.T) {
	t.Parallel()
	t.Run("only where no authority holds the certificate", func(t *testing.T) {
		t.Parallel()
		root, issuing := newCertificate(t, "Contoso Root"), newCertificate(t, "Contoso Issuing")
		for edition, version := range editions {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				held := model.RootAuthority{Name: "corporate root", Certificate: root.der}
				spec := newFrontEnd(version)
				spec.sharePoint.Authorities = []model.RootAuthority{held}
				s := newServer(t, spec)
				params := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{
					{Name: "OOS root", Certificate: root.der},
					{Name: "OOS issuing", Certificate: issuing.der},
					{Name: "OOS issuing again", Certificate: issuing.der},
				}}
				if diff := cmp.Diff(powershell.AddRootResult{Changed: true, Added: []string{"OOS issuing"}}, mustRun(t, s, params)); diff != "" {
					t.Errorf("first, want -, got +:\n%s", diff)
				}
				if diff := cmp.Diff(powershell.AddRootResult{Added: []string{}}, mustRun(t, s, params)); diff != "" {
					t.Errorf("second, want -, got +:\n%s", diff)
				}
				want := []model.RootAuthority{held, {Name: "OOS issuing", Certificate: issuing.der}}
				if diff := cmp.Diff(want, s.state().Authorities); diff != "" {
					t.Errorf("authorities, want -, got +:\n%s", diff)
				}
			})
		}
	})
	t.Run("the name of another certificate is refused", func(t *testing.T) {
		t.Parallel()
		root, another := newCertificate(t, "Contoso Root"), newCertificate(t, "other")
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.Authorities = []model.RootAuthority{{Name: "OOS", Certificate: another.der}}
		params := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS", Certificate: root.der}}}
		assertRefused(t, newServer(t, spec), params, powershell.NameTaken)
	})
}

func TestGetSharePointFarm(t *testing.T) {
	t.Parallel()
	t.Run("returns what is there", func(t *testing.T) {
		t.Parallel()
		c := newCertificate(t, "s2s.contoso.com")
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.Issuers = []model.TokenIssuer{
			{Name: "one", RegisteredIssuerName: "67E3DF25-268A-4324-A550-0DE1C7F97287@BD2372E4-0A11-495C-9541-8377C6DEF195", Certificate: c.der},
			{Name: "OOS SQL Server", RegisteredIssuerName: "somebody@else", Certificate: c.der},
			{Name: "unrelated", RegisteredIssuerName: "un@related", Certificate: c.der},
		}
		spec.sharePoint.Permissions = permissionOf("Read", false)
		spec.sharePoint.Authorities = []model.RootAuthority{{Name: "r", Certificate: c.der}}
		spec.sharePoint.UserProfileServices, spec.sharePoint.UserProfileProxies = 0, 1
		spec.sharePoint.AllowOAuthOverHTTP = true
		server := func(name, role string) any {
			return pwsh.Object("Microsoft.SharePoint.Administration.SPServer", map[string]any{"Name": name, "Role": role})
		}
		spec.override("Get-SPServer", pwsh.Return([]any{server("SP-01", "WebFrontEnd"), server("SQL-01", "Invalid")}))
		got := mustRun(t, newServer(t, spec), powershell.GetSharePointFarm{
			Sites: []string{site}, RegisteredNames: []string{sharePointIssuer, sqlIssuer}, Names: []string{"OOS SharePoint Server", "OOS SQL Server"},
		})
		want := powershell.SharePointFarm{
			Version: "16.0.4456.1000",
			Issuers: []powershell.TokenIssuer{
				{Name: "one", RegisteredName: sharePointIssuer, Thumbprint: c.thumbprint, Certificate: c.der},
				{Name: "OOS SQL Server", RegisteredName: "somebody@else", Thumbprint: c.thumbprint, Certificate: c.der},
			},
			RootAuthorities: []powershell.RootAuthority{{Name: "local"}, {Name: "r", Thumbprint: c.thumbprint}},
			Permissions: []powershell.AppPermission{
				{Site: site, RegisteredName: sharePointIssuer, Right: "Read"}, {Site: site, RegisteredName: sqlIssuer},
			},
			UserProfileProxies: 1, ProxiedSites: []string{site}, AppManagement: 2, SubscriptionSettings: 2, AllowOAuthOverHTTP: true,
			Members: []string{"SP-01"},
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(powershell.SharePointFarm{}, "Machine")); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("returns issuers by application and by certificate", func(t *testing.T) {
		t.Parallel()
		old, current := newCertificate(t, "old"), newCertificate(t, "s2s.contoso.com")
		spec := newFrontEnd(editions["Subscription Edition"])
		spec.sharePoint.Issuers = []model.TokenIssuer{
			{Name: "repaired", RegisteredIssuerName: "67e3df25-268a-4324-a550-0de1c7f97287@a-farm", Certificate: current.der},
			{Name: "add-in", RegisteredIssuerName: "a@b", Certificate: old.der},
			{Name: "other add-in", RegisteredIssuerName: "c@d", Certificate: current.der},
		}
		got := mustRun(t, newServer(t, spec), powershell.GetSharePointFarm{
			RegisteredNames: []string{sharePointIssuer}, Thumbprints: []string{old.thumbprint},
		})
		var names []string
		for _, issuer := range got.Issuers {
			names = append(names, issuer.Name)
		}
		if diff := cmp.Diff([]string{"repaired", "add-in"}, names); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
	t.Run("finds what is missing", func(t *testing.T) {
		t.Parallel()
		spec := newFrontEnd(editions["2016"])
		spec.sharePoint.NotProxied, spec.sharePoint.NoAppManagement, spec.sharePoint.NoSubscriptionSettings = []string{site}, true, true
		got := mustRun(t, newServer(t, spec), powershell.GetSharePointFarm{Sites: []string{site}})
		want := powershell.SharePointFarm{UserProfileServices: 1, UserProfileProxies: 1, ProxiedSites: []string{}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(powershell.SharePointFarm{}, "Machine", "Version", "Issuers", "RootAuthorities", "Permissions", "Members")); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
}

// TestGetFarm_Cause has the one message that SharePoint has for every farm that it
// cannot reach.
// An error of SQL Server's client has the number 0, as has none.
func TestGetFarm_ErrorOfTheClient(t *testing.T) {
	t.Parallel()
	const text = "The target principal name is incorrect. Cannot generate SSPI context."
	spec := newFrontEnd(editions["2016"])
	spec.sharePoint.RemoteSQL = true
	spec.override("Open-ConfigurationDatabase", pwsh.Return(pwsh.Object("Database", map[string]any{"Number": 0, "Message": text, "State": ""})))
	refused := requireRefusal(t, newServer(t, spec), powershell.GetSharePointFarm{}, powershell.FarmUnreachable)
	if !strings.Contains(refused.Message, text) {
		t.Errorf("message %q, want the client's own text", refused.Message)
	}
}

func TestGetFarm_Cause(t *testing.T) {
	t.Parallel()
	database := func(number int, message string) func(*serverSpec) {
		return func(s *serverSpec) {
			s.sharePoint.RemoteSQL = true
			s.override("Open-ConfigurationDatabase", pwsh.Return(pwsh.Object("Database", map[string]any{"Number": number, "Message": message, "State": ""})))
		}
	}
	sql := func(refusal model.SQLRefusal) func(*serverSpec) {
		return func(s *serverSpec) { s.sql = refusal }
	}
	for _, c := range []struct {
		name string
		spec func(*serverSpec)
		id   string
	}{
		{"no second hop", func(s *serverSpec) { s.sharePoint.RemoteSQL = true }, powershell.SecondHop},
		{"a login without credentials", database(18452, "Login failed."), powershell.SecondHop},
		{"no administrator", func(s *serverSpec) { s.sharePoint.RemoteSQL, s.filtered = true, true }, powershell.NotElevated},
		{"SQL Server is away", func(s *serverSpec) { s.sqlAway = true }, powershell.SqlUnavailable},
		{"SQL Server is away, and there is no second hop", func(s *serverSpec) { s.sharePoint.RemoteSQL, s.sqlAway = true, true }, powershell.SqlUnavailable},
		{"no answer in time", database(-2, "Timeout expired."), powershell.SqlUnavailable},
		{"the availability group fails over", sql(model.SQLFailsOver), powershell.SqlUnavailable},
		{"the database is recovered", sql(model.SQLRecovers), powershell.SqlUnavailable},
		{"the server is updated", database(18401, `Login failed for user 'CONTOSO\svc-sp'. Reason: Server is in script upgrade mode.`), powershell.SqlUnavailable},
		{"the replicas have no quorum", database(988, "Unable to access database, because it lacks a quorum."), powershell.SqlUnavailable},
		{"no login", sql(model.SQLWithoutLogin), powershell.NoFarmAccess},
		{"no access to the database", sql(model.SQLWithoutUser), powershell.NoFarmAccess},
		{"no list of databases", sql(model.SQLHidesDatabase), powershell.FarmUnreachable},
		{"the database opens", sql(model.SQLAdmitsClient), powershell.FarmUnreachable},
		{"an unknown error", database(823, "The operating system returned error 21."), powershell.FarmUnreachable},
		{
			"no connection string",
			func(s *serverSpec) {
				s.sharePoint.RemoteSQL = true
				s.override("Open-ConfigurationDatabase", pwsh.Return(nil))
			}, powershell.FarmUnreachable,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := newFrontEnd(editions["2016"])
			c.spec(spec)
			refused := requireRefusal(t, newServer(t, spec), powershell.GetSharePointFarm{}, c.id)
			if refused.Message == "" {
				t.Error("no message")
			}
		})
	}
}
