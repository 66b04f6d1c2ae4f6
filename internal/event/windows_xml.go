package event

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// eventXML is an event as Windows renders it, with the parts that are read here.
//
// Source: Microsoft, "Event Schema"; the user data of the lifecycle events as published
// samples of 1001 and 1006 have them.
type eventXML struct {
	System []struct {
		Provider struct {
			Name string `xml:"Name,attr"`
		} `xml:"Provider"`
		EventID     string `xml:"EventID"`
		TimeCreated struct {
			SystemTime string `xml:"SystemTime,attr"`
		} `xml:"TimeCreated"`
		EventRecordID string `xml:"EventRecordID"`
		Channel       string `xml:"Channel"`
		Computer      string `xml:"Computer"`
	} `xml:"System"`
	EventData []string `xml:"EventData>Data"`
	Message   string   `xml:"RenderingInfo>Message"`
	Lifecycle struct {
		Context      string       `xml:"Context"`
		Certificates []detailsXML `xml:"CertificateDetails"`
		Old          []detailsXML `xml:"OldCertificateDetails"`
		New          []detailsXML `xml:"NewCertificateDetails"`
	} `xml:"UserData>CertNotificationData"`
}

// detailsXML is what a lifecycle event says about a certificate.
type detailsXML struct {
	Thumbprint    string   `xml:"Thumbprint,attr"`
	SubjectNames  []string `xml:"SubjectNames>SubjectName"`
	NotValidAfter string   `xml:"NotValidAfter"`
}

const sendEventXML = "send the XML of an event as Windows renders it, or several one after the other"

// beginsWithXML reports whether text is, or begins with, the XML of an event.
func beginsWithXML(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "<?xml") || strings.HasPrefix(text, "<Event ") ||
		strings.HasPrefix(text, "<Event>") || strings.HasPrefix(text, "<Events>")
}

// readEventXML reads one event, several one after the other, or the element Events that
// holds them, as wevtutil writes it.
func readEventXML(place, text string) ([]windowsEvent, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	// The text is UTF-8 by now, whatever its declaration says that it was.
	d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	var events []windowsEvent
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && len(events) > 0:
			return events, nil
		case errors.Is(err, io.EOF):
			return nil, invalidError(place, "holds no event", sendEventXML)
		case err != nil:
			return nil, notXML(place, err)
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok || start.Name.Local == "Events":
			continue
		case start.Name.Local != "Event":
			return nil, invalidError(place, fmt.Sprintf("begins with the XML element %.40q", start.Name.Local), sendEventXML)
		case len(events) == maxRecords:
			return nil, &Error{Place: place, Text: fmt.Sprintf("holds more than %d events", maxRecords), Remedy: "send fewer events at once", Err: ErrTooLarge}
		}
		var x eventXML
		if err := d.DecodeElement(&x, &start); err != nil {
			return nil, notXML(place, err)
		}
		e, err := x.event(place)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}

// notXML says what is wrong with XML. A shipper that cuts off long values leaves XML
// that ends too early; Vector writes a mark after 32 KiB.
func notXML(place string, err error) error {
	return &Error{
		Place: place, Text: fmt.Sprintf("is not whole XML: %.120q", err.Error()),
		Remedy: sendEventXML + "; where a log shipper limits the length of a value, raise the limit", Err: ErrInvalid,
	}
}

// event returns what the XML says, once it is certain which event it is.
func (x eventXML) event(place string) (windowsEvent, error) {
	if len(x.System) != 1 {
		return windowsEvent{}, invalidError(place, fmt.Sprintf("has %d System elements", len(x.System)), sendEventXML)
	}
	system := x.System[0]
	e := windowsEvent{
		place: place, provider: strings.TrimSpace(system.Provider.Name), channel: strings.TrimSpace(system.Channel),
		computer: strings.TrimSpace(system.Computer), record: strings.TrimSpace(system.EventRecordID),
		texts: append(x.EventData, x.Message), context: strings.TrimSpace(x.Lifecycle.Context),
	}
	var err error
	if e.id, err = strconv.Atoi(strings.TrimSpace(system.EventID)); err != nil {
		return e, invalidError(place, "has no event ID", sendEventXML)
	}
	if e.time, err = time.Parse(time.RFC3339, strings.TrimSpace(system.TimeCreated.SystemTime)); err != nil {
		return e, invalidError(place, "has no SystemTime", sendEventXML)
	}
	e.certificates = append(append(x.Lifecycle.Certificates, x.Lifecycle.Old...), x.Lifecycle.New...)
	return e, nil
}

// toUTF8 returns a body as text. PowerShell and wevtutil write files in UTF-16, which
// their byte order mark shows.
func toUTF8(body []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(body, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(body, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return string(trimByteOrderMark(body))
	}
	units := make([]uint16, 0, len(body)/2)
	for i := 2; i+1 < len(body); i += 2 {
		units = append(units, order.Uint16(body[i:]))
	}
	return string(utf16.Decode(units))
}
