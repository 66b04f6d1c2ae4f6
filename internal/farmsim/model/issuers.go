package model

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// IssuerParameters are those of New- and Set-SPTrustedSecurityTokenIssuer;
// nil is not given.
type IssuerParameters struct {
	// Name names a new issuer; Set- takes it as the identity.
	Name                 string
	Certificate          []byte
	RegisteredIssuerName *string
	Description          *string
	// TrustBroker is -IsTrustBroker, a switch: not given is false.
	TrustBroker bool
	// Confirmed is -Confirm:$false.
	Confirmed bool
}

// GetTrustedSecurityTokenIssuer is Get-SPTrustedSecurityTokenIssuer.
func (p SharePoint) GetTrustedSecurityTokenIssuer() (found []TokenIssuer, err error) {
	err = p.do("GetTrustedSecurityTokenIssuer", func(f *sharePointFarm, _ time.Time) error {
		found = slices.Clone(f.configured().issuers)
		return nil
	})
	return found, err
}

// NewTrustedSecurityTokenIssuer is New-SPTrustedSecurityTokenIssuer.
func (p SharePoint) NewTrustedSecurityTokenIssuer(with IssuerParameters) error {
	const cmdlet = "NewTrustedSecurityTokenIssuer"
	return p.do(cmdlet, func(f *sharePointFarm, now time.Time) error {
		if err := p.checkIssuer(cmdlet, f, with); err != nil {
			return err
		}
		if with.Certificate == nil {
			return binding(cmdletClass+cmdlet, "Parameter set cannot be resolved using the specified named parameters.")
		}
		issuers := f.configured().issuers
		if slices.ContainsFunc(issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Name) }) {
			p.s.world.apply(RuleIssuerNameUnique)
			return duplicate(cmdlet, "Microsoft.SharePoint.Administration.Claims.SPTrustedSecurityTokenService", with.Name)
		}
		created := TokenIssuer{Name: with.Name}
		created.update(with)
		if p.s.world.policy.DuplicateNames == Reject && holds(issuers, created.RegisteredIssuerName) {
			p.s.world.apply(RuleRegisteredNameTwice)
			return invalidOperation(cmdletClass+cmdlet, fmt.Sprintf(
				"An issuer with the registered name %s exists.", created.RegisteredIssuerName))
		}
		f.change(now, func(t *trust) { t.issuers = append(t.issuers, created) })
		return nil
	})
}

func holds(issuers []TokenIssuer, registeredName string) bool {
	return slices.ContainsFunc(issuers, func(i TokenIssuer) bool { return i.RegisteredIssuerName == registeredName })
}

func (i *TokenIssuer) update(with IssuerParameters) {
	if with.Certificate != nil {
		i.Certificate = slices.Clone(with.Certificate)
	}
	assign(&i.RegisteredIssuerName, with.RegisteredIssuerName)
	assign(&i.Description, with.Description)
	i.TrustBroker = with.TrustBroker
}

// checkIssuer is what New- and Set- refuse alike.
func (p SharePoint) checkIssuer(cmdlet string, f *sharePointFarm, with IssuerParameters) error {
	if f.classic() && (with.Certificate == nil || with.RegisteredIssuerName == nil) {
		p.s.world.apply(RuleIssuerBinding)
		return binding(cmdletClass+cmdlet, "Parameter set cannot be resolved using the specified named parameters.")
	}
	if !with.Confirmed {
		p.s.world.apply(RuleHighImpactPrompts)
		return prompt()
	}
	if with.Certificate == nil {
		return nil
	}
	if _, err := x509.ParseCertificate(with.Certificate); err != nil {
		return cryptographic("Cannot find the requested object.", notFoundResult)
	}
	return nil
}

// SetTrustedSecurityTokenIssuer is Set-SPTrustedSecurityTokenIssuer: it
// changes an issuer in place.
func (p SharePoint) SetTrustedSecurityTokenIssuer(with IssuerParameters) error {
	const cmdlet = "SetTrustedSecurityTokenIssuer"
	return p.do(cmdlet, func(f *sharePointFarm, now time.Time) error {
		if err := p.checkIssuer(cmdlet, f, with); err != nil {
			return err
		}
		at := slices.IndexFunc(f.configured().issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Name) })
		if at < 0 {
			return p.noObject(cmdlet)
		}
		if f.configured().issuers[at].TrustBroker && !with.TrustBroker {
			p.s.world.apply(RuleTrustBroker)
		}
		f.change(now, func(t *trust) { t.issuers[at].update(with) })
		return nil
	})
}

