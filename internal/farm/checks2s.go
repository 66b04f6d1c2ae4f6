package farm

import (
	"fmt"
	"slices"
	"strings"
)

// The findings about what an office farm is called by that [Decide] tells apart.
const (
	// FindingNameDangling: no visible certificate bears the S2S name.
	FindingNameDangling = "s2s-name-dangling"
	// FindingNameLost: there is none, although SharePoint trusts a certificate that
	// the office farm has.
	FindingNameLost = "s2s-name-lost"
	// FindingNeverSet: there is none in one of several office farms.
	FindingNeverSet = "s2s-never-set"
	// FindingCertificatesDiffer: the office farms use different certificates.
	FindingCertificatesDiffer = "s2s-certificates-differ"
)

// settingsFile is where each machine of an office farm keeps its copy of the farm's
// settings. Source: sharepointpain.com, 2025.
const settingsFile = `C:\ProgramData\Microsoft\OfficeWebApps\Data\FarmState\settings.xml`

// checkS2SNames checks that the S2S name selects one certificate on every office
// server: Office Online Server selects by friendly name alone, and WACSM does not
// start where it finds none or several.
func checkS2SNames(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, s := range o.Office {
		name := s.Settings.S2SCertificateName
		named := s.Named(name)
		switch {
		case !s.Joined || name == "":
		case len(named) == 0:
			out = append(out, warnFinding(FindingNameDangling, s.Machine.Host, "rotate, which sets a name that a certificate bears; until then do not restart WACSM, which would not start",
				"S2SCertificateName in its %s is %q, but no visible certificate in its Personal store has that friendly name; there are: %s", settingsFile, name, s.friendlyNames()))
		case len(named) > 1:
			out = append(out, stopFinding("s2s-name-ambiguous", s.Machine.Host, "find out which one SharePoint's issuers hold, and give each of the others another friendly name",
				"the friendly name %q, which S2SCertificateName selects, belongs to %d certificates in its Personal store: %s", name, len(named), listThumbprints(named)))
		}
	}
	return out
}

// friendlyNames lists the names under which the server has certificates.
func (s OfficeServer) friendlyNames() string {
	var names []string
	for _, c := range s.Certificates {
		name := fmt.Sprintf("%q", c.FriendlyName)
		if c.Archived {
			name += " (archived)"
		}
		if c.FriendlyName != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return textOrNone(strings.Join(names, ", "))
}

func listThumbprints(certificates []StoreCertificate) string {
	var all []string
	for _, c := range certificates {
		all = append(all, c.Thumbprint.Short())
	}
	return strings.Join(all, ", ")
}

// checkOfficesAgree checks that all office farms use one certificate: SharePoint
// knows them by the same registered names, and each name has one certificate.
func checkOfficesAgree(_ Desired, o Observed) []Finding {
	var out []Finding
	for _, master := range o.Masters() {
		if master.Joined && master.Settings.S2SCertificateName == "" {
			out = append(out, checkUnnamed(o, master)...)
		}
	}
	return append(out, checkOneCurrent(o)...)
}

// checkUnnamed tells an office farm that has lost its S2S name from one that never
// had any. That none has is how every first set-up begins, and no finding.
// Source: Microsoft, "Apply software updates to Office Online Server": the farm is
// removed and created again, by New-OfficeWebAppsFarm, which takes
// -S2SCertificateName.
func checkUnnamed(o Observed, master OfficeServer) []Finding {
	if c, ok := o.trustedBy(master); ok {
		return []Finding{warnFinding(FindingNameLost, master.Machine.Host, "rotate, which sets the name again; next time give New-OfficeWebAppsFarm -S2SCertificateName",
			"its office farm has no S2SCertificateName, although SharePoint trusts %s (%q), which is in its Personal store: the office farm has lost the name, as happens when Microsoft's update procedure re-creates the farm",
			c.Thumbprint.Short(), c.FriendlyName)}
	}
	named := func(m OfficeServer) bool { return m.Settings.S2SCertificateName != "" }
	if !slices.ContainsFunc(o.Masters(), named) {
		return nil
	}
	return []Finding{warnFinding(FindingNeverSet, master.Machine.Host, "rotate, which gives it the certificate of the other office farms or a newer one",
		"its office farm has no S2SCertificateName: SharePoint does not trust it yet")}
}

// trustedBy returns the visible certificate of an office server that a trusted token
// issuer of SharePoint holds.
func (o Observed) trustedBy(s OfficeServer) (StoreCertificate, bool) {
	return findFirst(s.Certificates, func(c StoreCertificate) bool {
		return !c.Archived && slices.ContainsFunc(o.SharePoint, func(f SharePointFarm) bool {
			return slices.ContainsFunc(Issuers(), func(i Issuer) bool {
				t, ok := f.Issuer(i.RegisteredName)
				return ok && t.Thumbprint == c.Thumbprint
			})
		})
	})
}

func checkOneCurrent(o Observed) []Finding {
	var used []string
	thumbprints := map[Thumbprint]bool{}
	for _, master := range o.Masters() {
		if named := master.Named(master.Settings.S2SCertificateName); len(named) == 1 {
			thumbprints[named[0].Thumbprint] = true
			used = append(used, fmt.Sprintf("%s on %s", named[0].Thumbprint.Short(), master.Machine.Host))
		}
	}
	if len(thumbprints) < 2 {
		return nil
	}
	return []Finding{warnFinding(FindingCertificatesDiffer, "", "rotate, which gives all office farms one certificate",
		"the office farms use different certificates (%s): SharePoint trusts one of them only, so that data refresh fails from the others", strings.Join(used, ", "))}
}
