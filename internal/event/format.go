package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Format says how a source writes its events.
type Format string

// The formats, each named for the program that sends it.
const (
	// Azure is what Event Grid sends for Key Vault, in either of its schemas.
	Azure Format = "azure"
	// AWS is what EventBridge and SNS send for Certificate Manager.
	AWS Format = "aws"
	// Alertmanager is the webhook of Prometheus Alertmanager, version 4.
	Alertmanager Format = "alertmanager"
	// Windows is an event of a Windows event log, as log shippers send it.
	Windows Format = "windows"
	// CertManager is what watchers of Kubernetes send for cert-manager.
	CertManager Format = "cert-manager"
	// Infisical is the webhook of a PKI alert of Infisical.
	Infisical Format = "infisical"
	// CloudEvents is any CloudEvent 1.0 of a known type: structured, binary or a batch.
	CloudEvents Format = "cloudevents"
	// Generic is JSON of any shape, which [Fields] describes.
	Generic Format = "generic"
)

// decoder reads one format.
type decoder struct {
	format Format
	// shows reports whether a body is of this format by what it holds, given its
	// first JSON object, or nil if it does not begin with one. It is nil where
	// nothing shows it.
	shows  func(m Message, first map[string]any) bool
	decode func(Message, Fields) (Batch, error)
}

// decoders lists the formats in the order of the documentation; where a body could be
// of several, the first counts.
func decoders() []decoder {
	return []decoder{
		{Azure, showsAzure, decodeAzure},
		{AWS, showsAWS, decodeAWS},
		{Alertmanager, showsAlertmanager, decodeAlertmanager},
		{Windows, showsWindows, decodeWindows},
		{CertManager, showsCertManager, decodeCertManager},
		{Infisical, showsInfisical, decodeInfisical},
		{CloudEvents, showsCloudEvents, decodeCloudEvents},
		{Generic, nil, decodeGeneric},
	}
}

// Formats lists all formats, in the order of the documentation.
func Formats() []Format {
	var all []Format
	for _, d := range decoders() {
		all = append(all, d.format)
	}
	return all
}

// Decode reads the events of a message. With an empty format, what the body shows
// decides, as for a file. An error is an [*Error], and nothing of the message counts;
// fields are for [Generic] alone.
func Decode(f Format, m Message, fields Fields) (Batch, error) {
	if len(m.Body) > MaxBody {
		return Batch{}, &Error{
			Place: wholeBody, Text: fmt.Sprintf("is %d bytes, more than %d", len(m.Body), MaxBody),
			Remedy: "send fewer events at once", Err: ErrTooLarge,
		}
	}
	d, err := findDecoder(f, m)
	if err != nil {
		return Batch{}, err
	}
	b, err := d.decode(m, fields)
	if err != nil {
		return Batch{}, cmp.Or(d.mistaken(m), err)
	}
	return b, nil
}

// mistaken returns that a body is of another format, where it shows that and nothing of
// this one: what this one lacks would say less.
func (d decoder) mistaken(m Message) error {
	first := firstObject(m.Body)
	if d.shows == nil || d.shows(m, first) {
		return nil
	}
	for _, other := range decoders() {
		// Event Grid and Infisical send CloudEvents, too.
		isItsOwn := other.format == CloudEvents && (d.format == Azure || d.format == Infisical)
		if other.shows != nil && other.shows(m, first) && !isItsOwn {
			return invalidError(wholeBody, fmt.Sprintf("is of the format %s, and its source is configured with %s", other.format, d.format),
				"send it to a source of that format, or correct the format")
		}
	}
	return nil
}

// findDecoder returns the decoder of a format, or of what the body shows.
func findDecoder(f Format, m Message) (decoder, error) {
	all, first := decoders(), firstObject(m.Body)
	i := slices.IndexFunc(all, func(d decoder) bool {
		if f != "" {
			return d.format == f
		}
		return d.shows != nil && d.shows(m, first)
	})
	if i >= 0 {
		return all[i], nil
	}
	if _, err := m.parseJSON(); err != nil && f == "" {
		return decoder{}, err
	}
	return decoder{}, &Error{
		Place: wholeBody, Text: "is of no format that is understood", Remedy: "send one of " + listShown() + "; JSON of another shape needs a source with the format generic", Err: ErrUnknownType,
	}
}

// listShown lists the formats that a body itself can show.
func listShown() string {
	var names []string
	for _, d := range decoders() {
		if d.shows != nil {
			names = append(names, string(d.format))
		}
	}
	return strings.Join(names, ", ")
}

// firstObject returns the first JSON object of a body: the body itself, the first of
// an array, or the first of several documents, one on each line.
func firstObject(body []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(trimByteOrderMark(body)))
	var first any
	if d.Decode(&first) != nil {
		return nil
	}
	if list, ok := first.([]any); ok && len(list) > 0 {
		first = list[0]
	}
	o, _ := first.(map[string]any)
	return o
}
