package farm

import (
	"fmt"
	"slices"
)

// RefreshDoubt says why a data refresh fails, or may fail, as of what was observed;
// empty when each office server signs with the certificate that each SharePoint server
// trusts. It goes by what processes have loaded, as far as that shows: a setting that
// nobody has loaded yet does no harm.
//
// It does not ask whether the trust is as desired: while a rotation is half done it may
// work with either certificate.
func (o Observed) RefreshDoubt() string {
	accepted, doubt := o.acceptedCertificate()
	if doubt != "" {
		return doubt
	}
	for _, s := range o.Office {
		host := s.Machine.Host
		if stopped := s.StoppedServices(); len(stopped) > 0 {
			return host + ": " + notRunning(stopped, nil)
		}
		signs, known := s.signsWith()
		switch {
		case !known:
			return fmt.Sprintf("%s: which certificate it has loaded is not known until it is restarted", host)
		case signs != accepted:
			return fmt.Sprintf("%s signs with %s, and SharePoint trusts %s", host, textOrNone(signs.Short()), textOrNone(accepted.Short()))
		}
		if why := s.whyUnusable(signs); why != "" {
			return fmt.Sprintf("%s: the certificate %s, which it signs with, %s", host, signs.Short(), why)
		}
	}
	return ""
}

// IsSetUp reports whether anything of the trust is there: an issuer, or the name of a
// certificate.
func (o Observed) IsSetUp() bool {
	for _, f := range o.SharePoint {
		if len(f.Issuers) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(o.Office, func(s OfficeServer) bool { return s.Settings.S2SCertificateName != "" })
}

// IsInUse reports whether every office farm names a certificate, and every issuer of
// every SharePoint farm holds it: whether it is set everywhere, loaded or not.
func (o Observed) IsInUse(c Certificate) bool {
	for _, m := range o.Masters() {
		if !m.namesS2S(c.FriendlyName) {
			return false
		}
	}
	for _, f := range o.SharePoint {
		for _, i := range Issuers() {
			if issuer, _ := f.Issuer(i.RegisteredName); issuer.Thumbprint != c.Thumbprint {
				return false
			}
		}
	}
	return len(o.SharePoint) > 0
}

// acceptedCertificate returns the certificate that all SharePoint servers have loaded
// for both issuers, or why there is none.
func (o Observed) acceptedCertificate() (accepted Thumbprint, doubt string) {
	for _, f := range o.SharePoint {
		for _, i := range Issuers() {
			issuer, ok := f.Issuer(i.RegisteredName)
			switch {
			case !ok:
				return "", fmt.Sprintf("%s: there is no issuer for %s", f.FrontEnd, i.Product)
			case accepted != "" && issuer.Thumbprint != accepted:
				return "", fmt.Sprintf("%s: the issuer of %s holds %s, another holds %s", f.FrontEnd, i.Product, issuer.Thumbprint.Short(), accepted.Short())
			}
			accepted = issuer.Thumbprint
		}
		if p, ok := findFirst(f.Permissions, func(p AppPermission) bool { return p.Right != FullControl || !p.AppOnly }); ok {
			return "", fmt.Sprintf("%s: %s has no app-only full control at %s", f.FrontEnd, p.RegisteredName, p.Site)
		}
		for _, s := range f.Servers {
			if why := pendingSharePointRestart(s, false, f.TrustChangedAt()); why != "" {
				return "", s.Machine.Host + ": " + why
			}
		}
	}
	return accepted, ""
}

// signsWith returns the certificate that an office server has loaded: that of the note
// of its last restart while the same process runs, or else the one that its settings
// select, unless its processes are older than those.
func (s OfficeServer) signsWith() (Thumbprint, bool) {
	if s.Loaded != nil && sameMoment(s.Loaded.Service, s.Service.StartedAt) {
		return s.Loaded.Thumbprint, startedBefore(s.Loaded.Since, "", s.Service, s.WorkersStartedAt) == ""
	}
	selected, ok := s.Selected()
	return selected.Thumbprint, ok && pendingOfficeRestart(s, false, trustChange{}) == ""
}
