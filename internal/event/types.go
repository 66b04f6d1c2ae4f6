package event

import (
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// eventType is a type of event that is understood. A name that begins with a dot is
// a suffix: the reverse domain name of the type's owner precedes it.
type eventType struct {
	name string
	kind Kind
	read func(*Expiry, object) error
}

func eventTypes() []eventType {
	return []eventType{
		{"Microsoft.KeyVault.CertificateNearExpiry", NearExpiry, readKeyVault},
		{"Microsoft.KeyVault.CertificateExpired", Expired, readKeyVault},
		{"Microsoft.KeyVault.CertificateNewVersionCreated", NewVersion, readKeyVault},
		{".certificate.near-expiry.v1", NearExpiry, readGeneric},
		{".certificate.expired.v1", Expired, readGeneric},
		{".certificate.new-version.v1", NewVersion, readGeneric},
	}
}

func typeNamed(name string) (eventType, bool) {
	for _, t := range eventTypes() {
		owner, ends := strings.CutSuffix(name, t.name)
		if ends && (owner != "") == strings.HasPrefix(t.name, ".") {
			return t, true
		}
	}
	return eventType{}, false
}

func knownTypes() string {
	var names []string
	for _, t := range eventTypes() {
		if strings.HasPrefix(t.name, ".") {
			names = append(names, "..."+t.name)
		} else {
			names = append(names, t.name)
		}
	}
	return strings.Join(names, ", ")
}

// readGeneric reads farmtrust's own event: data may hold farm, thumbprintSha1 and
// notAfter. If it names no farm, its source and subject are matched.
func readGeneric(e *Expiry, o object) error {
	d, err := o.eventData()
	if err != nil {
		return err
	}
	e.Vault = e.Source
	if e.Certificate, err = o.optionalText("subject"); err != nil {
		return err
	}
	if e.Farm, err = d.optionalText("farm"); err != nil {
		return err
	}
	if e.NotAfter, err = d.optionalTime("notAfter"); err != nil {
		return err
	}
	text, err := d.optionalText("thumbprintSha1")
	if err != nil || text == "" {
		return err
	}
	if e.Thumbprint, err = farm.ParseThumbprint(text); err != nil {
		return invalidError(memberPlace(d.place, "thumbprintSha1"), "is not 40 hexadecimal digits", "send the certificate's SHA-1 thumbprint")
	}
	return nil
}
