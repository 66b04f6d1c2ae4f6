package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

const lifecycle = "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"

// aboutToExpire is what the samples of event 1003 say, from every shipper.
func aboutToExpire() event.Expiry {
	return event.Expiry{
		ID: lifecycle + "/42/1767592800", Source: "windows://OOS1.contoso.com", Kind: event.NearExpiry,
		Time:        time.Date(2026, 1, 5, 6, 0, 0, 123456700, time.UTC),
		Certificate: "oos-s2s.contoso.com", Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012",
		Subject: "CN=oos-s2s.contoso.com", Names: []string{"oos-s2s.contoso.com"},
		NotAfter: time.Date(2026, 2, 4, 20, 7, 39, 0, time.UTC),
		Labels:   map[string]string{"computer": "OOS1.contoso.com", "channel": lifecycle, "context": "Machine"},
	}
}

// notAccepted is what the samples of event 8311 say.
func notAccepted() event.Expiry {
	return event.Expiry{
		ID: "Application/90817/1770235802", Source: "windows://SP1.contoso.com", Kind: event.Expired,
		Time:       time.Date(2026, 2, 4, 20, 10, 2, 417000000, time.UTC),
		Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012",
		Labels:     map[string]string{"computer": "SP1.contoso.com", "channel": "Application"},
	}
}

// decodeSample decodes a sample in a format, and as a file whose format is not said.
func decodeSample(t *testing.T, f event.Format, name string) event.Batch {
	t.Helper()
	body := readSample(t, name)
	b, err := event.Decode(f, event.Message{Body: body}, event.Fields{})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := event.Decode("", event.Message{Body: body}, event.Fields{})
	if err != nil {
		t.Fatalf("as a file: %v", err)
	}
	if diff := cmp.Diff(b, shown); diff != "" {
		t.Error("as a file it says something else:", diff)
	}
	return b
}

