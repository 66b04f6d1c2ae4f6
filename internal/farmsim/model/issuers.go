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
	err = p.onFarm("GetTrustedSecurityTokenIssuer", func(f *sharePointFarm, _ time.Time) error {
		found = slices.Clone(f.configured().issuers)
		return nil
	})
	return found, err
}

// NewTrustedSecurityTokenIssuer is New-SPTrustedSecurityTokenIssuer.
func (p SharePoint) NewTrustedSecurityTokenIssuer(with IssuerParameters) error {
	const cmdlet = "NewTrustedSecurityTokenIssuer"
	return p.onFarm(cmdlet, func(f *sharePointFarm, now time.Time) error {
		p.s.noteChange()
		if err := p.checkIssuer(cmdlet, f, with); err != nil {
			return err
		}
		if with.Certificate == nil {
			return bindingError(cmdletClass+cmdlet, "Parameter set cannot be resolved using the specified named parameters.")
		}
		issuers := f.configured().issuers
		if slices.ContainsFunc(issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Name) }) {
			p.s.world.countRule(RuleIssuerNameUnique)
			return duplicateName(cmdlet, "Microsoft.SharePoint.Administration.Claims.SPTrustedSecurityTokenService", with.Name)
		}
		created := TokenIssuer{Name: with.Name}
		created.applyParameters(with)
		if p.s.world.policy.DuplicateNames == Reject && holdsRegisteredName(issuers, created.RegisteredIssuerName) {
			p.s.world.countRule(RuleRegisteredNameTwice)
			return invalidOperationError(cmdletClass+cmdlet, fmt.Sprintf(
				"An issuer with the registered name %s exists.", created.RegisteredIssuerName))
		}
		f.changeTrust(now, func(t *trust) { t.issuers = append(t.issuers, created) })
		return nil
	})
}

func holdsRegisteredName(issuers []TokenIssuer, registeredName string) bool {
	return slices.ContainsFunc(issuers, func(i TokenIssuer) bool { return i.RegisteredIssuerName == registeredName })
}

func (i *TokenIssuer) applyParameters(with IssuerParameters) {
	if with.Certificate != nil {
		i.Certificate = slices.Clone(with.Certificate)
	}
	setIfGiven(&i.RegisteredIssuerName, with.RegisteredIssuerName)
	setIfGiven(&i.Description, with.Description)
	i.TrustBroker = with.IsTrustBroker
}

// checkIssuer is what New- and Set- refuse alike.
func (p SharePoint) checkIssuer(cmdlet string, f *sharePointFarm, with IssuerParameters) error {
	if f.usesSnapIn() && (with.Certificate == nil || with.RegisteredIssuerName == nil) {
		p.s.world.countRule(RuleIssuerBinding)
		return bindingError(cmdletClass+cmdlet, "Parameter set cannot be resolved using the specified named parameters.")
	}
	if !with.Confirmed {
		p.s.world.countRule(RuleHighImpactPrompts)
		return promptError()
	}
	if with.Certificate == nil {
		return nil
	}
	if _, err := x509.ParseCertificate(with.Certificate); err != nil {
		return cryptographicError("Cannot find the requested object.", notFoundResult)
	}
	return nil
}

// SetTrustedSecurityTokenIssuer is Set-SPTrustedSecurityTokenIssuer: it
// changes an issuer in place.
func (p SharePoint) SetTrustedSecurityTokenIssuer(with IssuerParameters) error {
	const cmdlet = "SetTrustedSecurityTokenIssuer"
	return p.onFarm(cmdlet, func(f *sharePointFarm, now time.Time) error {
		p.s.noteChange()
		if err := p.checkIssuer(cmdlet, f, with); err != nil {
			return err
		}
		at := slices.IndexFunc(f.configured().issuers, func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Identity) })
		if at < 0 {
			return p.noObject(cmdlet)
		}
		if f.configured().issuers[at].TrustBroker && !with.IsTrustBroker {
			p.s.world.countRule(RuleTrustBroker)
		}
		f.changeTrust(now, func(t *trust) { t.issuers[at].applyParameters(with) })
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
	return p.onFarm(cmdlet, func(f *sharePointFarm, now time.Time) error {
		p.s.noteChange()
		if !with.Confirmed {
			p.s.world.countRule(RuleHighImpactPrompts)
			return promptError()
		}
		named := func(i TokenIssuer) bool { return strings.EqualFold(i.Name, with.Identity) }
		if !slices.ContainsFunc(f.configured().issuers, named) {
			return p.noObject(cmdlet)
		}
		f.changeTrust(now, func(t *trust) { t.issuers = slices.DeleteFunc(t.issuers, named) })
		return nil
	})
}
