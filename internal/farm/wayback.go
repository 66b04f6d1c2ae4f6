package farm

import (
	"fmt"
	"slices"
	"strings"
)

// serviceReaders are the accounts by which NETWORK SERVICE may read a key: itself,
// Everyone, Authenticated Users, and Users, which includes those.
// Source: Microsoft, Well-known SIDs.
var serviceReaders = []string{NetworkService, "S-1-1-0", "S-1-5-11", "S-1-5-32-545"}

// PreviousOn returns the certificate that the settings of an office server named
// before the rotation, be it archived, as where the rotation before it was aborted
// between the two; the zero value where its office farm had none.
func (s Snapshot) PreviousOn(host string) StoreCertificate {
	before := s.Before.OfficeServer(host)
	settings, _ := s.Before.SettingsOf(before.OfficeFarm)
	name := settings.S2SCertificateName
	switch named := before.Named(name); {
	case len(named) > 0:
		return named[0]
	case strings.EqualFold(name, s.Previous.FriendlyName):
		return s.Previous
	}
	archived, _ := findFirst(before.Certificates, func(c StoreCertificate) bool { return name != "" && strings.EqualFold(c.FriendlyName, name) })
	return archived
}

// findUnusable finds the office servers that could not use the certificate that a
// rollback restores. One that is archived is no obstacle: the rollback unarchives it.
func (s Snapshot) findUnusable(now Observed) []Finding {
	var out []Finding
	for _, server := range now.Office {
		previous := s.PreviousOn(server.Machine.Host).Thumbprint
		if !server.Machine.Elevated || previous == "" || previous == s.Target.Thumbprint {
			continue
		}
		if why := server.whyUnusable(previous); why != "" {
			out = append(out, warnFinding("no-way-back", server.Machine.Host,
				"import that certificate there with its key, and let NETWORK SERVICE read it; or go on without a way back",
				"the previous certificate %s %s: the rotation cannot be rolled back", previous.Short(), why))
		}
	}
	return out
}

// whyUnusable says why Office Online Server could not sign with a certificate if
// its settings named it; empty when it could.
func (s OfficeServer) whyUnusable(t Thumbprint) string {
	c, ok := s.Certificate(t)
	switch {
	case !ok:
		return "is not in the Personal store"
	case !c.HasKey:
		return "is there without its key"
	case !c.isReadable():
		return "has a key that NETWORK SERVICE cannot read"
	case !c.KeySigns:
		return "has a key that does not sign in the way that Office Online Server needs"
	}
	return ""
}

// isReadable reports whether Office Online Server can read the certificate's key.
func (c StoreCertificate) isReadable() bool {
	return c.HasKey && slices.ContainsFunc(serviceReaders, c.ReadableBy)
}

// NoWayBack names an office server that could not use the certificate that a
// rollback restores, and says why; empty when all could.
func (s Snapshot) NoWayBack(now Observed) string {
	if unusable := s.findUnusable(now); len(unusable) > 0 {
		return fmt.Sprintf("%s: %s", unusable[0].Server, unusable[0].Text)
	}
	return ""
}

// readableCertificates lists the certificates whose keys Office Online Server can read.
func (s OfficeServer) readableCertificates() []Thumbprint {
	var out []Thumbprint
	for _, c := range s.Certificates {
		if c.isReadable() {
			out = append(out, c.Thumbprint)
		}
	}
	return out
}

// NoWayBackAsOf says why a rollback could not restore the certificate before, as of an
// inspection, which does not try whether its key signs; empty when it could.
func (s Snapshot) NoWayBackAsOf(n Inspection) string {
	for _, server := range n.Servers {
		previous := s.PreviousOn(server.Host).Thumbprint
		if server.Role != OfficeRole || !server.Machine.Elevated || previous == "" || previous == s.Target.Thumbprint {
			continue
		}
		if !slices.Contains(server.Readable, previous) {
			return fmt.Sprintf("%s could not use the previous certificate %s: import it there with its key, and let NETWORK SERVICE read it", server.Host, previous.Short())
		}
	}
	return ""
}

// CheckRollback warns before a rotation starts where it could not be rolled back.
func CheckRollback(s Snapshot, now Observed) []Finding {
	if s.RollbackBlocked(now) != "" {
		return nil
	}
	return s.findUnusable(now)
}

// Proves reports whether every office server was observed to sign with a
// certificate.
func (o Observed) Proves(t Thumbprint) bool {
	return !slices.ContainsFunc(o.Office, func(s OfficeServer) bool { return s.whyUnusable(t) != "" })
}

// blockedAt says why a rollback is blocked, as a plan shows it.
func blockedAt(f Finding) Finding {
	return stopFinding("rollback-blocked", f.Server, "import that certificate there with its key, let NETWORK SERVICE read it, and retry; or rotate to a newer certificate", "%s", f.Text)
}

// restoresCertificate reports whether a plan restores the previous certificate
// anywhere, and does not only remove what was staged.
func (p RollbackPlan) restoresCertificate() bool {
	return len(withoutVisible(selectSteps(p.Reversals, StepRestoreIssuers, StepRestoreS2SName, StepReplicationAgain))) > 0
}
