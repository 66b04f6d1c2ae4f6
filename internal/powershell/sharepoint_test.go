package powershell_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/powershell"
)

// The two interfaces that SharePoint's cmdlets have.
var editions = map[string]string{"2016": "16.0.4456.1000", "Subscription Edition": "16.0.18526.20508"}

func trust(m made, registeredName, name string) powershell.SetTrustedIssuer {
	return powershell.SetTrustedIssuer{Name: name, RegisteredName: registeredName, Certificate: m.der, Sites: []string{site}}
}

func TestIssuerIsCreatedThenUpdatedInPlaceAndGrantedOnce(t *testing.T) {
	t.Parallel()
	old, renewed := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	for edition, version := range editions {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, frontEnd(version))
			created := run(t, e, trust(old, sharePointIssuer, "OOS SharePoint Server"))
			if !created.Created || created.Updated || !cmp.Equal(created.Granted, []string{site}) {
				t.Errorf("first set-up: %+v", created)
			}
			if already := run(t, e, trust(old, sharePointIssuer, "another name")); already.Changed || already.Name != "OOS SharePoint Server" {
				t.Errorf("again: %+v", already)
			}
			updated := run(t, e, trust(renewed, sharePointIssuer, "another name"))
			if updated.Created || !updated.Updated || len(updated.Granted) != 0 {
				t.Errorf("renewal: %+v", updated)
			}
			state := e.state(t).SharePoint
			if len(state.Issuers) != 1 || !cmp.Equal(state.Issuers[0].Certificate, renewed.der) {
				t.Errorf("%d issuers; want one with the new certificate", len(state.Issuers))
			}
			want := []permissionEntry{{Site: site, RegisteredName: sharePointIssuer, Right: "FullControl", AppOnly: true}}
			if diff := cmp.Diff(want, state.Permissions); diff != "" {
				t.Errorf("permissions, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestIssuerKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	old, renewed := makeCertificate(t, "s2s.contoso.com"), makeCertificate(t, "s2s.contoso.com")
	w := with(frontEnd(editions["2016"]), "sharePoint", "issuers", []issuerEntry{{
		Name: "theirs", RegisteredName: sharePointIssuer, Certificate: old.der, TrustBroker: true,
		Description: "for OOS [farmtrust 2025-01-02T03:04:05.678Z]",
	}})
	e := newEngine(t, w)
	run(t, e, trust(renewed, sharePointIssuer, "ours"))

	got := run(t, e, powershell.GetSharePointFarm{RegisteredNames: []string{sharePointIssuer}, Sites: []string{site}})
	if len(got.Issuers) != 1 {
		t.Fatalf("%d issuers", len(got.Issuers))
	}
	issuer := got.Issuers[0]
	if issuer.Name != "theirs" || !issuer.TrustBroker || issuer.Thumbprint != renewed.thumbprint {
		t.Errorf("issuer %+v; want their name and broker flag, our certificate", issuer)
	}
	if issuer.Since == nil || time.Since(*issuer.Since) > time.Minute {
		t.Fatalf("since %v, want just now", issuer.Since)
	}
	if want := "for OOS [farmtrust " + issuer.Since.Format("2006-01-02T15:04:05.000Z") + "]"; issuer.Description != want {
		t.Errorf("description %q, want %q", issuer.Description, want)
	}
}

func TestIssuerIsRefusedWhereItIsNotClear(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	other := issuerEntry{Name: "one", RegisteredName: sharePointIssuer, Certificate: m.der}
	twin := issuerEntry{Name: "two", RegisteredName: sharePointIssuer, Certificate: m.der}
	taken := issuerEntry{Name: "OOS", RegisteredName: sqlIssuer, Certificate: m.der}
	cases := []struct {
		claim, field string
		value        any
		id           string
	}{
		{"two issuers have the registered name", "issuers", []issuerEntry{other, twin}, powershell.IssuerAmbiguous},
		{"the name is another issuer's", "issuers", []issuerEntry{taken}, powershell.NameTaken},
		{"no app principal", "withoutPrincipals", true, powershell.AppPrincipalMissing},
		{"the farm cannot be reached", "reachable", false, powershell.SecondHop},
		{"the farm forgets", "forgets", true, powershell.SettingNotKept},
		{"somebody else changes the farm", "conflict", true, "Microsoft.SharePoint.PowerShell.SPCmdletSetTrustedSecurityTokenIssuer"},
	}
	for _, c := range cases {
		t.Run(c.claim, func(t *testing.T) {
			t.Parallel()
			w := frontEnd(editions["2016"])
			if c.field == "forgets" { // The issuer exists, so that something could be kept.
				with(w, "sharePoint", "issuers", []issuerEntry{{Name: "one", RegisteredName: sharePointIssuer, Certificate: makeCertificate(t, "old").der}})
			}
			e := newEngine(t, with(w, "sharePoint", c.field, c.value))
			refused(t, e, trust(m, sharePointIssuer, "OOS"), c.id)
			if p := e.state(t).SharePoint.Permissions; len(p) != 0 {
				t.Errorf("permissions were given: %+v", p)
			}
		})
	}
}

func TestUnknownSiteIsTheProductsError(t *testing.T) {
	t.Parallel()
	params := trust(makeCertificate(t, "s2s.contoso.com"), sharePointIssuer, "OOS")
	params.Sites = []string{"https://nowhere.contoso.com"}
	said := refused(t, newEngine(t, frontEnd(editions["2016"])), params, "Microsoft.SharePoint.PowerShell.SPCmdletGetSite")
	if said.Exception != "System.IO.FileNotFoundException" {
		t.Errorf("exception %s", said.Exception)
	}
}

func TestRootAuthorityIsAddedWhereNoAuthorityHoldsIt(t *testing.T) {
	t.Parallel()
	root, issuing := makeCertificate(t, "Contoso Root"), makeCertificate(t, "Contoso Issuing")
	for edition, version := range editions {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			held := authorityEntry{Name: "corporate root", Certificate: root.der}
			e := newEngine(t, with(frontEnd(version), "sharePoint", "authorities", []authorityEntry{held}))
			params := powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{
				{Name: "OOS root", Certificate: root.der},
				{Name: "OOS issuing", Certificate: issuing.der},
				{Name: "OOS issuing again", Certificate: issuing.der},
			}}
			first, second := run(t, e, params), run(t, e, params)
			if !cmp.Equal(first.Added, []string{"OOS issuing"}) || second.Changed {
				t.Errorf("first %+v, second %+v", first, second)
			}
			want := []authorityEntry{held, {Name: "OOS issuing", Certificate: issuing.der}}
			if diff := cmp.Diff(want, e.state(t).SharePoint.Authorities); diff != "" {
				t.Errorf("authorities, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestRootAuthorityNameOfAnotherCertificateIsRefused(t *testing.T) {
	t.Parallel()
	root, other := makeCertificate(t, "Contoso Root"), makeCertificate(t, "other")
	e := newEngine(t, with(frontEnd(editions["2016"]), "sharePoint", "authorities", []authorityEntry{{Name: "OOS", Certificate: other.der}}))
	refused(t, e, powershell.AddRootAuthority{Authorities: []powershell.RootAuthorityCertificate{{Name: "OOS", Certificate: root.der}}}, powershell.NameTaken)
}

func TestSharePointFarmIsObservedAsItIs(t *testing.T) {
	t.Parallel()
	m := makeCertificate(t, "s2s.contoso.com")
	w := with(frontEnd(editions["2016"]), "sharePoint", "issuers", []issuerEntry{
		{Name: "one", RegisteredName: "67E3DF25-268A-4324-A550-0DE1C7F97287@BD2372E4-0A11-495C-9541-8377C6DEF195", Certificate: m.der},
		{Name: "OOS SQL Server", RegisteredName: "somebody@else", Certificate: m.der},
		{Name: "unrelated", RegisteredName: "un@related", Certificate: m.der},
	})
	with(w, "sharePoint", "permissions", []permissionEntry{{Site: site, RegisteredName: sharePointIssuer, Right: "Read", AppOnly: false}})
	with(w, "sharePoint", "authorities", []authorityEntry{{Name: "local"}, {Name: "r", Certificate: m.der}})
	got := run(t, newEngine(t, w), powershell.GetSharePointFarm{
		Sites: []string{site}, RegisteredNames: []string{sharePointIssuer, sqlIssuer}, Names: []string{"OOS SharePoint Server", "OOS SQL Server"},
	})
	got.Machine = powershell.Machine{}
	want := powershell.SharePointFarm{
		Version: "16.0.4456.1000",
		Issuers: []powershell.TokenIssuer{
			{Name: "one", RegisteredName: sharePointIssuer, Thumbprint: m.thumbprint, Certificate: m.der},
			{Name: "OOS SQL Server", RegisteredName: "somebody@else", Thumbprint: m.thumbprint, Certificate: m.der},
		},
		RootAuthorities: []powershell.RootAuthority{{Name: "local"}, {Name: "r", Thumbprint: m.thumbprint}},
		Permissions: []powershell.AppPermission{
			{Site: site, RegisteredName: sharePointIssuer, Right: "Read"}, {Site: site, RegisteredName: sqlIssuer},
		},
		UserProfileServices: 1, Members: []string{"SP-01"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
