package event_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

const (
	infisicalPKI         = "infisical.pki.certificate.expiration.doc.json"
	infisicalApplication = "infisical.application.expiry.doc.json"
)

func TestInfisical_Samples(t *testing.T) {
	for file, want := range map[string]event.Expiry{
		infisicalPKI: {
			ID: "<unique-event-id>/<certificate-id>", Source: "/projects/<project-id>/alerts/<alert-id>", Kind: event.NearExpiry,
			Time: time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC), Certificate: "example.com", Names: []string{"example.com", "www.example.com"},
			Serials: []string{"1234567890", "499602D2"}, NotAfter: time.Date(2024, 12, 31, 23, 59, 59, 0, time.UTC),
			Labels: map[string]string{"profile": "TLS Server"},
		},
		infisicalApplication: {
			ID: "<unique-event-id>/<certificate-id>", Source: "/projects/<project-id>/alerts/<alert-id>", Kind: event.NearExpiry,
			Time:        time.Date(2026, 9, 24, 0, 0, 9, 664000000, time.UTC),
			Certificate: "api.example.com", Names: []string{"api.example.com", "www.api.example.com"},
			Serials: []string{"105D3B4C28132774AB17E350C0E8229BA1BEF40D"}, NotAfter: time.Date(2026, 10, 4, 23, 59, 0, 0, time.UTC),
			Labels: map[string]string{"profile": "tls-server"},
		},
	} {
		t.Run(file, func(t *testing.T) {
			b := decodeSample(t, event.Infisical, file)
			if diff := cmp.Diff(event.Batch{Events: []event.Expiry{want}}, b); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInfisical(t *testing.T) {
	decode := func(body []byte) (event.Batch, error) {
		return event.Decode(event.Infisical, event.Message{Body: body}, event.Fields{})
	}
	replace := func(file string, pairs ...string) []byte {
		t.Helper()
		body := readSample(t, file)
		for i := 0; i < len(pairs); i += 2 {
			if !bytes.Contains(body, []byte(pairs[i])) {
				t.Fatalf("the sample has no %s", pairs[i])
			}
			body = bytes.ReplaceAll(body, []byte(pairs[i]), []byte(pairs[i+1]))
		}
		return body
	}

	t.Run("each certificate of an alert is an event of its own", func(t *testing.T) {
		b, err := decode(replace(infisicalPKI, `"certificates": [`, `"certificates": [{"id": "other", "serialNumber": "0a"},`))
		if err != nil || len(b.Events) != 2 || b.Events[0].Key() == b.Events[1].Key() {
			t.Errorf("got %+v, %v", b, err)
		}
	})

	t.Run("what has happened decides the kind", func(t *testing.T) {
		for claim, c := range map[string]struct {
			body []byte
			want event.Kind
		}{
			"issued":  {replace(infisicalApplication, "application.certificate.expiry", "application.certificate.issuance"), event.NewVersion},
			"renewed": {replace(infisicalApplication, "application.certificate.expiry", "application.certificate.renewal"), event.NewVersion},
			"ended":   {replace(infisicalPKI, "2024-12-31T23:59:59.000Z", "2024-01-14T00:00:00.000Z"), event.Expired},
		} {
			t.Run(claim, func(t *testing.T) {
				b, err := decode(c.body)
				if err != nil || len(b.Events) != 1 || b.Events[0].Kind != c.want {
					t.Errorf("got %+v, %v, want %s", b, err, c.want)
				}
			})
		}
	})

	t.Run("a date that is written otherwise leaves the event without one", func(t *testing.T) {
		b, err := decode(replace(infisicalApplication, "October 4, 2026 at 11:59 PM UTC", "4. Oktober"))
		if err != nil || !b.Events[0].NotAfter.IsZero() {
			t.Errorf("got %+v, %v", b, err)
		}
	})

	t.Run("what asks for nothing is passed over", func(t *testing.T) {
		for claim, body := range map[string][]byte{
			"a test of the webhook": replace(infisicalPKI, "certificate.expiration", "certificate.test"),
			"a revocation":          replace(infisicalApplication, "application.certificate.expiry", "application.certificate.revocation"),
			"no certificate":        replace(infisicalPKI, `"certificates": [`, `"certificates": [], "others": [`),
			"another product":       replace(infisicalPKI, "com.infisical.pki.", "com.infisical.secret."),
		} {
			t.Run(claim, func(t *testing.T) {
				b, err := decode(body)
				assertPassed(t, b, err, "")
			})
		}
	})

	t.Run("what is not whole is refused", func(t *testing.T) {
		for claim, c := range map[string]struct {
			body []byte
			want string
		}{
			"no id":                      {replace(infisicalPKI, `"id": "<unique-event-id>"`, `"other": 1`), "id: is missing or empty"},
			"a certificate without id":   {replace(infisicalPKI, `"id": "<certificate-id>"`, `"other": 1`), "data.certificates[0].id: is missing or empty"},
			"no serial number":           {replace(infisicalApplication, `"identifier"`, `"other"`), "data.items[0].identifier: is missing or empty"},
			"a serial number that isn't": {replace(infisicalPKI, "1234567890", "twelve"), "data.certificates[0].serialNumber: is not a serial number"},
			"no data":                    {replace(infisicalPKI, `"data"`, `"other"`), "data: is missing"},
		} {
			t.Run(claim, func(t *testing.T) {
				_, err := decode(c.body)
				assertRefused(t, err, event.ErrInvalid, c.want)
			})
		}
	})
}
