package pwsh

import (
	"strings"

	"github.com/farmtrust/farmtrust/internal/farmsim/model"
)

// The types of SharePoint's objects, by which pipe binds know them.
const (
	issuerType    = "Microsoft.SharePoint.Administration.Claims.SPTrustedSecurityTokenService"
	authorityType = "Microsoft.SharePoint.Administration.SPTrustedRootAuthority"
	siteType      = "Microsoft.SharePoint.SPSite"
	webType       = "Microsoft.SharePoint.SPWeb"
	principalType = "Microsoft.SharePoint.SPAppPrincipal"
	profilesType  = "Microsoft.Office.Server.Administration.UserProfileApplication"
)

// sharePointOperations are behind SharePoint's cmdlets.
func sharePointOperations() map[string]operation {
	return map[string]operation{
		"Get-SharePointFileVersion": tell(func(s *model.Session) (any, error) {
			version, err := s.SharePointVersion()
			return versionOf(version), err
		}),
		"Get-SPFarm": tell(func(s *model.Session) (any, error) {
			f, err := s.SharePoint().GetFarm()
			return typed("Microsoft.SharePoint.Administration.SPFarm", object{"BuildVersion": versionOf(f.Version)}), err
		}),
		"Get-SPServer":             tell(getServer),
		"Get-SPServiceApplication": tell(getServiceApplication),
		"Get-SPSite":               on(getSite),
		"Get-AppPermission":        on(getAppPermission),

		"Get-SPAppPrincipal":               on(getAppPrincipal),
		"Set-SPAppPrincipalPermission":     on(setAppPrincipalPermission),
		"Remove-SPAppPrincipalPermission":  on(removeAppPrincipalPermission),
		"Get-SPTrustedRootAuthority":       on(getTrustedRootAuthority),
		"New-SPTrustedRootAuthority":       on(newTrustedRootAuthority),
		"Remove-SPTrustedRootAuthority":    on(removeTrustedRootAuthority),
		"Get-SPTrustedSecurityTokenIssuer": on(getTrustedSecurityTokenIssuer),
		"New-SPTrustedSecurityTokenIssuer": on(newTrustedSecurityTokenIssuer),
		"Set-SPTrustedSecurityTokenIssuer": on(setTrustedSecurityTokenIssuer),

		"Remove-SPTrustedSecurityTokenIssuer": on(removeTrustedSecurityTokenIssuer),
	}
}

func versionOf(version string) any {
	if version == "" {
		return nil
	}
	return typed("Version", object{"Value": version})
}

func getServer(s *model.Session) (any, error) {
	f, err := s.SharePoint().GetFarm()
	shown := []object{}
	for _, name := range f.Servers {
		shown = append(shown, typed("Microsoft.SharePoint.Administration.SPServer", object{"Name": name, "Role": "Custom"}))
	}
	return shown, err
}

func getServiceApplication(s *model.Session) (any, error) {
	f, err := s.SharePoint().GetFarm()
	shown := []object{}
	for range f.UserProfileServices {
		shown = append(shown, typed(profilesType, object{"Name": "User Profile Service Application"}))
	}
	return shown, err
}

func getSite(s *model.Session, p struct{ Identity argument }) (any, error) {
	url, err := siteBind.read("GetSite", "Identity", p.Identity)
	if err != nil {
		return nil, err
	}
	if err := s.SharePoint().GetSite(url); err != nil {
		return nil, err
	}
	return typed(siteType, object{"Url": url, "RootWeb": typed(webType, object{"Url": url})}), nil
}

// getAppPermission is the prelude's look into SharePoint's object model, which
// takes an SPWeb.
func getAppPermission(s *model.Session, p struct {
	Web            argument
	RegisteredName string
},
) (any, error) {
	url, err := pipeBind{kind: webType, property: "Url"}.read("GetAppPrincipal", "Web", p.Web)
	if err != nil {
		return nil, err
	}
	has, err := s.SharePoint().AppPermission(url, p.RegisteredName)
	return object{"$type": "AppPermission", "Right": has.Right, "AppOnly": has.AppOnly}, err
}

func getAppPrincipal(s *model.Session, p struct {
	Site           argument
	NameIdentifier string
},
) (any, error) {
	url, err := webBind.read("GetAppPrincipal", "Site", p.Site)
	if err != nil {
		return nil, err
	}
	principal, err := s.SharePoint().GetAppPrincipal(url, p.NameIdentifier)
	if err != nil {
		return nil, err
	}
	return typed(principalType, object{"NameIdentifier": principal.NameIdentifier}), nil
}

// permission are the parameters of Set- and Remove-SPAppPrincipalPermission.
type permission struct {
	Site, AppPrincipal, Scope argument
}

func (p permission) bind(cmdlet string) (principal model.AppPrincipal, url, scope string, err error) {
	if url, err = webBind.read(cmdlet, "Site", p.Site); err != nil {
		return principal, url, scope, err
	}
	if principal.NameIdentifier, err = principalBind.read(cmdlet, "AppPrincipal", p.AppPrincipal); err != nil {
		return principal, url, scope, err
	}
	scope, err = wordBind.read(cmdlet, "Scope", p.Scope)
	return principal, url, scope, err
}

func setAppPrincipalPermission(s *model.Session, p struct {
	permission

	Right               argument
	EnableAppOnlyPolicy bool
},
) (any, error) {
	const cmdlet = "SetAppPrincipalPermission"
	principal, url, scope, err := p.bind(cmdlet)
	if err != nil {
		return nil, err
	}
	right, err := wordBind.read(cmdlet, "Right", p.Right)
	if err != nil {
		return nil, err
	}
	return nil, s.SharePoint().SetAppPrincipalPermission(principal, url, scope, right, p.EnableAppOnlyPolicy)
}

func removeAppPrincipalPermission(s *model.Session, p struct {
	permission

	DisableAppOnlyPolicy bool
},
) (any, error) {
	const cmdlet = "RemoveAppPrincipalPermission"
	principal, url, scope, err := p.bind(cmdlet)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(scope, model.SiteSubscription) || !p.DisableAppOnlyPolicy {
		return nil, model.CannotBind(cmdlet, "Scope")
	}
	return nil, s.SharePoint().RemoveAppPrincipalPermission(principal, url)
}
