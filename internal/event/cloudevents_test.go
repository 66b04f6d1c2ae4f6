package event_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

// binary returns the CloudEvent of nearExpiry in binary mode, with headers changed or,
// where they are empty, removed.
func binary(changes map[string]string) event.Message {
	m := event.Message{Header: http.Header{}, Body: []byte(`{"VaultName":"kv","ObjectName":"s2s","Version":"v1","EXP":1749679127}`)}
	m.Header.Set("Content-Type", "application/json; charset=utf-8")
	m.Header.Set("Ce-Specversion", "1.0")
	m.Header.Set("Ce-Id", "e1")
	m.Header.Set("Ce-Source", "/vaults/kv")
	m.Header.Set("Ce-Type", "Microsoft.KeyVault.CertificateNearExpiry")
	m.Header.Set("Ce-Time", "2026-01-05T06:00:00Z")
	for name, v := range changes {
		m.Header.Set(name, v)
		if v == "" {
			m.Header.Del(name)
		}
	}
	return m
}

func TestDecode_CloudEvents(t *testing.T) {
	structured := func(contentType, body string) event.Message {
		return event.Message{Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body)}
	}
	one := nearExpiry(t, nil)
	want, err := decode("", one)
	if err != nil {
		t.Fatal(err)
	}
	for claim, m := range map[string]event.Message{
		"structured":                      structured("application/cloudevents+json", one),
		"structured, though called JSON":  structured("application/json", one),
		"a batch of one":                  structured("application/cloudevents-batch+json; charset=utf-8", "["+one+"]"),
		"binary":                          binary(nil),
		"binary, with extensions":         binary(map[string]string{"Ce-Traceparent": "00-ab", "X-Other": "y"}),
		"binary, percent-encoded":         binary(map[string]string{"Ce-Source": "%2Fvaults%2F%6bv"}),
		"structured, whatever the header": {Header: http.Header{"Content-Type": {"application/cloudevents+json"}, "Ce-Specversion": {"0.3"}}, Body: []byte(one)},
	} {
		t.Run(claim, func(t *testing.T) {
			for _, format := range []event.Format{event.CloudEvents, event.Azure} {
				got, err := event.Decode(format, m, event.Fields{})
				if diff := cmp.Diff(event.Batch{Events: want}, got); err != nil || diff != "" {
					t.Errorf("%s: %v\n%s", format, err, diff)
				}
			}
		})
	}

	t.Run("a per cent sign that encodes nothing stays", func(t *testing.T) {
		got, err := event.Decode(event.CloudEvents, binary(map[string]string{"Ce-Id": "100%"}), event.Fields{})
		if err != nil || got.Events[0].ID != "100%" {
			t.Errorf("got %+v, %v", got, err)
		}
	})

	for claim, c := range map[string]struct {
		m     event.Message
		class error
		want  string
	}{
		"binary without an ID":           {binary(map[string]string{"Ce-Id": ""}), event.ErrInvalid, "id: is missing or empty"},
		"binary of an old version":       {binary(map[string]string{"Ce-Specversion": "0.3"}), event.ErrInvalid, `specversion: is "0.3"; send CloudEvents 1.0`},
		"binary with data that are XML":  {binary(map[string]string{"Content-Type": "application/xml"}), event.ErrContentType, `"application/xml" is not understood`},
		"binary that steers a terminal":  {binary(map[string]string{"Ce-Id": "%1b%5b2J"}), event.ErrInvalid, "id: has control characters"},
		"an attribute that occurs twice": {event.Message{Header: http.Header{"Ce-Specversion": {"1.0", "1.0"}}, Body: []byte("{}")}, event.ErrInvalid, "header Ce-Specversion: occurs more than once"},
		"the Event Grid schema": {
			event.Message{Body: readSample(t, "eventgrid-schema.CertificateNearExpiry.captured.json")},
			event.ErrInvalid,
			"body: is of the format azure, and its source is configured with cloudevents",
		},
		"too many at once": {event.Message{Body: []byte("[" + strings.Repeat("{},", 1000) + "{}]")}, event.ErrTooLarge, "body: holds 1001 events, more than 1000"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := event.Decode(event.CloudEvents, c.m, event.Fields{})
			assertRefused(t, err, c.class, c.want)
		})
	}
}
