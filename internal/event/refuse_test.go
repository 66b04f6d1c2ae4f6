package event_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/event"
)

func TestDecode_Refused(t *testing.T) {
	t.Run("bad input is refused with place and remedy", func(t *testing.T) {
		good := nearExpiry(t, nil)
		for _, c := range []struct {
			claim, contentType, body string
			class                    error
			want                     string
		}{
			{"too large", "", strings.Repeat(" ", event.MaxBody) + good, event.ErrTooLarge, "body: is 10"},
			{"empty", "", "", event.ErrInvalid, "body: ends in the middle of the JSON document; send one JSON document"},
			{"truncated", "", good[:len(good)-1], event.ErrInvalid, "body: ends in the middle of the JSON document; send one JSON document"},
			{"not JSON", "", "id=1", event.ErrInvalid, "body: is not JSON at byte"},
			{"trailing data", "", good + "{}", event.ErrInvalid, "body: more data follows the JSON document at byte"},
			{"trailing garbage", "", good + "x", event.ErrInvalid, "body: more data follows the JSON document at byte"},
			{"not UTF-8", "", "{\"id\":\"\xff\"}", event.ErrInvalid, "body: is not UTF-8; send one JSON document in UTF-8"},
			{"repeated name", "", strings.Replace(good, `"id":`, `"id":"x","id":`, 1), event.ErrInvalid, "id: occurs twice; send one JSON document in UTF-8 without repeated names"},
			{"repeated name in the data of the second", "", "[" + good + "," + strings.Replace(good, `"EXP":`, `"EXP":1,"EXP":`, 1) + "]", event.ErrInvalid, "[1].data.EXP: occurs twice"},
			{"repeated but for blanks", "", nearExpiry(t, map[string]any{"data.ObjectName ": "other"}), event.ErrInvalid, "data.ObjectName: occurs twice, apart from blanks"},
			{"too deep", "", strings.Repeat("[", 1000), event.ErrInvalid, "is nested more than 64 levels"},
			{"no event at all", "", "[]", event.ErrInvalid, "body: holds no event; send at least one"},
			{"a number for an event", "", "[1]", event.ErrInvalid, "[0]: is not a JSON object; send an event, or an array of events"},
			{"missing id", "", nearExpiry(t, map[string]any{"id": nil}), event.ErrInvalid, "id: is missing or empty; send it"},
			{"blank id", "", nearExpiry(t, map[string]any{"id": " "}), event.ErrInvalid, "id: is missing or empty; send it"},
			{"a number as id", "", nearExpiry(t, map[string]any{"id": 7}), event.ErrInvalid, "id: is not a string; send a string"},
			{"an id that steers a terminal", "", nearExpiry(t, map[string]any{"id": "\x1b]0;owned\x07\x1b[2J"}), event.ErrInvalid, "id: has control characters; send text without them"},
			{"an id that is read backwards", "", nearExpiry(t, map[string]any{"id": "a\u202eb"}), event.ErrInvalid, "id: has control characters"},
			{"missing source", "", nearExpiry(t, map[string]any{"source": nil}), event.ErrInvalid, "source: is missing or empty"},
			{"missing type", "", nearExpiry(t, map[string]any{"type": nil}), event.ErrInvalid, "type: is missing or empty"},
			{"old specversion", "", nearExpiry(t, map[string]any{"specversion": "0.3"}), event.ErrInvalid, `specversion: is "0.3"; send CloudEvents 1.0`},
			{"no schema", "application/cloudevents+json", nearExpiry(t, map[string]any{"specversion": nil}), event.ErrInvalid, "body: is neither a CloudEvent (no specversion) nor an Event Grid event"},
			{"bad time", "", nearExpiry(t, map[string]any{"time": "yesterday"}), event.ErrInvalid, `time: "yesterday" is not a time; send RFC 3339`},
			{"no data", "", nearExpiry(t, map[string]any{"data": nil}), event.ErrInvalid, "data: is missing or not a JSON object"},
			{"data as text", "", nearExpiry(t, map[string]any{"data": "x"}), event.ErrInvalid, "data: is missing or not a JSON object"},
			{"bad base64", "", nearExpiry(t, map[string]any{"data": nil, "data_base64": "!"}), event.ErrInvalid, "data_base64: is not base64; send JSON under data"},
			{"bad JSON in base64", "", nearExpiry(t, map[string]any{"data": nil, "data_base64": []byte(`{"a":1,"a":1}`)}), event.ErrInvalid, "data_base64.a: occurs twice"},
			{"no vault", "", nearExpiry(t, map[string]any{"data.VaultName": nil}), event.ErrInvalid, "data.VaultName: is missing or empty"},
			{"no certificate", "", nearExpiry(t, map[string]any{"data.ObjectName": ""}), event.ErrInvalid, "data.ObjectName: is missing or empty"},
			{"the expiry as text", "", nearExpiry(t, map[string]any{"data.EXP": "soon"}), event.ErrInvalid, "data.EXP: is not a whole number of seconds since 1970"},
			{"the expiry beyond all times", "", nearExpiry(t, map[string]any{"data.EXP": 1e300}), event.ErrInvalid, "data.EXP: is not a whole number"},
			{"the expiry as true", "", nearExpiry(t, map[string]any{"data.EXP": true}), event.ErrInvalid, "data.EXP: is not a whole number"},
			{"bad thumbprint", "", nearExpiry(t, map[string]any{"type": "com.example.certificate.expired.v1", "data.thumbprintSha1": "12"}), event.ErrInvalid, `data.thumbprintSha1: thumbprint "12" is not 40 or 64 hexadecimal digits; send the certificate's SHA-1 thumbprint`},
			{"XML", "text/xml", "<a/>", event.ErrContentType, `content type: "text/xml" is not understood; send application/json`},
			{"UTF-16", "application/json; charset=utf-16", good, event.ErrContentType, `content type: character set "utf-16" is not understood`},
			{"no content type either", "application/json; =", good, event.ErrContentType, "content type: "},
		} {
			t.Run(c.claim, func(t *testing.T) {
				got, err := decode(c.contentType, c.body)
				if err == nil {
					t.Fatalf("accepted as %+v", got)
				}
				if !errors.Is(err, c.class) {
					t.Errorf("got %v, want a %v", err, c.class)
				}
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got  %v\nwant %s", err, c.want)
				}
			})
		}
	})

	t.Run("one bad event refuses its batch", func(t *testing.T) {
		body := "[" + nearExpiry(t, nil) + "," + nearExpiry(t, map[string]any{"id": nil}) + "]"
		got, err := decode("", body)
		if got != nil {
			t.Errorf("got %v", got)
		}
		if err == nil || !strings.Contains(err.Error(), "[1].id: ") {
			t.Errorf("got %v, want the second event's id", err)
		}
	})

	t.Run("long names do not fill the error", func(t *testing.T) {
		name := strings.Repeat("n\n", 1000)
		_, err := decode("", nearExpiry(t, map[string]any{name: []any{map[string]any{}}})+"x")
		if err == nil || len(err.Error()) > 300 {
			t.Errorf("got %v", err)
		}
	})
}

