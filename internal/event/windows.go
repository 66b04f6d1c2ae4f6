package event

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// windowsEvent is an event of a Windows event log, whichever way it came.
type windowsEvent struct {
	place, provider, channel, computer, record string

	id   int
	time time.Time
	// texts are the strings of the event and its message, if there is one.
	texts []string
	// certificates and context are those of a lifecycle event; of a replacement, the
	// old certificate is the first.
	certificates []detailsXML
	context      string
	// remedy is how to configure what sent the event on, if that is recognised.
	remedy string
}

// showsWindows reports whether the body holds events of a Windows event log.
func showsWindows(m Message, first map[string]any) bool {
	if beginsWithXML(toUTF8(m.Body)) {
		return true
	}
	if place, _ := findXML(wholeBody, first); place != "" {
		return true
	}
	return first["winlog"] != nil || first["EventID"] != nil || first["event_id"] != nil
}

// decodeWindows reads events of Windows about certificates, and of SharePoint about
// those that it does not accept: as XML, or as JSON of a log shipper that has the XML
// under any name. Where a record lacks what identifies its certificate and another one
// has it, the first is passed over.
func decodeWindows(m Message, _ Fields) (Batch, error) {
	found, err := readWindows(m)
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	var incomplete *Error
	for _, w := range found {
		e, err := w.expiry()
		var bad *Error
		if errors.As(err, &bad) && errors.Is(bad, ErrIncomplete) {
			b.Passed = append(b.Passed, Passed{Place: bad.Place, Reason: bad.Text + "; " + bad.Remedy})
			incomplete = bad
			continue
		}
		if err := b.add(w.place, e, err); err != nil {
			return Batch{}, err
		}
	}
	if incomplete != nil && len(b.Events) == 0 {
		return Batch{}, incomplete
	}
	return b, nil
}

