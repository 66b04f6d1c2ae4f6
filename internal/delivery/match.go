package delivery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// Source is who brought an event.
type Source struct {
	// Name is that of a source in the configuration; empty for a file on a command line.
	Name string
	// Farms hear every event of the source, whatever it is about; empty where each event
	// is for the farms that it concerns.
	Farms []string
}

// concernedFarms returns the farms of the index that an event concerns, by name: those of
// its source, else the one that it names, else those whose configuration matches it or
// that use its certificate. Only where no farm is known by the certificate's own numbers
// does its subject or a name of it count: other certificates may have the same.
func concernedFarms(e event.Expiry, from Source, all *register) []listener {
	wanted := from.Farms
	if len(wanted) == 0 && e.Farm != "" {
		wanted = []string{e.Farm}
	}
	if len(wanted) > 0 {
		return filter(all.farms, func(_ int, l listener) bool {
			return slices.ContainsFunc(wanted, func(name string) bool { return strings.EqualFold(name, l.farm.Name()) })
		})
	}
	numbered := all.numbers.find(numbersOf(e)...)
	found := filter(all.farms, func(i int, l listener) bool {
		return slices.ContainsFunc(l.Events, func(m farm.EventMatch) bool { return matchesEvent(m, e, from.Name) }) ||
			numbered[i] && slices.ContainsFunc(l.Certificates, func(c farm.CertificateIdentity) bool { return isNumbered(c, e) })
	})
	if len(found) > 0 {
		return found
	}
	named := all.names.find(namesOf(e.Subject, e.Names)...)
	return filter(all.farms, func(i int, l listener) bool {
		return named[i] && slices.ContainsFunc(l.Certificates, func(c farm.CertificateIdentity) bool { return isNamed(c, e) })
	})
}

func filter(all []listener, keep func(int, listener) bool) (kept []listener) {
	for i, l := range all {
		if keep(i, l) {
			kept = append(kept, l)
		}
	}
	return kept
}

// matchesEvent reports whether an event has all that a match demands.
func matchesEvent(m farm.EventMatch, e event.Expiry, source string) bool {
	like := func(want, got string) bool { return want == "" || strings.EqualFold(want, got) }
	return !m.IsZero() && like(m.Vault, e.Vault) && like(m.Certificate, e.Certificate) && like(m.ARN, e.ARN) && like(m.Source, source) &&
		hasLabels(e, m.Labels) && matchesCertificate(m, e)
}

// hasLabels reports whether an event has all of these labels.
func hasLabels(e event.Expiry, all map[string]string) bool {
	for name, want := range all {
		if got, ok := e.Labels[name]; !ok || got != want {
			return false
		}
	}
	return true
}

// matchesCertificate reports whether an event is about a certificate that is as demanded.
func matchesCertificate(m farm.EventMatch, e event.Expiry) bool {
	return (m.Thumbprint == "" || m.Thumbprint == string(e.Thumbprint) || m.Thumbprint == e.SHA256) &&
		(len(m.Serials) == 0 || overlap(m.Serials, e.Serials)) &&
		(m.Subject == "" || farm.SameSubject(m.Subject, e.Subject)) &&
		(m.Name == "" || overlap([]string{m.Name}, e.Names))
}

// isNumbered reports whether an event is about a certificate by a hash or the serial
// number of it. A serial number is unique only among the certificates of one issuer, so
// that a hash or names that differ outweigh it.
func isNumbered(c farm.CertificateIdentity, e event.Expiry) bool {
	switch {
	case e.Thumbprint != "":
		return e.Thumbprint == c.Thumbprint
	case e.SHA256 != "" && c.SHA256 != "":
		return e.SHA256 == c.SHA256
	}
	otherName := len(e.Names) > 0 && len(c.Names) > 0 && !isNamed(c, e)
	return c.Serial != "" && slices.Contains(e.Serials, c.Serial) && !otherName
}

// isNamed reports whether an event is about a certificate of this name.
func isNamed(c farm.CertificateIdentity, e event.Expiry) bool {
	if e.Subject != "" && c.Subject != "" && farm.SameSubject(e.Subject, c.Subject) {
		return true
	}
	return overlap(e.Names, c.Names)
}

// overlap reports whether two lists have an element in common, in either case.
func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(x, y) })
	})
}

// explainMiss says why no farm hears an event, and what to do.
func explainMiss(e event.Expiry, from Source) string {
	if e.Farm != "" {
		return fmt.Sprintf("%s names farm %.100q, which no worker has in its configuration: correct the name, or add the farm", e, e.Farm)
	}
	return fmt.Sprintf("%s concerns no farm: none was seen to use this certificate, and no farm's certificate.events match it; "+
		"to have a farm hear it, add %s to its certificate.events", e, suggestMatch(e, from))
}

// suggestMatch writes the match that an event would have.
func suggestMatch(e event.Expiry, from Source) string {
	var keys []string
	add := func(key, value string) {
		if value != "" && len(keys) < 2 {
			keys = append(keys, fmt.Sprintf("%s: %.200q", key, value))
		}
	}
	add("vault", e.Vault)
	add("certificate", e.Certificate)
	add("arn", e.ARN)
	add("thumbprint", string(e.Thumbprint))
	add("thumbprint", e.SHA256)
	if len(e.Serials) > 0 {
		add("serial", "0x"+e.Serials[0])
	}
	add("subject", e.Subject)
	if len(e.Names) > 0 {
		add("name", e.Names[0])
	}
	add("source", from.Name)
	return "{" + strings.Join(keys, ", ") + "}"
}
