package event

import (
	"fmt"
	"strings"
	"time"
)

// infisicalTypes begin the types of Infisical's CloudEvents; the second are those of
// newer versions.
const (
	infisicalTypes       = "com.infisical."
	infisicalPKI         = infisicalTypes + "pki.certificate."
	infisicalCertificate = infisicalTypes + "cert-manager.application.certificate."
)

func showsInfisical(_ Message, first map[string]any) bool {
	return strings.HasPrefix(object{fields: first}.scalar("type"), infisicalTypes)
}

// decodeInfisical reads the webhook of a certificate alert: a CloudEvent about several
// certificates, each of which becomes an event.
//
// Source: Infisical, "Webhook alerts" (PKI alerting, and the newer one of applications).
func decodeInfisical(m Message, _ Fields) (Batch, error) {
	records, err := readCloudEvents(m)
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	for _, o := range records {
		if err := b.addInfisical(o); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

// infisicalKinds are the last words of the types. An alert fires each day while a
// certificate expires soon, each time with an ID of its own.
func infisicalKinds() map[string]Kind {
	return map[string]Kind{"expiration": NearExpiry, "expiry": NearExpiry, "issuance": NewVersion, "renewal": NewVersion}
}

func (b *Batch) addInfisical(o object) error {
	e, err := readInfisicalEnvelope(o)
	if e.Kind == "" || err != nil {
		return b.add(o.place, e, err)
	}
	data, err := o.eventData()
	if err != nil {
		return err
	}
	list, read := "items", readInfisicalItem
	if strings.HasPrefix(o.scalar("type"), infisicalPKI) {
		list, read = "certificates", readInfisicalCertificate
	}
	certificates, err := data.array(list)
	if err != nil {
		return err
	}
	if len(certificates) == 0 {
		b.Passed = append(b.Passed, Passed{Place: memberPlace(data.place, list), Reason: "no certificate is listed"})
	}
	for _, c := range certificates {
		one := e
		id, err := c.requiredText("id")
		if err != nil {
			return err
		}
		one.ID += "/" + id
		if err := read(&one, c); err != nil {
			return err
		}
		if !one.NotAfter.IsZero() && !one.Time.IsZero() && one.Kind == NearExpiry && one.NotAfter.Before(one.Time) {
			one.Kind = Expired
		}
		b.Events = append(b.Events, one)
	}
	return nil
}

// readInfisicalEnvelope reads what all certificates of an event have in common.
func readInfisicalEnvelope(o object) (e Expiry, err error) {
	name, err := o.requiredText("type")
	if err != nil {
		return e, err
	}
	word, ok := strings.CutPrefix(name, infisicalPKI)
	if !ok {
		word, ok = strings.CutPrefix(name, infisicalCertificate)
	}
	kind, known := infisicalKinds()[word]
	if !ok || !known {
		return e, &Error{
			Place: memberPlace(o.place, "type"), Text: fmt.Sprintf("%.80q asks for nothing", name),
			Remedy: "choose alerts on expiration, issuance or renewal", Err: ErrUnknownType,
		}
	}
	if e.ID, err = o.requiredText("id"); err != nil {
		return e, err
	}
	if e.Source, err = o.requiredText("source"); err != nil {
		return e, err
	}
	if e.Time, err = o.optionalTime("time"); err != nil {
		return e, err
	}
	e.Kind = kind
	return e, nil
}

// readInfisicalCertificate reads a certificate of data.certificates.
func readInfisicalCertificate(e *Expiry, c object) (err error) {
	if e.NotAfter, err = c.optionalTime("notAfter"); err != nil {
		return err
	}
	e.addNames(c.scalar("commonName"))
	e.addNames(c.texts("san")...)
	return e.nameInfisical(c, "serialNumber", c.scalar("profileName"))
}

// readInfisicalItem reads a certificate of data.items, whose details are made for people
// to read: a list of labels with values.
func readInfisicalItem(e *Expiry, c object) error {
	details, err := c.array("fields")
	if err != nil {
		return err
	}
	e.addNames(c.scalar("title"))
	var profile string
	for _, detail := range details {
		switch value := detail.longText("value"); detail.scalar("label") {
		case "SANs":
			e.addNames(splitNames(value)...)
		case "Profile":
			profile = value
		case "Expires":
			// Another way to write the date leaves the event without one.
			if notAfter, err := time.Parse("January 2, 2006 at 3:04 PM UTC", value); err == nil {
				e.NotAfter = notAfter
			}
		}
	}
	return e.nameInfisical(c, "identifier", profile)
}

// nameInfisical reads the serial number of a certificate and what is made of its names.
func (e *Expiry) nameInfisical(c object, serial, profile string) error {
	text, err := c.requiredText(serial)
	if err != nil {
		return err
	}
	if err := e.setSerial(text); err != nil {
		return invalidError(memberPlace(c.place, serial), "is not a serial number", "send it in hexadecimal")
	}
	if len(e.Names) > 0 {
		e.Certificate = e.Names[0]
	}
	if isLabel(profile) {
		e.Labels = map[string]string{"profile": profile}
	}
	return nil
}
