package controller

import (
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Interest is which expiry events concern a farm. Its controller shows it as its memo, so
// that events find the farm without its configuration and without a worker.
type Interest struct {
	// Certificates are those that the farm uses, will use and has used of late, as they
	// were seen on its servers and in its source; the newest first.
	Certificates []farm.CertificateIdentity `json:"certificates,omitempty"`
	// Events are the matches that the farm's configuration has.
	Events []farm.EventMatch `json:"events,omitempty"`
}

// maxCertificates bounds the certificates that a controller knows: the one in use, the
// next one, and some before. Temporal warns of a memo that is larger than 2 KiB.
const maxCertificates = 4

// noteInspection takes what an inspection has found. Certificates of earlier inspections
// stay known, and so does what it did not show of them.
func (i *Interest) noteInspection(n farm.Inspection) {
	if n.Config.Name != "" {
		i.Events = n.Config.Certificate.Events
	}
	known := i.Certificates
	i.Certificates = nil
	for _, c := range slices.Concat(n.Certificates, known) {
		if c.Thumbprint != "" {
			i.addCertificate(c)
		}
	}
	i.Certificates = i.Certificates[:min(len(i.Certificates), maxCertificates)]
}

func (i *Interest) addCertificate(c farm.CertificateIdentity) {
	at := slices.IndexFunc(i.Certificates, func(k farm.CertificateIdentity) bool { return k.Thumbprint == c.Thumbprint })
	switch {
	case at < 0:
		i.Certificates = append(i.Certificates, c)
	case i.Certificates[at].SHA256 == "":
		i.Certificates[at] = c // the same one, as it was once seen whole
	}
}
