package model

import (
	"slices"
	"strings"
	"time"
)

// ServiceKind is a kind of service application that matters here.
type ServiceKind string

// The kinds.
const (
	UserProfile          ServiceKind = "User Profile"
	AppManagement        ServiceKind = "App Management"
	SubscriptionSettings ServiceKind = "Subscription Settings"
)

// ServiceApplication is an SPServiceApplication.
type ServiceApplication struct {
	Name string
	Kind ServiceKind
}

// ServiceProxy is an SPServiceApplicationProxy, of this farm's service or of another
// farm's.
type ServiceProxy struct {
	Name string
	Kind ServiceKind
}

// GetServiceApplication is Get-SPServiceApplication.
func (p SharePoint) GetServiceApplication() (found []ServiceApplication, err error) {
	err = p.onFarm("GetServiceApplication", func(f *sharePointFarm, _ time.Time) error {
		for range f.UserProfileServices {
			found = append(found, ServiceApplication{"User Profile Service Application", UserProfile})
		}
		if !f.NoAppManagement {
			found = append(found, ServiceApplication{"App Management Service", AppManagement})
		}
		if !f.NoSubscriptionSettings {
			found = append(found, ServiceApplication{"Subscription Settings Service", SubscriptionSettings})
		}
		return nil
	})
	return found, err
}

// GetServiceApplicationProxy is Get-SPServiceApplicationProxy.
func (p SharePoint) GetServiceApplicationProxy() (found []ServiceProxy, err error) {
	err = p.onFarm("GetServiceApplicationProxy", func(f *sharePointFarm, _ time.Time) error {
		found = f.proxies()
		return nil
	})
	return found, err
}

func (f *sharePointFarm) proxies() (all []ServiceProxy) {
	for range f.UserProfileServices + f.UserProfileProxies {
		all = append(all, ServiceProxy{"User Profile Service Application Proxy", UserProfile})
	}
	if !f.NoAppManagement {
		all = append(all, ServiceProxy{"App Management Service Proxy", AppManagement})
	}
	if !f.NoSubscriptionSettings {
		all = append(all, ServiceProxy{"Subscription Settings Service Proxy", SubscriptionSettings})
	}
	return all
}

// proxyGroup are the proxies of the group of a site's web application.
func (f *sharePointFarm) proxyGroup(site string) []ServiceProxy {
	return slices.DeleteFunc(f.proxies(), func(p ServiceProxy) bool {
		return p.Kind == UserProfile && containsSite(f.NotProxied, site)
	})
}

// knowsProfiles reports whether a site's web application can use a User Profile
// service.
func (f *sharePointFarm) knowsProfiles(site string) bool {
	return slices.ContainsFunc(f.proxyGroup(site), func(p ServiceProxy) bool { return p.Kind == UserProfile })
}

// refusesTokens reports whether a site is one without TLS, in a farm that takes no
// tokens there.
func (f *sharePointFarm) refusesTokens(site string) bool {
	return !f.AllowOAuthOverHTTP && strings.HasPrefix(strings.ToLower(site), "http:")
}

// TokenServiceConfig is an SPSecurityTokenServiceManager.
type TokenServiceConfig struct{ AllowOAuthOverHTTP bool }

// GetSecurityTokenServiceConfig is Get-SPSecurityTokenServiceConfig.
func (p SharePoint) GetSecurityTokenServiceConfig() (found TokenServiceConfig, err error) {
	err = p.onFarm("GetSecurityTokenServiceConfig", func(f *sharePointFarm, _ time.Time) error {
		found = TokenServiceConfig{AllowOAuthOverHTTP: f.AllowOAuthOverHTTP}
		return nil
	})
	return found, err
}

// Site is an SPSite. Proxies are those of the group of its web application.
type Site struct {
	URL     string
	Proxies []ServiceProxy
}

// SiteParameters are those of Get-SPSite for one site collection.
type SiteParameters struct{ Identity string }

// GetSite is Get-SPSite for one site collection.
func (p SharePoint) GetSite(with SiteParameters) (found Site, err error) {
	const cmdlet = "GetSite"
	err = p.onFarm(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		found = Site{URL: with.Identity, Proxies: f.proxyGroup(with.Identity)}
		return p.checkSite(cmdlet, f, with.Identity)
	})
	return found, err
}

// containsSite finds a site, with or without the slash at its end.
func containsSite(sites []string, site string) bool {
	return slices.ContainsFunc(sites, func(known string) bool {
		return strings.EqualFold(strings.TrimSuffix(known, "/"), strings.TrimSuffix(site, "/"))
	})
}