func TestWindows_Samples(t *testing.T) {
	t.Run("event 1003 says the same from every shipper", func(t *testing.T) {
		for _, file := range []string{
			"lifecycle-system.1003.about-to-expire.DERIVED.xml", "winlogbeat.1003.include_xml.DERIVED.json",
			"vector.1003.include_xml.DERIVED.json", "nxlog.1003.CaptureEventXML.DERIVED.json",
			"opentelemetry.1003.raw.DERIVED.json",
		} {
			t.Run(file, func(t *testing.T) {
				b := decodeSample(t, event.Windows, file)
				if diff := cmp.Diff(event.Batch{Events: []event.Expiry{aboutToExpire()}}, b); diff != "" {
					t.Error(diff)
				}
			})
		}
	})

	t.Run("event 8311 says the same from every shipper", func(t *testing.T) {
		withSubject := notAccepted()
		withSubject.Subject, withSubject.Certificate = "CN=oos-s2s.contoso.com, O=Contoso, C=US", "oos-s2s.contoso.com"
		withSubject.Names = []string{"oos-s2s.contoso.com"}
		for file, want := range map[string]event.Expiry{
			"sharepoint.8311.EventData.DERIVED.xml":     notAccepted(),
			"sharepoint.8311.RenderingInfo.DERIVED.xml": withSubject,
			"winlogbeat.8311.DERIVED.json":              withSubject,
			"vector.8311.DERIVED.json":                  withSubject,
			"nxlog.8311.DERIVED.json":                   withSubject,
		} {
			t.Run(file, func(t *testing.T) {
				b := decodeSample(t, event.Windows, file)
				if diff := cmp.Diff(event.Batch{Events: []event.Expiry{want}}, b); diff != "" {
					t.Error(diff)
				}
			})
		}
	})

	t.Run("a replacement names the certificate that the farm uses still", func(t *testing.T) {
		b := decodeSample(t, event.Windows, "lifecycle-system.1001.replaced.DERIVED.xml")
		want := event.Expiry{
			ID: lifecycle + "/8/1773443319", Source: "windows://LAB-DC01.ludus.domain", Kind: event.NewVersion,
			Time:        time.Date(2026, 3, 13, 23, 8, 39, 437859000, time.UTC),
			Certificate: "LAB-DC01.ludus.domain", Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012",
			Subject: "CN=LAB-DC01.ludus.domain", Names: []string{"LAB-DC01.ludus.domain", "997a085b-5e01-4f75-9c22-ed3af23d348a"},
			NotAfter: time.Date(2027, 3, 13, 20, 7, 39, 0, time.UTC),
			Labels:   map[string]string{"computer": "LAB-DC01.ludus.domain", "channel": lifecycle, "context": "Machine"},
		}
		if diff := cmp.Diff([]event.Expiry{want}, b.Events); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("an installation is a new version", func(t *testing.T) {
		b := decodeSample(t, event.Windows, "lifecycle-system.1006.installed.DERIVED.xml")
		if e := b.Events[0]; e.Kind != event.NewVersion || e.Thumbprint != "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012" {
			t.Errorf("got %+v", e)
		}
	})

	t.Run("an untrusted root is not about expiry", func(t *testing.T) {
		b := decodeSample(t, event.Windows, "nxlog.8311.untrusted-root.doc.json")
		want := []event.Passed{{Place: "body", Reason: "SharePoint does not accept a certificate, but not because it has expired (no NotTimeValid); read event 8311 on SP1.contoso.com"}}
		if diff := cmp.Diff(event.Batch{Passed: want}, b); diff != "" {
			t.Error(diff)
		}
	})
}

func decodeWindows(contentType, body string) (event.Batch, error) {
	m := event.Message{Body: []byte(body)}
	if contentType != "" {
		m.Header = http.Header{"Content-Type": {contentType}}
	}
	return event.Decode(event.Windows, m, event.Fields{})
}

func TestWindows_DroppedIdentity(t *testing.T) {
	for file, remedy := range map[string]string{
		"winlogbeat.1003.without-xml.DERIVED.json": "set include_xml: true for this event log in winlogbeat.yml",
		"vector.1003.without-xml.DERIVED.json":     "set include_xml: true in this source of Vector",
		"nxlog.1003.without-xml.DERIVED.json":      "set CaptureEventXML TRUE in this input of NXLog",
	} {
		t.Run(file, func(t *testing.T) {
			b, err := decodeWindows("", string(readSample(t, file)))
			if !errors.Is(err, event.ErrIncomplete) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("got %+v, %v\nwant %s", b, err, remedy)
			}
		})
	}

	t.Run("XML without the user data is no better", func(t *testing.T) {
		whole := string(readSample(t, "lifecycle-system.1003.about-to-expire.DERIVED.xml"))
		start, end := strings.Index(whole, "<UserData>"), strings.Index(whole, "</UserData>")
		_, err := decodeWindows("", whole[:start]+whole[end+len("</UserData>"):])
		if !errors.Is(err, event.ErrIncomplete) || !strings.Contains(err.Error(), "CaptureEventXML TRUE (NXLog)") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("a good record of the batch is not lost with it", func(t *testing.T) {
		var bad, good []any
		for file, records := range map[string]*[]any{"vector.1003.without-xml.DERIVED.json": &bad, "vector.1003.include_xml.DERIVED.json": &good} {
			if err := json.Unmarshal(readSample(t, file), records); err != nil {
				t.Fatal(err)
			}
		}
		body, err := json.Marshal(append(bad, good...))
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeWindows("application/json", string(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]event.Expiry{aboutToExpire()}, b.Events); diff != "" {
			t.Error(diff)
		}
		if len(b.Passed) != 1 || b.Passed[0].Place != "[0]" || !strings.Contains(b.Passed[0].Reason, "include_xml") {
			t.Errorf("got %+v", b.Passed)
		}
	})
}

func TestWindows_Spellings(t *testing.T) {
	one := strings.TrimSpace(string(readSample(t, "lifecycle-system.1003.about-to-expire.DERIVED.xml")))
	other := strings.Replace(one, "<EventRecordID>42<", "<EventRecordID>43<", 1)
	line := func(xml string) string {
		encoded, err := json.Marshal(map[string]any{"@timestamp": "2026-01-05T06:00:00.123Z", "raw": xml})
		if err != nil {
			t.Fatal(err)
		}
		return string(encoded)
	}
	wide := utf16.Encode([]rune("\ufeff" + one))
	var littleEndian, bigEndian bytes.Buffer
	for _, unit := range wide {
		littleEndian.Write([]byte{byte(unit), byte(unit >> 8)})
		bigEndian.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	for claim, c := range map[string]struct {
		contentType, body string
		ids               []string
	}{
		"a declaration of another encoding": {"application/xml", `<?xml version="1.0" encoding="utf-16"?>` + "\r\n" + one, []string{"42"}},
		"a byte order mark":                 {"text/xml; charset=utf-8", "\xef\xbb\xbf" + one, []string{"42"}},
		"UTF-16, as PowerShell writes it":   {"", littleEndian.String(), []string{"42"}},
		"UTF-16 in the other order":         {"", bigEndian.String(), []string{"42"}},
		"one after the other":               {"text/plain", one + "\n" + other, []string{"42", "43"}},
		"as wevtutil holds them together":   {"", "<Events>" + one + other + "</Events>", []string{"42", "43"}},
		"one on each line":                  {"application/x-ndjson", line(one) + "\n" + line(other) + "\n", []string{"42", "43"}},
		"a single line":                     {"application/x-ndjson", line(one) + "\n", []string{"42"}},
		"nested in arrays":                  {"application/json", `{"a":[{"b":[` + line(one) + `]},{"b":[` + line(other) + `]}]}`, []string{"42", "43"}},
		"single quotes, as ToXml writes":    {"", strings.ReplaceAll(one, `"`, `'`), []string{"42"}},
	} {
		t.Run(claim, func(t *testing.T) {
			b, err := decodeWindows(c.contentType, c.body)
			if err != nil {
				t.Fatal(err)
			}
			var want []event.Expiry
			for _, id := range c.ids {
				e := aboutToExpire()
				e.ID = strings.Replace(e.ID, "/42/", "/"+id+"/", 1)
				want = append(want, e)
			}
			if diff := cmp.Diff(want, b.Events); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWindows_Passed(t *testing.T) {
	one := string(readSample(t, "lifecycle-system.1003.about-to-expire.DERIVED.xml"))
	for claim, body := range map[string]string{
		"another lifecycle event":             strings.Replace(one, ">1003<", ">1005<", 1),
		"the same number of another provider": strings.Replace(one, "Microsoft-Windows-CertificateServicesClient-Lifecycle-System", "Other", 1),
		"a logon":                             `{"winlog":{"event_id":"4624","provider_name":"Microsoft-Windows-Security-Auditing"}}`,
		"an event of another shipper":         `{"event_id":{"id":4624,"qualifiers":0},"provider":{"name":"Other"}}`,
	} {
		t.Run(claim, func(t *testing.T) {
			b, err := decodeWindows("", body)
			assertPassed(t, b, err, "is not about the expiry of a certificate")
		})
	}
}

func TestWindows_Refused(t *testing.T) {
	one := strings.TrimSpace(string(readSample(t, "lifecycle-system.1003.about-to-expire.DERIVED.xml")))
	shipped := string(readSample(t, "winlogbeat.8311.DERIVED.json"))
	const thumbprint = "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"
	for _, c := range []struct {
		claim, contentType, body string
		class                    error
		want                     string
	}{
		{"XML that was cut off", "", one[:len(one)-40] + "...[truncated]", event.ErrInvalid, "body: is not whole XML"},
		{"other XML", "", "<?xml version='1.0'?><root/>", event.ErrInvalid, `body: begins with the XML element "root"`},
		{"no event", "", "<Events></Events>", event.ErrInvalid, "body: holds no event"},
		{"an entity", "", `<?xml version="1.0"?><!DOCTYPE Event [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(one, "OOS1.contoso.com", "&x;", 1), event.ErrInvalid, "body: is not whole XML"},
		{"endless depth", "", "<Event><UserData><CertNotificationData>" + strings.Repeat("<CertificateDetails>", 50_000), event.ErrInvalid, "body: is not whole XML"},
		{"two System elements", "", strings.Replace(one, "<UserData>", "<System/><UserData>", 1), event.ErrInvalid, "has 2 System elements"},
		{"no event ID", "", strings.Replace(one, ">1003<", "><", 1), event.ErrInvalid, "has no event ID"},
		{"no time", "", strings.Replace(one, "SystemTime", "Other", 1), event.ErrInvalid, "has no SystemTime"},
		{"a thumbprint that is none", "", strings.Replace(one, "db0fea9b", "xyz", 1), event.ErrInvalid, "is not 40 or 64 hexadecimal digits"},
		{"an end that is no time", "", strings.Replace(one, "2026-02-04T20:07:39Z", "soon", 1), event.ErrInvalid, `NotValidAfter "soon" is not a time`},
		{"no record ID", "", strings.Replace(one, "<EventRecordID>42</EventRecordID>", "", 1), event.ErrIncomplete, "lacks computer, channel or record ID"},
		{"a computer that steers a terminal", "", strings.Replace(one, "OOS1.contoso.com", "OOS1&#x202e;", 1), event.ErrIncomplete, "lacks computer, channel or record ID"},
		{"JSON of no event log", "", `{"a":1}`, event.ErrIncomplete, "it has neither XML nor an event ID"},
		{"too many events", "", strings.Repeat("<Event><System><EventID>1</EventID><TimeCreated SystemTime='2026-01-05T06:00:00Z'/></System></Event>", 1001), event.ErrTooLarge, "holds more than 1000 events"},
		{"too many lines", "", strings.Repeat("{}\n", 1001), event.ErrTooLarge, "holds 1001 events, more than 1000"},
		{"a bad line", "", "{}\n{", event.ErrInvalid, "line 2: ends in the middle"},
		{"another content type", "image/png", `{"a":1}`, event.ErrContentType, `"image/png" is not understood`},
		{"8311 without a thumbprint", "", strings.Replace(shipped, thumbprint, "-", 1), event.ErrIncomplete, "event 8311 has 0 thumbprints"},
		{"8311 with two thumbprints", "", strings.Replace(shipped, thumbprint, thumbprint+" "+strings.Repeat("A", 40), 1), event.ErrIncomplete, "event 8311 has 2 thumbprints"},
		{"8311 with a SHA-256 only", "", strings.Replace(shipped, thumbprint, strings.Repeat("A", 64), 1), event.ErrIncomplete, "event 8311 has 0 thumbprints"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			b, err := decodeWindows(c.contentType, c.body)
			if !errors.Is(err, c.class) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got  %+v, %v\nwant %s", b, err, c.want)
			}
		})
	}
}

func TestDecode_WindowsIsToldOfXMLThatIsNoEvent(t *testing.T) {
	_, err := event.Decode(event.Windows, event.Message{
		Header: http.Header{"Content-Type": {"application/xml"}}, Body: []byte("<QueryList/>"),
	}, event.Fields{})
	if want := `body: begins with the XML element "QueryList"; send the XML of an event as Windows renders it`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
