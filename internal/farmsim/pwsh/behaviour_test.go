package pwsh_test

import (
	"testing"
)

const class = "Microsoft.SharePoint.PowerShell.SPCmdlet"

// The identities of PowerShell's own errors.
const (
	noInput   = "MissingMandatoryParameter"
	noSet     = "AmbiguousParameterSet"
	nullInput = "ParameterArgumentValidationError"
	asked     = "InvalidOperation"
)

// refusals are statements and the error that each ends with.
type refusals []struct{ statement, id string }

func (r refusals) check(t *testing.T, s *testFarm, host string) {
	t.Helper()
	var all []string
	for _, one := range r {
		all = append(all, one.statement)
	}
	for i, got := range s.each(host, all...) {
		if !got.refuses(r[i].id) {
			t.Errorf("%s\n  ended with %q and returned %q, want error %q", r[i].statement, got.ID, got.Out, r[i].id)
		}
	}
}

// TestStubs_BindAndAsk checks that a call that would not bind or would ask on a
// real server fails.
func TestStubs_BindAndAsk(t *testing.T) {
	t.Parallel()
	const name = ` -RegisteredIssuerName 'a@b'`
	everywhere := refusals{
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate $certificate` + name, asked},
		{`Set-SPTrustedSecurityTokenIssuer -Identity OOS -Certificate $certificate` + name, asked},
		{`Remove-SPTrustedSecurityTokenIssuer -Identity OOS`, asked},
		{`New-SPTrustedRootAuthority -Name X -Certificate $certificate`, asked},
		{`Remove-SPTrustedRootAuthority -Identity local`, asked},
		{`New-SPTrustedSecurityTokenIssuer -Certificate $certificate -Confirm:$false` + name, noInput},
		{`New-SPTrustedSecurityTokenIssuer -Name '' -Certificate $certificate -Confirm:$false` + name, nullInput},
		{`New-SPTrustedSecurityTokenIssuer -Name X -Confirm:$false`, noSet},
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate $certificate -MetadataEndPoint https://x -Confirm:$false` + name, noSet},
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate $certificate -IsSelfIssuer -Confirm:$false` + name, "NamedParameterNotFound"},
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate 7 -Confirm:$false` + name, "CannotConvertArgumentNoMessage," + class + "NewTrustedSecurityTokenIssuer"},
		{`Get-SPTrustedSecurityTokenIssuer -Identity nobody`, class + "GetTrustedSecurityTokenIssuer"},
		{`Get-SPAppPrincipal -Site (Get-SPSite -Identity '` + site + `') -NameIdentifier '` + registered + `'`, "CannotConvertArgumentNoMessage," + class + "GetAppPrincipal"},
		{`Set-SPAppPrincipalPermission -AppPrincipal '` + registered + `' -Site '` + site + `' -Scope SiteSubscription -Right FullControl`, "CannotConvertArgumentNoMessage," + class + "SetAppPrincipalPermission"},
		{`Set-SPAppPrincipalPermission -AppPrincipal (Get-SPAppPrincipal -Site '` + site + `' -NameIdentifier '` + registered + `') -Site '` + site + `' -Scope Forest -Right FullControl`, noSet},
		{`Get-SPSite -Identity https://nowhere.contoso.com`, class + "GetSite"},
	}
	classic := refusals{
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate $certificate -Confirm:$false`, noInput},
		{`Set-SPTrustedSecurityTokenIssuer -Identity OOS -Certificate $certificate -Confirm:$false`, noInput},
	}
	for version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newTestFarm(t, version)
			all := everywhere
			if version != "SE" {
				all = append(append(refusals{}, everywhere...), classic...)
			}
			before := s.world.State().SharePoint
			all.check(t, s, front)
			if diff := diffOf(before, s.world.State().SharePoint); diff != "" {
				t.Errorf("the farm changed:\n%s", diff)
			}
		})
	}
}

// TestStubs_OfficeAsks checks that Office asks before it changes the name,
// unless forced.
func TestStubs_OfficeAsks(t *testing.T) {
	t.Parallel()
	s := newTestFarm(t, "2016")
	refusals{
		{`Set-OfficeWebAppsFarm -S2SCertificateName X -Confirm:$false`, asked},
		{`Set-OfficeWebAppsFarm -S2SCertificateName X -Confirm -Force`, asked},
		{`Set-OfficeWebAppsFarm -Thumbprint X -Force`, "NamedParameterNotFound"},
		{`Restart-OfficeWebAppsMachine`, "CommandNotFoundException"},
		{`Unregister-ScheduledTask -TaskName X`, asked},
		{`Restart-Service -Name SPTimerV4`, "NoServiceFoundForGivenName"},
	}.check(t, s, office)
	if name := s.world.State().Office.Members[0].Settings.S2SCertificateName; name != "" {
		t.Errorf("the name is %q", name)
	}
}

// TestStubs_ActAsCmdlets checks that stubs do what the real cmdlets do.
func TestStubs_ActAsCmdlets(t *testing.T) {
	t.Parallel()
	s := newTestFarm(t, "SE")
	steps := []struct{ statement, out string }{
		{`(Get-SPFarm).BuildVersion.Build`, "18526"},
		{`@(Get-SPTrustedSecurityTokenIssuer -Identity nobody -ErrorAction SilentlyContinue).Count`, "0"},
		{`New-SPTrustedSecurityTokenIssuer -Name X -Certificate $certificate -RegisteredIssuerName 'a@b' -WhatIf; @(Get-SPTrustedSecurityTokenIssuer).Count`, "1"},
		// Subscription Edition changes a description alone.
		{`Set-SPTrustedSecurityTokenIssuer -Identity OOS -Certificate $certificate -Description new -Confirm:$false; (Get-SPTrustedSecurityTokenIssuer).Description`, "new"},
		{`(Get-SPTrustedSecurityTokenIssuer | Get-SPTrustedSecurityTokenIssuer).NameId`, registered},
		{`(Get-SPTrustedSecurityTokenIssuer).SigningCertificate.Thumbprint -eq $certificate.Thumbprint`, "True"},
		{`$principal = Get-SPAppPrincipal -Site '` + site + `' -NameIdentifier '` + registered + `'
		  $web = (Get-SPSite -Identity '` + site + `').RootWeb
		  Set-SPAppPrincipalPermission -AppPrincipal $principal -Site $web -Scope sitesubscription -Right fullcontrol -EnableAppOnlyPolicy
		  (Get-AppPermission -Web $web -RegisteredName '` + registered + `').Right`, "FullControl"},
		{`Get-SPTrustedSecurityTokenIssuer | Remove-SPTrustedSecurityTokenIssuer -Confirm:$false; @(Get-SPTrustedSecurityTokenIssuer).Count`, "0"},
	}
	var all []string
	for _, step := range steps {
		all = append(all, step.statement)
	}
	for i, got := range s.each(front, all...) {
		if got.ID != "" || got.Out != steps[i].out {
			t.Errorf("%s\n  returned %q, error %q; want %q", steps[i].statement, got.Out, got.ID, steps[i].out)
		}
	}
}
