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
	// Name is the name of a new issuer, Identity that of one to change.
	Name, Identity       string
	Certificate          []byte
	RegisteredIssuerName *string
	Description          *string
	// IsTrustBroker is a switch: not given is false.
	IsTrustBroker bool
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
	i.TrustBroker = with.IsTrustBroker
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
		at := slices.IndexFunc(f.configured().issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Identity) })
		if at < 0 {
			return p.noObject(cmdlet)
		}
		if f.configured().issuers[at].TrustBroker && !with.IsTrustBroker {
			p.s.world.apply(RuleTrustBroker)
		}
		f.change(now, func(t *trust) { t.issuers[at].update(with) })
		return nil
	})
}

// Removal are the parameters of a cmdlet that removes what has a name.
type Removal struct {
	Identity string
	// Confirmed is -Confirm:$false.
	Confirmed bool
}

// RemoveTrustedSecurityTokenIssuer is Remove-SPTrustedSecurityTokenIssuer.
func (p SharePoint) RemoveTrustedSecurityTokenIssuer(with Removal) error {
	const cmdlet = "RemoveTrustedSecurityTokenIssuer"
	return p.do(cmdlet, func(f *sharePointFarm, now time.Time) error {
		if !with.Confirmed {
			p.s.world.apply(RuleHighImpactPrompts)
			return prompt()
		}
		named := func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Identity) }
		if !slices.ContainsFunc(f.configured().issuers, named) {
			return p.noObject(cmdlet)
		}
		f.change(now, func(t *trust) { t.issuers = slices.DeleteFunc(t.issuers, named) })
		return nil
	})
}
