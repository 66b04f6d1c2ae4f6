package event

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// MaxBody is the largest body that is read, in bytes.
const MaxBody = 1 << 20

// maxRecords bounds the records of one message. Event Grid sends up to 5,000 in a
// batch if a subscription asks for it; ten fit the body of an ordinary one.
const maxRecords = 1000

// Message is what a source sent, before anything is known of it.
type Message struct {
	// Header is that of the HTTP request, or nil for a file or a queue.
	Header http.Header
	Body   []byte
}

// Batch is what a message holds.
type Batch struct {
	Events []Expiry
	// Passed are the records that ask for nothing.
	Passed []Passed
}

// Passed is a record that asks for nothing, and why: a resolved alert, or an event
// about something else.
type Passed struct {
	// Place is the record's place in the body, as in an [Error].
	Place  string `json:"place"`
	Reason string `json:"reason"`
}

// The content types of the CloudEvents JSON formats.
//
// Source: CloudEvents 1.0.2, "JSON Event Format", sections 3 and 4.
const (
	cloudEvent      = "application/cloudevents+json"
	cloudEventBatch = "application/cloudevents-batch+json"
)

// mediaType returns the media type of the body in lower case, empty if the sender
// names none.
func (m Message) mediaType() (string, error) {
	sent := m.Header.Get("Content-Type")
	if strings.TrimSpace(sent) == "" {
		return "", nil
	}
	name, parameters, err := mime.ParseMediaType(sent)
	if err != nil {
		return "", contentTypeError(fmt.Sprintf("%.80q cannot be read: %v", sent, err))
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", contentTypeError(fmt.Sprintf("character set %.80q is not understood", charset))
	}
	return name, nil
}

// parseJSON reads a body that is one JSON document. SNS and some log shippers call
// JSON plain text.
func (m Message) parseJSON() (any, error) {
	name, err := m.mediaType()
	if err != nil {
		return nil, err
	}
	if name != "" && name != "application/json" && name != "text/plain" && !strings.HasSuffix(name, "+json") {
		return nil, contentTypeError(fmt.Sprintf("%.80q is not understood", name))
	}
	return parseJSON(wholeBody, m.Body)
}

func contentTypeError(text string) error {
	return &Error{
		Place: "content type", Text: text,
		Remedy: "send application/json, or for CloudEvents " + cloudEvent + " or " + cloudEventBatch, Err: ErrContentType,
	}
}

// listRecords returns the records of a document: its elements if it is an array, else
// itself. Microsoft's own samples show a single CloudEvent in an array, so the shape
// and not the content type decides whether there are several.
func listRecords(place string, document any) ([]object, error) {
	list, several := document.([]any)
	if !several {
		o, err := asObject(place, document)
		return []object{o}, err
	}
	if len(list) == 0 {
		return nil, invalidError(place, "holds no event", "send at least one")
	}
	if len(list) > maxRecords {
		return nil, tooManyRecords(place, len(list))
	}
	records := make([]object, len(list))
	for i, v := range list {
		var err error
		if records[i], err = asObject(elementPlace(place, i), v); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func tooManyRecords(place string, count int) error {
	return &Error{
		Place: place, Text: fmt.Sprintf("holds %d events, more than %d", count, maxRecords),
		Remedy: "send fewer events at once", Err: ErrTooLarge,
	}
}

func asObject(place string, v any) (object, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return object{}, invalidError(place, "is not a JSON object", "send an event, or an array of events")
	}
	return object{place: place, fields: o}, nil
}

// decodeRecords reads each record. One of an unknown type is passed over; any other
// error refuses the whole message, so that its sender keeps it.
func decodeRecords(records []object, decode func(object) (Expiry, error)) (b Batch, err error) {
	for _, o := range records {
		e, err := decode(o)
		if err := b.add(o.place, e, err); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

// add takes the result of reading a record, and returns the error unless it only says
// that the record is about something else.
func (b *Batch) add(place string, e Expiry, err error) error {
	var bad *Error
	switch {
	case err == nil:
		b.Events = append(b.Events, e)
	case errors.As(err, &bad) && bad.Err == ErrUnknownType: //nolint:errorlint // Err is one of ours
		b.Passed = append(b.Passed, Passed{Place: place, Reason: bad.Text + "; " + bad.Remedy})
	default:
		return err
	}
	return nil
}
