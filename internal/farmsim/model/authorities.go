package model

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// GetTrustedRootAuthority is Get-SPTrustedRootAuthority.
func (p SharePoint) GetTrustedRootAuthority() (found []RootAuthority, err error) {
	err = p.onFarm("GetTrustedRootAuthority", func(f *sharePointFarm, _ time.Time) error {
		found = slices.Clone(f.configured().authorities)
		return nil
	})
	return found, err
}

// AuthorityParameters are those of New-SPTrustedRootAuthority.
type AuthorityParameters struct {
	Name        string
	Certificate []byte
	// Confirmed is -Confirm:$false.
	Confirmed bool
}

// NewTrustedRootAuthority is New-SPTrustedRootAuthority.
func (p SharePoint) NewTrustedRootAuthority(with AuthorityParameters) error {
	const cmdlet = "NewTrustedRootAuthority"
	return p.onFarm(cmdlet, func(f *sharePointFarm, now time.Time) error {
		p.s.noteChange()
		if !with.Confirmed {
			p.s.world.countRule(RuleHighImpactPrompts)
			return promptError()
		}
		if _, err := x509.ParseCertificate(with.Certificate); err != nil {
			p.s.world.countRule(RuleAuthorityOneCertificate)
			return invalidOperationError(cmdletClass+cmdlet, "The certificate must be one X509 certificate without a private key.")
		}
		if slices.ContainsFunc(f.configured().authorities, func(a RootAuthority) bool { return strings.EqualFold(a.Name, with.Name) }) {
			p.s.world.countRule(RuleAuthorityNameUnique)
			return duplicateName(cmdlet, "Microsoft.SharePoint.Administration.SPTrustedRootAuthority", with.Name)
		}
		f.changeTrust(now, func(t *trust) {
			t.authorities = append(t.authorities, RootAuthority{Name: with.Name, Certificate: slices.Clone(with.Certificate)})
		})
		return nil
	})
}

// RemoveTrustedRootAuthority is Remove-SPTrustedRootAuthority.
func (p SharePoint) RemoveTrustedRootAuthority(with Removal) error {
	const cmdlet = "RemoveTrustedRootAuthority"
	return p.onFarm(cmdlet, func(f *sharePointFarm, now time.Time) error {
		p.s.noteChange()
		if !with.Confirmed {
			p.s.world.countRule(RuleHighImpactPrompts)
			return promptError()
		}
		named := func(a RootAuthority) bool { return strings.EqualFold(a.Name, with.Identity) }
		if !slices.ContainsFunc(f.configured().authorities, named) {
			return p.noObject(cmdlet)
		}
		f.changeTrust(now, func(t *trust) { t.authorities = slices.DeleteFunc(t.authorities, named) })
		return nil
	})
}
