package event

import "strings"

// eventType is a type of event that is understood. A name that begins with a dot is
// a suffix: the reverse domain name of the type's owner precedes it.
type eventType struct {
	name string
	kind Kind
	read func(*Expiry, object) error
}

// microsoft begins the types of Microsoft's services.
const microsoft = "Microsoft."

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

// suggestTypes is the remedy for a type that is not understood: the types of Microsoft for
// one of Microsoft, farmtrust's own for any other.
func suggestTypes(name string) string {
	remedy, want := "send a type that ends in ", "."
	if strings.HasPrefix(name, microsoft) {
		remedy, want = "subscribe only to ", microsoft
	}
	var names []string
	for _, t := range eventTypes() {
		if strings.HasPrefix(t.name, want) {
			names = append(names, t.name)
		}
	}
	return remedy + strings.Join(names, ", ")
}

// readGeneric reads farmtrust's own event: data may hold farm, notAfter and what
// identifies the certificate. If it names no farm, its source and subject are matched.
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
	return readIdentity(e, d)
}

// readIdentity reads what else may tell which certificate a generic event is about.
func readIdentity(e *Expiry, d object) (err error) {
	r := &fieldReader{record: d}
	e.Subject, e.ARN = r.text("subject"), r.text("arn")
	r.parse("thumbprintSha256", "send the certificate's SHA-256 thumbprint", e.setFingerprint)
	r.parse("thumbprintSha1", "send the certificate's SHA-1 thumbprint", e.setFingerprint)
	r.parse("serialNumberHex", "send the certificate's serial number", func(text string) error {
		return e.setSerial("0x" + strings.TrimPrefix(strings.ToLower(text), "0x"))
	})
	Fields{Names: "names"}.readNames(r, e)
	return r.err
}
