package event

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

func showsCloudEvents(m Message, first map[string]any) bool {
	return first["specversion"] != nil || isBinary(m)
}

// decodeCloudEvents reads CloudEvents 1.0 over HTTP: structured, binary, or a batch.
// Unknown attributes are ignored, as CloudEvents demands.
//
// Source: CloudEvents 1.0.2, "HTTP Protocol Binding", section 3.
func decodeCloudEvents(m Message, _ Fields) (Batch, error) {
	records, err := readCloudEvents(m)
	if err != nil {
		return Batch{}, err
	}
	return decodeRecords(records, fromCloudEvent)
}

// readCloudEvents returns the CloudEvents of a message as structured mode has them.
func readCloudEvents(m Message) ([]object, error) {
	if isBinary(m) {
		return readBinary(m)
	}
	document, err := m.parseJSON()
	if err != nil {
		return nil, err
	}
	return listRecords(wholeBody, document)
}

// isBinary reports whether the attributes of a CloudEvent are in the header.
func isBinary(m Message) bool {
	return m.Header.Get("Ce-Specversion") != "" && !strings.HasPrefix(strings.ToLower(m.Header.Get("Content-Type")), "application/cloudevents")
}

// readBinary puts the attributes of a header and the data of the body together.
func readBinary(m Message) ([]object, error) {
	e := object{place: wholeBody, fields: map[string]any{}}
	for name, values := range m.Header {
		attribute, ok := strings.CutPrefix(http.CanonicalHeaderKey(name), "Ce-")
		if !ok {
			continue
		}
		place := "header " + http.CanonicalHeaderKey(name)
		if len(values) != 1 {
			return nil, invalidError(place, "occurs more than once", "send each attribute once")
		}
		// Values are percent-encoded where they are not plain ASCII.
		//
		// Source: CloudEvents 1.0.2, "HTTP Protocol Binding", section 3.1.3.2.
		value, err := url.PathUnescape(values[0])
		if err != nil {
			value = values[0]
		}
		e.fields[strings.ToLower(attribute)] = value
	}
	data, err := m.parseJSON()
	if err != nil {
		return nil, err
	}
	e.fields["data"] = data
	return []object{e}, nil
}

// fromCloudEvent reads a CloudEvent.
//
// Source: CloudEvents 1.0.2, "REQUIRED Attributes".
func fromCloudEvent(o object) (Expiry, error) {
	version, err := o.requiredText("specversion")
	if err != nil {
		return Expiry{}, err
	}
	if version != "1.0" {
		return Expiry{}, invalidError(memberPlace(o.place, "specversion"), fmt.Sprintf("is %.40q", version), "send CloudEvents 1.0")
	}
	return fromEnvelope(o, "source", "type", "time")
}

// fromEnvelope reads what CloudEvents and the Event Grid schema have under different
// names.
func fromEnvelope(o object, source, kind, when string) (e Expiry, err error) {
	if e.ID, err = o.requiredText("id"); err != nil {
		return Expiry{}, err
	}
	if e.Source, err = o.requiredText(source); err != nil {
		return Expiry{}, err
	}
	if e.Time, err = o.optionalTime(when); err != nil {
		return Expiry{}, err
	}
	name, err := o.requiredText(kind)
	if err != nil {
		return Expiry{}, err
	}
	t, ok := typeNamed(name)
	if !ok {
		return Expiry{}, &Error{
			Place: memberPlace(o.place, kind), Text: fmt.Sprintf("%.80q is not about the expiry of a certificate", name),
			Remedy: suggestTypes(name), Err: ErrUnknownType,
		}
	}
	e.Kind = t.kind
	return e, t.read(&e, o)
}

// eventData returns the event's own part, without blanks around its names:
// Microsoft's samples have "ObjectName ".
func (o object) eventData() (object, error) {
	place, v := memberPlace(o.place, "data"), o.fields["data"]
	if encoded, ok := o.fields["data_base64"].(string); ok && v == nil {
		place = memberPlace(o.place, "data_base64")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return object{}, invalidError(place, "is not base64", "send JSON under data")
		}
		if v, err = parseJSON(place, raw); err != nil {
			return object{}, err
		}
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return object{}, invalidError(place, "is missing or not a JSON object", "send the certificate's details there")
	}
	trimmed := make(map[string]any, len(fields))
	for name, v := range fields {
		name = strings.TrimSpace(name)
		if _, repeated := trimmed[name]; repeated {
			return object{}, invalidError(memberPlace(place, name), "occurs twice, apart from blanks", sendStrictJSON)
		}
		trimmed[name] = v
	}
	return object{place: place, fields: trimmed}, nil
}
