package farm

import (
	"fmt"
	"slices"
	"strings"
)

// checkUserProfiles checks the procedure's second prerequisite: SharePoint has a
// User Profile service. It may be another farm's, of which this one has a proxy. A
// web application uses the services whose proxies are in its proxy group.
// Source: Microsoft, "Configure server-to-server authentication in SharePoint
// Server", on farms that share the service.
func checkUserProfiles(d Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		if f.UserProfileServices+f.UserProfileProxies == 0 {
			out = append(out, stopFinding("no-user-profiles", f.FrontEnd,
				"create a User Profile service application (New-SPProfileServiceApplication), or connect to another farm's (Receive-SPServiceApplicationConnection)",
				"the SharePoint farm has neither a User Profile service application nor a proxy to another farm's"))
			continue
		}
		var apart []string
		for _, site := range d.sitesOf(f.FrontEnd) {
			if !slices.Contains(f.ProxiedSites, site) {
				apart = append(apart, site)
			}
		}
		if len(apart) > 0 {
			out = append(out, stopFinding("user-profile-not-in-proxy-group", f.FrontEnd,
				"add it with Add-SPServiceApplicationProxyGroupMember to the group of the web application; an application without a proxy gets one from New-SPProfileServiceApplicationProxy",
				"the proxy group of the web application has no User Profile service: %s", strings.Join(apart, ", ")))
		}
	}
	return out
}

// checkPermissionServices looks for the two services that hold app permissions.
// Microsoft names them as prerequisites of the same permissions elsewhere; whether
// this procedure strictly needs them is not documented.
// Source: Microsoft, "Configure site mailboxes in SharePoint Server".
func checkPermissionServices(_ Desired, o Observed) []Finding {
	const text = "the SharePoint farm has no %s service: app permissions are kept there; whether server-to-server authentication strictly needs it is not documented"
	var out []Finding
	for _, f := range o.SharePoint {
		if f.AppManagement == 0 {
			out = append(out, stopFinding("no-app-management", f.FrontEnd,
				"create it with New-SPAppManagementServiceApplication and New-SPAppManagementServiceApplicationProxy", text, "App Management"))
		}
		if f.SubscriptionSettings == 0 {
			out = append(out, stopFinding("no-subscription-settings", f.FrontEnd,
				"create it with New-SPSubscriptionSettingsServiceApplication and New-SPSubscriptionSettingsServiceApplicationProxy", text, "Subscription Settings"))
		}
	}
	return out
}

// checkOAuthOverHTTP looks for sites on which SharePoint refuses every token,
// because they are without TLS.
// Source: Microsoft, "Configure server-to-server authentication from SharePoint
// Server to SharePoint in Microsoft 365".
func checkOAuthOverHTTP(d Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		plain := slices.DeleteFunc(slices.Clone(d.sitesOf(f.FrontEnd)), func(site string) bool {
			return !strings.HasPrefix(strings.ToLower(site), "http:")
		})
		if len(plain) > 0 && !f.AllowOAuthOverHTTP {
			out = append(out, stopFinding("oauth-over-http-off", f.FrontEnd,
				"use https, or set AllowOAuthOverHttp of Get-SPSecurityTokenServiceConfig to true and call its Update(): tokens then travel in clear text",
				"SharePoint accepts no tokens without TLS (AllowOAuthOverHttp is off), and a site has none: %s", strings.Join(plain, ", ")))
		}
	}
	return out
}

// checkIssuerRealms looks for issuers of Office Online Server's application with
// another right side than the procedure's two. A published repair script makes
// them: it replaces issuers by new ones in the farm's realm, whose names no token of
// Office Online Server has.
// Source: Microsoft, KB4010011.
func checkIssuerRealms(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, f := range o.SharePoint {
		var changed, removals []string
		for _, i := range f.Issuers {
			if hasOtherRealm(i) {
				changed = append(changed, fmt.Sprintf("%q, registered as %s", i.Name, i.RegisteredName))
				removals = append(removals, "Remove-SPTrustedSecurityTokenIssuer -Identity "+quotePowerShell(i.Name))
			}
		}
		if len(changed) > 0 {
			out = append(out, stopFinding("issuer-realm-changed", f.FrontEnd,
				"remove it ("+strings.Join(removals, "; ")+"); the rotation then registers the procedure's two issuers and grants their permissions again",
				"a trusted token issuer has Office Online Server's application and another realm than its tokens, as Microsoft's repair script of KB4010011 leaves it: %s", strings.Join(changed, "; ")))
		}
	}
	return out
}

// hasOtherRealm reports whether an issuer has Office Online Server's application and
// another right side than the procedure's two issuers.
func hasOtherRealm(i TokenIssuer) bool {
	application, _, _ := strings.Cut(Issuers()[0].RegisteredName, "@")
	own, _, _ := strings.Cut(strings.ToLower(i.RegisteredName), "@")
	_, ours := IssuerByRegisteredName(strings.ToLower(i.RegisteredName))
	return own == application && !ours
}

// quotePowerShell quotes a text for a command line of PowerShell.
func quotePowerShell(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// sitesOf returns the configured sites of the SharePoint farm that has this front
// end.
func (d Desired) sitesOf(frontEnd string) []string {
	sp, _ := findFirst(d.Farm.SharePoint, func(sp SharePoint) bool { return sp.FrontEnd.Host == frontEnd })
	return sp.Sites
}
