package event

import (
	"fmt"
	"mime"
	"strings"
)

// MaxBody is the largest body that is read, in bytes.
const MaxBody = 1 << 20

// The content types of the CloudEvents JSON formats.
//
// Source: CloudEvents 1.0.2, "JSON Event Format", sections 3 and 4.
const (
	cloudEvent      = "application/cloudevents+json"
	cloudEventBatch = "application/cloudevents-batch+json"
)

// Decode reads the expiry events of a body: CloudEvents 1.0 in structured JSON, one
// or a batch, or the Event Grid schema. The content type may be empty and may have
// parameters. If any event is not understood the result is an [*Error]; unknown
// attributes of an event are ignored, as CloudEvents demands.
func Decode(contentType string, body []byte) ([]Expiry, error) {
	if len(body) > MaxBody {
		return nil, &Error{
			Place: wholeBody, Text: fmt.Sprintf("is %d bytes, more than %d", len(body), MaxBody),
			Remedy: "send fewer events at once", Err: ErrTooLarge,
		}
	}
	onlyCloudEvents, err := checkContentType(contentType)
	if err != nil {
		return nil, err
	}
	document, err := parseJSON(wholeBody, body)
	if err != nil {
		return nil, err
	}
	// Microsoft's own samples show a single CloudEvent in an array, so the shape
	// and not the content type decides whether it is one event or several.
	list, several := document.([]any)
	if !several {
		e, err := decodeOne(wholeBody, document, onlyCloudEvents)
		if err != nil {
			return nil, err
		}
		return []Expiry{e}, nil
	}
	if len(list) == 0 {
		return nil, invalidError(wholeBody, "holds no event", "send at least one")
	}
	events := make([]Expiry, len(list))
	for i, v := range list {
		if events[i], err = decodeOne(elementPlace(wholeBody, i), v, onlyCloudEvents); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// checkContentType reports whether the content type promises CloudEvents.
func checkContentType(contentType string) (onlyCloudEvents bool, err error) {
	if strings.TrimSpace(contentType) == "" {
		return false, nil
	}
	unknown := func(text string) error {
		return &Error{
			Place: "content type", Text: text,
			Remedy: "send " + cloudEvent + ", " + cloudEventBatch + " or application/json", Err: ErrContentType,
		}
	}
	name, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false, unknown(fmt.Sprintf("%.80q cannot be read: %v", contentType, err))
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return false, unknown(fmt.Sprintf("character set %.80q is not understood", charset))
	}
	switch name {
	case cloudEvent, cloudEventBatch:
		return true, nil
	case "application/json":
		return false, nil
	default:
		return false, unknown(fmt.Sprintf("%.80q is not understood", name))
	}
}

// decodeOne reads one event, in the schema that its attributes show.
func decodeOne(place string, document any, onlyCloudEvents bool) (Expiry, error) {
	o, ok := document.(map[string]any)
	if !ok {
		return Expiry{}, invalidError(place, "is not a JSON object", "send an event, or an array of events")
	}
	envelope := object{place: place, fields: o}
	_, isCloudEvent := o["specversion"]
	_, isGridEvent := o["eventType"]
	var read func(object) (Expiry, error)
	switch {
	case isCloudEvent || onlyCloudEvents:
		read = fromCloudEvent
	case isGridEvent:
		read = fromGridEvent
	default:
		return Expiry{}, &Error{
			Place: place, Text: "is neither a CloudEvent (no specversion) nor an Event Grid event (no eventType)",
			Remedy: "send CloudEvents 1.0 in structured JSON", Err: ErrUnknownType,
		}
	}
	return read(envelope)
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

// fromGridEvent reads an event of the Event Grid schema.
//
// Source: Microsoft, "Azure Event Grid event schema".
func fromGridEvent(o object) (Expiry, error) {
	return fromEnvelope(o, "topic", "eventType", "eventTime")
}

// fromEnvelope reads what both schemas have under different names.
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
			Remedy: "subscribe only to " + knownTypes(), Err: ErrUnknownType,
		}
	}
	e.Kind = t.kind
	return e, t.read(&e, o)
}
