package model

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Store is a certificate store of the local machine.
type Store string

// The stores that the procedure concerns.
const (
	My   Store = "My"
	CA   Store = "CA"
	Root Store = "Root"
)

// Certificate is a certificate in a store, as Windows shows it.
type Certificate struct {
	Thumbprint   farm.Thumbprint
	FriendlyName string
	Subject      string
	NotBefore    time.Time
	NotAfter     time.Time
	DER          []byte
	// Archived certificates are shown only to those who ask for them.
	Archived bool
	// Key is nil for a certificate without a private key.
	Key *Key
}

// Key tells of a private key all but the key.
type Key struct {
	Provider   string
	Container  string
	File       string
	CreatedAt  time.Time
	Readers    []string
	Exportable bool
}

type entry struct {
	cert         *x509.Certificate
	thumbprint   farm.Thumbprint
	friendlyName string
	archived     bool
	key          *privateKey
}

func (e *entry) showEntry() Certificate {
	c := Certificate{
		Thumbprint: e.thumbprint, FriendlyName: e.friendlyName, Subject: distinguishedName(e.cert.Subject),
		NotBefore: e.cert.NotBefore, NotAfter: e.cert.NotAfter, DER: slices.Clone(e.cert.Raw),
		Archived: e.archived,
	}
	if e.key != nil {
		c.Key = e.key.showKey()
	}
	return c
}

// distinguishedName writes a name as .NET does: RFC 2253 order, blanks after
// commas, quotes round values with a comma.
func distinguishedName(name pkix.Name) string {
	var parts []string
	for _, rdn := range slices.Backward(name.ToRDNSequence()) {
		one := pkix.RDNSequence{rdn}.String()
		if strings.Contains(one, `\,`) {
			key, value, _ := strings.Cut(one, "=")
			one = key + `="` + strings.ReplaceAll(value, `\,`, ",") + `"`
		}
		parts = append(parts, one)
	}
	return strings.Join(parts, ", ")
}

func (m *machine) findEntry(store Store, thumbprint farm.Thumbprint) *entry {
	i := slices.IndexFunc(m.stores[store], func(e *entry) bool { return e.thumbprint == thumbprint })
	if i < 0 {
		return nil
	}
	return m.stores[store][i]
}

func (m *machine) entriesNamed(store Store, friendlyName string) []*entry {
	var found []*entry
	for _, e := range m.stores[store] {
		if strings.EqualFold(e.friendlyName, friendlyName) {
			found = append(found, e)
		}
	}
	return found
}

// Certificates lists a store without its archived certificates.
func (s *Session) Certificates(store Store) (found []Certificate, err error) {
	err = s.perform(func(time.Time) error {
		for _, e := range s.world.visibleEntries(s.m.stores[store]) {
			found = append(found, e.showEntry())
		}
		return nil
	})
	return found, err
}

// AddToStore is X509Store.Add with the public part of a certificate. Adding
// what is there changes nothing.
func (s *Session) AddToStore(store Store, der []byte) (changed bool, err error) {
	return s.AddCertificate(store, Certificate{DER: der})
}

// AddCertificate is X509Store.Add. Of c it takes the certificate, the friendly
// name, whether it is archived, and the file of the key. The store keeps one copy of a certificate,
// which gets the new key; adding what is there without a key changes nothing.
func (s *Session) AddCertificate(store Store, c Certificate) (changed bool, err error) {
	err = s.change(func(time.Time) error {
		cert, err := x509.ParseCertificate(c.DER)
		if err != nil {
			return cryptographicError("Cannot find the requested object.", notFoundResult)
		}
		e := s.m.findEntry(store, farm.ThumbprintOf(c.DER))
		if changed = e == nil || c.Key != nil; !changed {
			return nil
		}
		if e == nil {
			e = &entry{cert: cert, thumbprint: farm.ThumbprintOf(c.DER), archived: c.Archived}
			s.m.stores[store] = append(s.m.stores[store], e)
		}
		if c.Key != nil {
			if e.key = s.m.keys[c.Key.File]; e.key == nil {
				return badKeyset()
			}
		}
		if c.FriendlyName != "" {
			e.friendlyName = c.FriendlyName
		}
		return nil
	})
	return changed, err
}

// RemoveFromStore removes a certificate, and reports whether it was there. Its
// key file stays, as with X509Store.Remove.
func (s *Session) RemoveFromStore(store Store, thumbprint farm.Thumbprint) (changed bool, err error) {
	err = s.change(func(time.Time) error {
		before := len(s.m.stores[store])
		if e := s.m.findEntry(store, thumbprint); e != nil && e.key != nil && !e.key.lost {
			s.world.countRule(RuleKeyOutlivesCertificate)
		}
		s.m.stores[store] = slices.DeleteFunc(s.m.stores[store], func(e *entry) bool { return e.thumbprint == thumbprint })
		changed = len(s.m.stores[store]) != before
		return nil
	})
	return changed, err
}

// SetFriendlyName sets the friendly name of the copy in a store. Windows lets
// any number of certificates have the same.
func (s *Session) SetFriendlyName(store Store, thumbprint farm.Thumbprint, friendlyName string) error {
	return s.change(func(time.Time) error {
		e := s.m.findEntry(store, thumbprint)
		if e == nil {
			return noCertificate(store, thumbprint)
		}
		e.friendlyName = friendlyName
		return nil
	})
}

func noCertificate(store Store, thumbprint farm.Thumbprint) *Error {
	return &Error{
		ID:       "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
		Message:  fmt.Sprintf(`Cannot find path 'Cert:\LocalMachine\%s\%s' because it does not exist.`, store, thumbprint),
		Category: "ObjectNotFound", Exception: ItemNotFoundException,
		HResult: notFoundResult,
	}
}
