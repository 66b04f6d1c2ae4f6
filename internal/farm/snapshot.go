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
	// Staged reports whether it is known that no more than staging was done: then the way
	// back touches nothing that users notice. A rotation says so at its end, so one that
	// was terminated counts as cut over.
	Staged bool `json:"staged,omitempty"`
	// Asked is the office farm as it was configured then, which says what HTTP settings
	// the rotation was to set. It is nil in a snapshot of an earlier version.
	Asked *Office `json:"asked,omitempty"`
	// Deleting reports whether the deletion of Previous from office servers has
	// begun.
	Deleting bool `json:"deleting,omitempty"`

	// ID names the snapshot; Farm and Run are whose it is: the run ID that the rotation was
	// started with. All that follows is empty in a snapshot of a version that sealed
	// nothing.
	ID   string `json:"id,omitempty"`
	Farm string `json:"farm,omitempty"`
	Run  string `json:"run,omitempty"`
	// Office and SharePoint are what a way back restores, by server; each is sealed by
	// itself.
	Office     []OfficeBefore     `json:"office,omitempty"`
	SharePoint []SharePointBefore `json:"sharePoint,omitempty"`
	// CutOver is the worker's word that the cutover of the rotation was permitted; empty
	// while it was not.
	CutOver string `json:"cutOver,omitempty"`
	// Seal is the worker's, over everything but what a run notes later: Staged,
	// ClearRefused, Deleting and CutOver. A new field that is sealed is left out of the
	// JSON while it is empty: else older snapshots could not be checked any more.
	Seal string `json:"seal,omitempty"`
}

// WithoutNotes returns what is sealed of a snapshot.
func (s Snapshot) WithoutNotes() Snapshot {
	s.Staged, s.ClearRefused, s.Deleting, s.CutOver, s.Seal = false, nil, false, "", ""
	return s
}

// Replaces reports whether the rotation went from one certificate to another, and
// was not the first set-up or a repair.
func (s Snapshot) Replaces() bool {
	return s.Previous.Thumbprint != "" && s.Previous.Thumbprint != s.Target.Thumbprint
}

// IsRenewal reports whether the rotation brought another certificate into use, as the
// first set-up does too, and a repair does not.
func (s Snapshot) IsRenewal() bool { return s.Previous.Thumbprint != s.Target.Thumbprint }

// IsOf reports whether two snapshots are of one rotation: the later one carried the
// earlier one on. Nil is of none.
func (s *Snapshot) IsOf(other *Snapshot) bool {
	return s != nil && other != nil && s.TakenAt.Equal(other.TakenAt) && s.Target.Thumbprint == other.Target.Thumbprint
}

// onlyAsked returns an office farm as it is configured now, without the HTTP settings
// that the rotation was not asked to set.
func (s Snapshot) onlyAsked(office Office) Office {
	asked, ok := s.askedOf(office.Name)
	if ok && asked.AllowOutboundHTTP == nil {
		office.AllowOutboundHTTP = nil
	}
	if ok && asked.AllowHTTPSecureStoreConnections == nil {
		office.AllowHTTPSecureStoreConnections = nil
	}
	return office
}

// askedOf returns an office farm as it was configured when the rotation began; false
// where that is not known.
func (s Snapshot) askedOf(officeFarm string) (Office, bool) {
	if s.Asked == nil {
		return Office{}, false
	}
	return findFirst(append([]Office{*s.Asked}, s.Asked.Others...), func(o Office) bool { return o.Name == officeFarm })
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
