package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// AppPrincipal is an SPAppPrincipal.
type AppPrincipal struct{ NameIdentifier string }

// PrincipalParameters are those of Get-SPAppPrincipal.
type PrincipalParameters struct {
	// Site is the address of a web.
	Site, NameIdentifier string
}

// GetAppPrincipal is Get-SPAppPrincipal. A registered issuer has one.
func (p SharePoint) GetAppPrincipal(with PrincipalParameters) (found AppPrincipal, err error) {
	const cmdlet = "GetAppPrincipal"
	err = p.onFarm(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, with.Site); err != nil {
			return err
		}
		if !slices.ContainsFunc(f.configured().issuers, func(i TokenIssuer) bool {
			return strings.EqualFold(i.RegisteredIssuerName, with.NameIdentifier)
		}) {
			p.s.world.countRule(RuleIssuerMakesPrincipal)
			return invalidOperationError(cmdletClass+cmdlet, "The app principal could not be found.")
		}
		found = AppPrincipal{NameIdentifier: strings.ToLower(with.NameIdentifier)}
		return nil
	})
	return found, err
}

func (p SharePoint) checkSite(cmdlet string, f *sharePointFarm, site string) error {
	if !containsSite(f.Sites, site) {
		return p.noObject(cmdlet)
	}
	return nil
}

// The values of -Scope and -Right that the procedure uses.
const (
	SiteSubscription = "SiteSubscription"
	FullControl      = "FullControl"
)

// PermissionParameters are those of Set- and Remove-SPAppPrincipalPermission.
type PermissionParameters struct {
	// Site is the address of a web, AppPrincipal the name identifier of an
	// [AppPrincipal].
	Site, AppPrincipal, Scope string
	// Right and EnableAppOnlyPolicy are of Set-, DisableAppOnlyPolicy is of
	// Remove-.
	Right                                     string
	EnableAppOnlyPolicy, DisableAppOnlyPolicy bool
}

// SetAppPrincipalPermission is Set-SPAppPrincipalPermission at the scope of
// the site subscription. All sites of a farm are in the same one.
func (p SharePoint) SetAppPrincipalPermission(with PermissionParameters) error {
	const cmdlet = "SetAppPrincipalPermission"
	return p.onFarm(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		p.s.noteChange()
		if err := p.checkSite(cmdlet, f, with.Site); err != nil {
			return err
		}
		rights := []string{"Read", "Write", "Manage", FullControl}
		at := slices.IndexFunc(rights, func(known string) bool { return strings.EqualFold(known, with.Right) })
		if at < 0 || !strings.EqualFold(with.Scope, SiteSubscription) {
			return bindingError(cmdletClass+cmdlet, fmt.Sprintf("Cannot bind -Scope %s -Right %s.", with.Scope, with.Right))
		}
		p.s.world.countRule(RulePermissionOfSubscription)
		granted := AppPermission{Right: rights[at], AppOnly: with.EnableAppOnlyPolicy}
		if f.permissions[with.AppPrincipal].AppOnly && !granted.AppOnly {
			p.s.world.countRule(RuleAppOnlyStays)
			granted.AppOnly = true
		}
		f.permissions[with.AppPrincipal] = granted
		return nil
	})
}

// RemoveAppPrincipalPermission is Remove-SPAppPrincipalPermission with
// -DisableAppOnlyPolicy, at the scope of the site subscription. What it does
// otherwise is not simulated.
func (p SharePoint) RemoveAppPrincipalPermission(with PermissionParameters) error {
	const cmdlet = "RemoveAppPrincipalPermission"
	return p.onFarm(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		p.s.noteChange()
		if !strings.EqualFold(with.Scope, SiteSubscription) || !with.DisableAppOnlyPolicy {
			return CannotBind(cmdlet, "Scope")
		}
		if err := p.checkSite(cmdlet, f, with.Site); err != nil {
			return err
		}
		delete(f.permissions, with.AppPrincipal)
		return nil
	})
}

// AppPermission is what SPAppPrincipalPermissionsManager reads back: no
// cmdlet does.
func (p SharePoint) AppPermission(site, nameIdentifier string) (found AppPermission, err error) {
	const cmdlet = "GetAppPrincipal"
	err = p.onFarm(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, site); err != nil {
			return err
		}
		found = f.permissions[strings.ToLower(nameIdentifier)]
		return nil
	})
	return found, err
}