// readWindows returns the events of a body.
func readWindows(m Message) ([]windowsEvent, error) {
	if text := toUTF8(m.Body); strings.HasPrefix(strings.TrimSpace(text), "<") {
		return readEventXML(wholeBody, text)
	}
	records, err := readRecords(m)
	if err != nil {
		return nil, err
	}
	var all []windowsEvent
	for _, o := range records {
		events, err := readShipped(o)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}

// readShipped reads the record of a log shipper: from the XML that it holds, or else
// from the fields that the shipper has made of it.
func readShipped(o object) ([]windowsEvent, error) {
	if place, texts := findXML(o.place, o.fields); place != "" {
		var all []windowsEvent
		for _, text := range texts {
			events, err := readEventXML(place, text)
			if err != nil {
				return nil, err
			}
			all = append(all, events...)
		}
		return all, nil
	}
	id, err := strconv.Atoi(eventIDOf(o))
	if err != nil {
		return nil, &Error{
			Place: o.place, Text: "is no event of a Windows event log: it has neither XML nor an event ID",
			Remedy: sendXML, Err: ErrIncomplete,
		}
	}
	e := windowsEvent{
		place: o.place, id: id,
		provider: o.scalar("winlog/provider_name", "provider_name", "SourceName", "ProviderName", "provider/name", "body/provider/name"),
		channel:  o.scalar("winlog/channel", "channel", "Channel", "body/channel"),
		computer: o.scalar("winlog/computer_name", "computer", "Hostname", "Computer", "body/computer"),
		record:   o.scalar("winlog/record_id", "record_id", "RecordNumber", "EventRecordID", "body/record_id"),
		texts:    []string{o.longText("message", "Message", "body/message")},
		remedy:   shipperRemedy(o),
	}
	// A time that says no zone is left out.
	e.time, _ = time.Parse(time.RFC3339, o.scalar("@timestamp", "timestamp", "EventTime", "TimeCreated", "body/system_time"))
	return []windowsEvent{e}, nil
}

// eventIDOf returns the event's ID under the name that log shippers give it. Winlogbeat
// has it as text.
func eventIDOf(o object) string {
	return o.scalar("winlog/event_id", "event_id", "EventID", "EventId", "event_id/id", "body/event_id/id")
}

// sendXML is how to keep the XML of events.
const sendXML = "ship the XML of the event: include_xml: true (Winlogbeat, Vector), CaptureEventXML TRUE (NXLog), " +
	"render_as_xml true (Fluentd), raw: true (OpenTelemetry)"

// shipperRemedy is how the program that made the record of an event keeps its XML.
func shipperRemedy(o object) string {
	switch {
	case o.fields["winlog"] != nil:
		return "set include_xml: true for this event log in winlogbeat.yml, and send event.original on"
	case o.scalar("source_type") == "windows_event_log":
		return "set include_xml: true in this source of Vector"
	case o.scalar("SourceModuleType") == "im_msvistalog":
		return "set CaptureEventXML TRUE in this input of NXLog"
	default:
		return sendXML
	}
}

// findXML returns the texts in a record that are XML of events, and where they are: of
// an object the first member that holds any, of an array all elements. Every shipper
// has its own name for it, and those of OpenTelemetry nest it in arrays.
func findXML(place string, v any) (string, []string) {
	switch v := v.(type) {
	case string:
		if beginsWithXML(v) {
			return place, []string{v}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if at, texts := findXML(memberPlace(place, name), v[name]); at != "" {
				return at, texts
			}
		}
	case []any:
		var first string
		var all []string
		for i, element := range v {
			at, texts := findXML(elementPlace(place, i), element)
			if first == "" {
				first = at
			}
			all = append(all, texts...)
		}
		return first, all
	}
	return "", nil
}

// Providers of events.
const (
	// lifecycleProvider is followed by System or User.
	lifecycleProvider  = "Microsoft-Windows-CertificateServicesClient-Lifecycle-"
	sharePointProvider = "Microsoft-SharePoint Products-SharePoint Foundation"
)

// lifecycleKinds are the lifecycle events that say something about expiry: a certificate
// was replaced (1001), has expired (1002), is about to expire (1003), was installed (1006).
//
// Source: Microsoft TechNet wiki, "Certificate Services Lifecycle Notifications".
func lifecycleKinds() map[int]Kind {
	return map[int]Kind{1001: NewVersion, 1002: Expired, 1003: NearExpiry, 1006: NewVersion}
}

// expiry returns what the event says about a certificate.
func (w windowsEvent) expiry() (Expiry, error) {
	kind, known := lifecycleKinds()[w.id]
	e := Expiry{Kind: kind, Time: w.time.UTC()}
	var err error
	switch {
	case known && strings.HasPrefix(w.provider, lifecycleProvider):
		err = w.readLifecycle(&e)
	case w.id == 8311 && w.provider == sharePointProvider:
		err = w.readNotAccepted(&e)
	default:
		return Expiry{}, &Error{
			Place: w.place, Text: fmt.Sprintf("event %d of %.80q is not about the expiry of a certificate", w.id, w.provider),
			Remedy: "send 1001, 1002, 1003 and 1006 of " + lifecycleProvider + "System, and 8311 of SharePoint", Err: ErrUnknownType,
		}
	}
	if err != nil {
		return Expiry{}, err
	}
	return e, w.name(&e)
}

// name gives the event an ID that does not depend on how it came: a computer numbers the
// events of each channel. Shippers round the time, so seconds count.
func (w windowsEvent) name(e *Expiry) error {
	if !isLabel(w.computer) || !isLabel(w.channel) || !isLabel(w.record) {
		return &Error{
			Place: w.place, Text: fmt.Sprintf("event %d lacks computer, channel or record ID", w.id),
			Remedy: "send them: they tell events apart", Err: ErrIncomplete,
		}
	}
	e.Source = "windows://" + w.computer
	e.ID = fmt.Sprintf("%s/%s/%d", w.channel, w.record, w.time.Unix())
	e.Labels = map[string]string{"computer": w.computer, "channel": w.channel}
	if isLabel(w.context) {
		e.Labels["context"] = w.context
	}
	return nil
}

// readLifecycle reads the certificate of a lifecycle event. Of a replacement it is the
// old one, which the farm uses still; the names are those of both.
func (w windowsEvent) readLifecycle(e *Expiry) error {
	if len(w.certificates) == 0 || w.certificates[0].Thumbprint == "" {
		remedy := w.remedy
		if remedy == "" {
			remedy = sendXML
		}
		return &Error{
			Place: w.place, Text: fmt.Sprintf("event %d does not say which certificate: what shipped it has dropped the thumbprint from its user data", w.id),
			Remedy: remedy, Err: ErrIncomplete,
		}
	}
	first := w.certificates[0]
	if err := e.setFingerprint(first.Thumbprint); err != nil {
		return invalidError(w.place, err.Error(), sendEventXML)
	}
	if text := strings.TrimSpace(first.NotValidAfter); text != "" {
		notAfter, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return invalidError(w.place, fmt.Sprintf("NotValidAfter %.40q is not a time", text), sendEventXML)
		}
		e.NotAfter = notAfter.UTC()
	}
	for _, c := range w.certificates {
		for _, name := range c.SubjectNames {
			if strings.Contains(name, "=") {
				e.setSubject(strings.TrimSpace(name))
			} else {
				e.addNames(name)
			}
		}
	}
	if len(e.Names) > 0 {
		e.Certificate = e.Names[0]
	}
	return nil
}
