package farm

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Snapshot is the state before the first change of a rotation, and the
// certificate that the rotation worked towards. Compared with a fresh
// observation, it shows what the rotation changed.
type Snapshot struct {
	// TakenAt is on the worker's clock.
	TakenAt time.Time   `json:"takenAt"`
	Target  Certificate `json:"target"`
	// Previous is the certificate in use before; empty at first set-up.
	Previous StoreCertificate `json:"previous"`
	Before   Observed         `json:"before"`
	// Compromised reports whether Previous must never be trusted again.
	Compromised bool `json:"compromised,omitempty"`
	// ClearRefused names the office farms that, in the rollback, refused to have no
	// S2S certificate: their setting and what it names stay.
	ClearRefused []string `json:"clearRefused,omitempty"`
	// Deleting reports whether the deletion of Previous from office servers has
	// begun.
	Deleting bool `json:"deleting,omitempty"`
}

// Replaces reports whether the rotation went from one certificate to another, and
// was not the first set-up or a repair.
func (s Snapshot) Replaces() bool {
	return s.Previous.Thumbprint != "" && s.Previous.Thumbprint != s.Target.Thumbprint
}

// WasClearRefused reports whether an office farm, given by name, refused to have no
// S2S certificate.
func (s Snapshot) WasClearRefused(officeFarm string) bool {
	return slices.Contains(s.ClearRefused, officeFarm)
}

// NamedTarget reports whether the settings of an office server had the target's name
// before the rotation, as when it repaired what was deleted there. Then a rollback
// leaves the certificate: without it WACSM would not start.
func (s Snapshot) NamedTarget(host string) bool {
	settings, _ := s.Before.SettingsOf(s.Before.OfficeServer(host).OfficeFarm)
	return settings.S2SCertificateName == s.Target.FriendlyName
}

// RollbackBlocked says why the rotation must not be rolled back now; empty when it
// may be. A certificate that is compromised, or that has expired by the clock of
// any server, is never restored; nor is one while an office farm was not part of the
// rotation. Whether it could be used is another matter: see [Snapshot.NoWayBack].
func (s Snapshot) RollbackBlocked(now Observed) string {
	if s.Compromised {
		return fmt.Sprintf("the previous certificate %s is compromised: it is never restored", s.Previous.Thumbprint.Short())
	}
	if why := s.unknownOfficeReason(now); why != "" {
		return why
	}
	return s.expiredReason(now)
}

// HasExpired reports whether a certificate of the snapshot has expired by the clock
// of any server.
func (s Snapshot) HasExpired(now Observed) bool { return s.expiredReason(now) != "" }

// unknownOfficeReason names an office farm that was not observed before the
// rotation; empty when all were. What it used then is unknown, and restoring the
// issuers alone would break it.
func (s Snapshot) unknownOfficeReason(now Observed) string {
	before := s.Before.GroupedAs(now)
	for _, master := range now.Masters() {
		if _, ok := before.SettingsOf(master.OfficeFarm); !ok {
			return fmt.Sprintf("the office farm of %s was not part of the rotation: there is no state before it to restore", master.Machine.Host)
		}
	}
	return ""
}

// AddedAuthorities returns the root authorities that the rotation added to the
// SharePoint farm of a front end: those of the target that it did not have before.
func (s Snapshot) AddedAuthorities(frontEnd string) []ChainCertificate {
	before, _ := s.Before.Farm(frontEnd)
	return slices.DeleteFunc(slices.Clone(s.Target.RootAuthorities()), func(c ChainCertificate) bool { return before.Trusts(c.Thumbprint) })
}

// ExpiredAt says that the previous certificate has expired by a clock; empty while it
// has not, and where there is none.
func (s Snapshot) ExpiredAt(clock time.Time) string {
	if p := s.Previous; p.Thumbprint != "" && clock.After(p.NotAfter) {
		return fmt.Sprintf("the previous certificate %s expired on %s: an expired certificate is never restored", p.Thumbprint.Short(), FormatTime(p.NotAfter))
	}
	return ""
}

// expiredReason says which certificate of the snapshot has expired by the clock of
// any server; empty when all are still valid.
func (s Snapshot) expiredReason(now Observed) string {
	for _, m := range now.allMachines() {
		if why := s.ExpiredAt(m.Clock); why != "" {
			return why
		}
		for _, f := range s.Before.SharePoint {
			for _, i := range f.Issuers {
				if c, err := x509.ParseCertificate(i.Certificate); err == nil && m.Clock.After(c.NotAfter) {
					return fmt.Sprintf("the previous certificate %s of issuer %q expired on %s: an expired certificate is never restored", i.Thumbprint.Short(), i.Name, FormatTime(c.NotAfter))
				}
			}
		}
	}
	return ""
}