func TestDecode_PassedOver(t *testing.T) {
	t.Run("events about something else are passed over, with the reason, and the others of the batch are not", func(t *testing.T) {
		good := nearExpiry(t, nil)
		for claim, c := range map[string]struct{ body, want string }{
			"another type": {
				nearExpiry(t, map[string]any{"type": "Microsoft.KeyVault.SecretNearExpiry"}),
				`"Microsoft.KeyVault.SecretNearExpiry" is not about the expiry of a certificate; subscribe only to Microsoft.KeyVault.CertificateNearExpiry`,
			},
			"a generic type without an owner": {nearExpiry(t, map[string]any{"type": ".certificate.near-expiry.v1"}), "is not about the expiry"},
			"the Event Grid schema":           {strings.Trim(strings.TrimSpace(string(readSample(t, "eventgrid-schema.SecretNewVersionCreated.msdoc.json"))), "[]"), "is not about the expiry"},
			"a validation of a subscription":  {strings.Trim(strings.TrimSpace(string(readSample(t, "SubscriptionValidationEvent.msdoc.json"))), "[]"), "is not about the expiry"},
		} {
			t.Run(claim, func(t *testing.T) {
				got, err := event.Decode(event.Azure, event.Message{Body: []byte("[" + good + "," + c.body + "]")}, event.Fields{})
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Events) != 1 || len(got.Passed) != 1 || got.Passed[0].Place != "[1]" || !strings.Contains(got.Passed[0].Reason, c.want) {
					t.Errorf("got %+v", got)
				}
			})
		}
	})

	t.Run("a long type does not fill the reason", func(t *testing.T) {
		got, err := event.Decode(event.Azure, event.Message{Body: []byte(nearExpiry(t, map[string]any{"type": strings.Repeat("n", 1000)}))}, event.Fields{})
		if err != nil || len(got.Passed) != 1 || len(got.Passed[0].Reason) > 600 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestDecode_UnknownFormat(t *testing.T) {
	for claim, c := range map[string]struct {
		body  string
		class error
		want  string
	}{
		"JSON of another shape": {`{"a":1}`, event.ErrUnknownType, "body: is of no format that is understood; send one of azure, aws, alertmanager, windows, cert-manager, infisical, cloudevents; JSON of another shape needs a source with the format generic"},
		"not JSON":              {"id=1", event.ErrInvalid, "body: is not JSON at byte"},
		"nothing":               {"", event.ErrInvalid, "body: ends in the middle of the JSON document"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := event.Decode("", event.Message{Body: []byte(c.body)}, event.Fields{})
			assertRefused(t, err, c.class, c.want)
		})
	}
}

func TestDecode_AnotherFormat(t *testing.T) {
	for sample, c := range map[string]struct {
		configured, is event.Format
	}{
		"eventgrid-schema.CertificateNearExpiry.captured.json": {event.CloudEvents, event.Azure},
		"acm.CertificateAvailable.DERIVED.json":                {event.Alertmanager, event.AWS},
		"generic.cloudevent.PROPOSED.json":                     {event.AWS, event.CloudEvents},
		"lifecycle-system.1003.about-to-expire.DERIVED.xml":    {event.CloudEvents, event.Windows},
	} {
		t.Run(sample, func(t *testing.T) {
			_, err := event.Decode(c.configured, event.Message{Body: readSample(t, sample)}, event.Fields{})
			want := fmt.Sprintf("body: is of the format %s, and its source is configured with %s; send it to a source of that format", c.is, c.configured)
			if !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}
