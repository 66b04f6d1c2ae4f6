package model

import (
	"maps"
	"slices"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// AllCertificates lists a store with its archived certificates.
func (s *Session) AllCertificates(store Store) (found []Certificate, err error) {
	err = s.perform(func(time.Time) error {
		for _, e := range s.m.stores[store] {
			found = append(found, e.showEntry())
		}
		return nil
	})
	return found, err
}

// Archive marks a certificate of Personal archived, or takes the mark off.
func (s *Session) Archive(thumbprint farm.Thumbprint, archived bool) error {
	return s.change(func(time.Time) error {
		e := s.m.findEntry(My, thumbprint)
		if e == nil {
			return noCertificate(My, thumbprint)
		}
		e.archived = archived
		return nil
	})
}

// BindTLS is netsh http add sslcert: http.sys serves an address with a
// certificate.
func (s *Session) BindTLS(address string, thumbprint farm.Thumbprint) error {
	return s.change(func(time.Time) error {
		s.m.bindings[address] = thumbprint
		return nil
	})
}

// TLSBindings is netsh http show sslcert: certificates by address.
func (s *Session) TLSBindings() (found map[string]farm.Thumbprint, err error) {
	err = s.perform(func(time.Time) error {
		found = maps.Clone(s.m.bindings)
		return nil
	})
	return found, err
}

// Listen gives the WinRM listener for HTTPS a certificate.
func (s *Session) Listen(thumbprint farm.Thumbprint) error {
	return s.change(func(time.Time) error {
		s.m.listener = thumbprint
		return nil
	})
}

// Listener is the certificate of the WinRM listener for HTTPS; empty without
// one.
func (s *Session) Listener() (thumbprint farm.Thumbprint, err error) {
	err = s.performElevated(func(time.Time) error {
		thumbprint = s.m.listener
		return nil
	})
	return thumbprint, err
}

// NameCertificate gives a certificate to WinRM's service or to Remote Desktop, each
// by its use; an empty thumbprint takes it away.
func (s *Session) NameCertificate(use CertificateUse, thumbprint farm.Thumbprint) error {
	return s.change(func(time.Time) error {
		s.m.named[use] = thumbprint
		return nil
	})
}

// CertificateUse is something of Windows that has one certificate.
type CertificateUse string

// What has a certificate, beside http.sys and WinRM's listener.
const (
	// WinRMService is the thumbprint of WinRM's service.
	WinRMService CertificateUse = "WinRM service"
	// RemoteDesktop is that of Remote Desktop's listener.
	RemoteDesktop CertificateUse = "Remote Desktop"
)

// NamedCertificate is what something of Windows has; empty for none.
func (s *Session) NamedCertificate(use CertificateUse) (thumbprint farm.Thumbprint, err error) {
	err = s.performElevated(func(time.Time) error {
		thumbprint = s.m.named[use]
		return nil
	})
	return thumbprint, err
}

// CentralStore is the folder of IIS's central certificate store; empty when it is
// not in use.
func (s *Session) CentralStore() (folder string, err error) {
	err = s.perform(func(time.Time) error {
		folder = s.m.CentralStore
		return nil
	})
	return folder, err
}

// visibleEntries are the certificates of a store that are shown to those who do not
// ask for archived ones.
func (w *World) visibleEntries(entries []*entry) []*entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool {
		if e.archived {
			w.countRule(RuleArchivedHidden)
		}
		return e.archived
	})
}
