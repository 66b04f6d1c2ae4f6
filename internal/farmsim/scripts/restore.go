package scripts

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim/model"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func restoreTrustedIssuer(s *model.Session, p powershell.RestoreTrustedIssuer, _ [][]byte) (r powershell.RestoreIssuerResult, err error) {
	r.Permissions = []string{}
	if _, err := reachFarm(s); err != nil {
		return r, err
	}
	found, err := findIssuer(s, p.RegisteredName)
	if err != nil {
		return r, err
	}
	held, wanted := farm.Thumbprint(""), farm.Thumbprint("")
	if found != nil {
		held = found.Thumbprint()
	}
	if len(p.Previous) > 0 {
		wanted = farm.ThumbprintOf(p.Previous)
	}
	if held != wanted && string(held) != p.Ours {
		return r, stopScript("ChangedSince", "the issuer %s has certificate '%s', neither '%s' nor '%s'", p.RegisteredName, held, p.Ours, wanted)
	}
	for _, was := range p.Permissions {
		restored, err := restorePermission(s, p.RegisteredName, found, was)
		if err != nil {
			return r, err
		}
		if restored {
			r.Permissions = append(r.Permissions, was.Site)
		}
	}
	due := held != wanted
	r.Updated, r.Removed = due && wanted != "", due && wanted == ""
	r.Changed = due || len(r.Permissions) > 0
	switch {
	case r.Removed:
		err = s.SharePoint().RemoveTrustedSecurityTokenIssuer(model.Removal{Identity: found.Name, Confirmed: true})
	case r.Updated:
		before := powershell.SetTrustedIssuer{RegisteredName: p.RegisteredName, Certificate: p.Previous}
		found.Description = p.Description
		err = updateIssuer(s, before, *found)
	}
	return r, err
}

// samePermission reports whether two permissions are the same; without a right,
// the rest is nothing.
func samePermission(one model.AppPermission, other powershell.SitePermission) bool {
	return one.Right == other.Right && (one.Right == "" || one.AppOnly == other.AppOnly)
}

// restorePermission is the script's Restore-AppPermission.
func restorePermission(s *model.Session, registeredName string, found *model.TokenIssuer, was powershell.SitePermission) (restored bool, err error) {
	shell := s.SharePoint()
	now, err := shell.AppPermission(was.Site, registeredName)
	if err != nil || samePermission(now, was) {
		return false, err
	}
	ours := model.AppPermission{Right: model.FullControl, AppOnly: true}
	between := now.Right == "" && !samePermission(ours, was)
	if now != ours && !between {
		return false, stopScript("ChangedSince", "the app permission of %s at %s is '%s': neither full control without a user nor '%s'",
			registeredName, was.Site, now.Right, was.Right)
	}
	app, err := shell.GetAppPrincipal(model.PrincipalParameters{Site: was.Site, NameIdentifier: registeredName})
	var refused *model.Error
	if found == nil && errors.As(err, &refused) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if now.Right != "" {
		removal := model.PermissionParameters{
			Site: was.Site, AppPrincipal: app.NameIdentifier, Scope: model.SiteSubscription, DisableAppOnlyPolicy: true,
		}
		if err := shell.RemoveAppPrincipalPermission(removal); err != nil {
			return false, err
		}
	}
	if was.Right != "" {
		return true, shell.SetAppPrincipalPermission(model.PermissionParameters{
			Site: was.Site, AppPrincipal: app.NameIdentifier, Scope: model.SiteSubscription, Right: was.Right, EnableAppOnlyPolicy: was.AppOnly,
		})
	}
	return true, nil
}

func removeRootAuthority(s *model.Session, p powershell.RemoveRootAuthority, _ [][]byte) (r powershell.RemoveRootResult, err error) {
	r.Removed, r.Kept = []string{}, []string{}
	if _, err := reachFarm(s); err != nil {
		return r, err
	}
	issuers, err := s.SharePoint().GetTrustedSecurityTokenIssuer()
	if err != nil {
		return r, err
	}
	existing, err := s.SharePoint().GetTrustedRootAuthority()
	if err != nil {
		return r, err
	}
	for _, a := range existing {
		if strings.EqualFold(a.Name, "local") || !slices.Contains(p.Thumbprints, string(a.Thumbprint())) {
			continue
		}
		needy := slices.IndexFunc(issuers, func(i model.TokenIssuer) bool {
			return !containsFold(p.RegisteredNames, i.RegisteredIssuerName) && isInChain(a.Certificate, i.Certificate, existing)
		})
		if needy >= 0 {
			r.Kept = append(r.Kept, fmt.Sprintf("'%s', which issuer '%s' needs", a.Name, issuers[needy].Name))
			continue
		}
		if err := s.SharePoint().RemoveTrustedRootAuthority(model.Removal{Identity: a.Name, Confirmed: true}); err != nil {
			return r, err
		}
		r.Removed = append(r.Removed, a.Name)
	}
	r.Changed = len(r.Removed) > 0
	return r, nil
}

// isInChain is the prelude's Test-Chain: chains are found by name.
func isInChain(authority, certificate []byte, among []model.RootAuthority) bool {
	link, err := x509.ParseCertificate(certificate)
	for range len(among) + 1 {
		if err != nil {
			return false
		}
		if bytes.Equal(link.Raw, authority) {
			return true
		}
		next := slices.IndexFunc(among, func(a model.RootAuthority) bool {
			c, err := x509.ParseCertificate(a.Certificate)
			return err == nil && bytes.Equal(c.RawSubject, link.RawIssuer)
		})
		if next < 0 {
			return false
		}
		link, err = x509.ParseCertificate(among[next].Certificate)
	}
	return false
}

func restoreS2SCertificateName(s *model.Session, p powershell.RestoreS2SCertificateName, _ [][]byte) (r powershell.RestoreNameResult, err error) {
	r.Marked = []string{}
	if err := errorsFirst(assertElevated, importOffice, assertMaster)(s); err != nil {
		return r, err
	}
	settings, err := s.Office().GetOfficeWebAppsFarm()
	now := settings.S2SCertificateName
	if err != nil {
		return r, err
	}
	if now != p.Previous && now != p.Ours {
		return r, stopScript("ChangedSince", "the farm's S2S certificate name is '%s', neither '%s' nor '%s'", now, p.Ours, p.Previous)
	}
	if err := assertReplaceable(s, p.Archive); err != nil {
		return r, err
	}
	if err := markArchived(s, p.Unarchive, false, &r.Marked); err != nil {
		return r, err
	}
	if r.Changed = now != p.Previous; r.Changed {
		if err := restoreName(s, p, &r); err != nil || r.ClearRefused {
			return r, err
		}
	}
	return r, markArchived(s, p.Archive, true, &r.Marked)
}

// restoreName sets the name of before, and archives what was unarchived for it
// where the product refuses.
func restoreName(s *model.Session, p powershell.RestoreS2SCertificateName, r *powershell.RestoreNameResult) error {
	err := s.Office().SetOfficeWebAppsFarm(model.SetFarm{S2SCertificateName: &p.Previous, Force: true})
	if err == nil {
		return nil
	}
	r.Changed = false
	undone := markArchived(s, r.Marked, true, nil)
	var refused *model.Error
	if p.Previous == "" && errors.As(err, &refused) {
		r.ClearRefused, r.Reason, r.Marked = true, refused.Message, []string{}
		return undone
	}
	return errors.Join(err, undone)
}