// RemoveTrustedSecurityTokenIssuer is Remove-SPTrustedSecurityTokenIssuer.
func (p SharePoint) RemoveTrustedSecurityTokenIssuer(identity string, confirmed bool) error {
	const cmdlet = "RemoveTrustedSecurityTokenIssuer"
	return p.do(cmdlet, func(f *sharePointFarm, now time.Time) error {
		if !confirmed {
			p.s.world.apply(RuleHighImpactPrompts)
			return prompt()
		}
		named := func(i TokenIssuer) bool { return strings.EqualFold(i.Name, identity) }
		if !slices.ContainsFunc(f.configured().issuers, named) {
			return p.noObject(cmdlet)
		}
		f.change(now, func(t *trust) { t.issuers = slices.DeleteFunc(t.issuers, named) })
		return nil
	})
}

// AppPrincipal is an SPAppPrincipal.
type AppPrincipal struct{ NameIdentifier string }

// GetAppPrincipal is Get-SPAppPrincipal. A registered issuer has one.
func (p SharePoint) GetAppPrincipal(site, nameIdentifier string) (found AppPrincipal, err error) {
	const cmdlet = "GetAppPrincipal"
	err = p.do(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, site); err != nil {
			return err
		}
		if !slices.ContainsFunc(f.configured().issuers, func(i TokenIssuer) bool {
			return strings.EqualFold(i.RegisteredIssuerName, nameIdentifier)
		}) {
			p.s.world.apply(RuleIssuerMakesPrincipal)
			return invalidOperation(cmdletClass+cmdlet, "The app principal could not be found.")
		}
		found = AppPrincipal{NameIdentifier: strings.ToLower(nameIdentifier)}
		return nil
	})
	return found, err
}

func (p SharePoint) checkSite(cmdlet string, f *sharePointFarm, site string) error {
	same := func(known string) bool {
		return strings.EqualFold(strings.TrimSuffix(known, "/"), strings.TrimSuffix(site, "/"))
	}
	if !slices.ContainsFunc(f.Sites, same) {
		return p.noObject(cmdlet)
	}
	return nil
}

// The values of -Scope and -Right that the procedure uses.
const (
	SiteSubscription = "SiteSubscription"
	FullControl      = "FullControl"
)

// SetAppPrincipalPermission is Set-SPAppPrincipalPermission at the scope of
// the site subscription. All sites of a farm are in the same one.
func (p SharePoint) SetAppPrincipalPermission(principal AppPrincipal, site, scope, right string, appOnly bool) error {
	const cmdlet = "SetAppPrincipalPermission"
	return p.do(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, site); err != nil {
			return err
		}
		rights := []string{"Read", "Write", "Manage", FullControl}
		at := slices.IndexFunc(rights, func(known string) bool { return strings.EqualFold(known, right) })
		if at < 0 || !strings.EqualFold(scope, SiteSubscription) {
			return binding(cmdletClass+cmdlet, fmt.Sprintf("Cannot bind -Scope %s -Right %s.", scope, right))
		}
		p.s.world.apply(RulePermissionOfSubscription)
		granted := AppPermission{Right: rights[at], AppOnly: appOnly}
		if f.permissions[principal.NameIdentifier].AppOnly && !appOnly {
			p.s.world.apply(RuleAppOnlyStays)
			granted.AppOnly = true
		}
		f.permissions[principal.NameIdentifier] = granted
		return nil
	})
}

// RemoveAppPrincipalPermission is Remove-SPAppPrincipalPermission with
// -DisableAppOnlyPolicy, at the scope of the site subscription.
func (p SharePoint) RemoveAppPrincipalPermission(principal AppPrincipal, site string) error {
	const cmdlet = "RemoveAppPrincipalPermission"
	return p.do(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, site); err != nil {
			return err
		}
		delete(f.permissions, principal.NameIdentifier)
		return nil
	})
}

// AppPermission is what SPAppPrincipalPermissionsManager reads back: no
// cmdlet does.
func (p SharePoint) AppPermission(site, nameIdentifier string) (found AppPermission, err error) {
	const cmdlet = "GetAppPrincipal"
	err = p.do(cmdlet, func(f *sharePointFarm, _ time.Time) error {
		if err := p.checkSite(cmdlet, f, site); err != nil {
			return err
		}
		found = f.permissions[strings.ToLower(nameIdentifier)]
		return nil
	})
	return found, err
}
