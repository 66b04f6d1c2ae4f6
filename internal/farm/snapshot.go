package farm

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Snapshot is the state found before the first change of a rotation, and the
// certificate that the rotation worked towards. Together with a fresh observation
// it says what the rotation changed.
type Snapshot struct {
	TakenAt time.Time   `json:"takenAt"`
	Target  Certificate `json:"target"`
	// Previous is the certificate in use before; empty at first set-up.
	Previous StoreCertificate `json:"previous"`
	Before   Observed         `json:"before"`
	// Compromised says that Previous must never be trusted again.
	Compromised bool `json:"compromised,omitempty"`
	// Deleting says that the deletion of Previous from office servers has begun.
	Deleting bool `json:"deleting,omitempty"`
}

// Replaces reports whether the rotation was from one certificate to another, and
// not the first set-up or a repair.
func (j Snapshot) Replaces() bool {
	return j.Previous.Thumbprint != "" && j.Previous.Thumbprint != j.Target.Thumbprint
}

// RollbackBlocked says why the rotation must not be undone now; empty when it may. A
// certificate that is compromised, or that has ended by the clock of some
// server, is never restored.
func (j Snapshot) RollbackBlocked(now Observed) string {
	if j.Compromised {
		return fmt.Sprintf("the previous certificate %s is compromised: it is never restored", j.Previous.Thumbprint.Short())
	}
	return expiredReason(j, now)
}

// AddedAuthorities are the root authorities of the target's chain that the
// SharePoint farm of a front end did not have before: those that the rotation
// added.
func (j Snapshot) AddedAuthorities(frontEnd string) []ChainCertificate {
	before, _ := j.Before.Farm(frontEnd)
	return slices.DeleteFunc(slices.Clone(j.Target.RootAuthorities()), func(c ChainCertificate) bool { return before.Trusts(c.Thumbprint) })
}

// expiredReason says which certificate of the snapshot has expired by some
// server's clock; nothing when all are still valid.
func expiredReason(j Snapshot, now Observed) string {
	for _, m := range now.allMachines() {
		if p := j.Previous; p.Thumbprint != "" && m.Clock.After(p.NotAfter) {
			return fmt.Sprintf("the previous certificate %s ended at %s: an expired certificate is never restored", p.Thumbprint.Short(), formatTime(p.NotAfter))
		}
		for _, f := range j.Before.SharePoint {
			for _, i := range f.Issuers {
				if c, err := x509.ParseCertificate(i.Certificate); err == nil && m.Clock.After(c.NotAfter) {
					return fmt.Sprintf("the previous certificate %s of issuer %q ended at %s: an expired certificate is never restored", i.Thumbprint.Short(), i.Name, formatTime(c.NotAfter))
				}
			}
		}
	}
	return ""
}
