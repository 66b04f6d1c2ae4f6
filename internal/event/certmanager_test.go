package event_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

func TestCertManager_Samples(t *testing.T) {
	renewed := time.Date(2026, 1, 5, 6, 0, 3, 0, time.UTC)
	seen := func(id string, kind event.Kind, at time.Time) event.Expiry {
		return event.Expiry{
			ID: id, Source: "kubernetes://prod/oos", Kind: kind, Time: at,
			Vault: "oos", Certificate: "oos-s2s", Labels: map[string]string{"purpose": "s2s"},
		}
	}
	ready := seen("5f3c2c9e-6ea0-4f0e-9b0e-5a4f7d1f3b11/4/Ready", event.NewVersion, renewed.Add(time.Second))
	ready.Source, ready.Version, ready.Names = "kubernetes:///oos", "4", []string{"oos-s2s.contoso.com"}
	ready.NotAfter = time.Date(2026, 4, 5, 6, 0, 3, 0, time.UTC)
	expired := ready
	expired.ID, expired.Kind, expired.Time = "5f3c2c9e-6ea0-4f0e-9b0e-5a4f7d1f3b11/4/Expired", event.Expired, ready.NotAfter
	for file, want := range map[string]event.Expiry{
		"event-exporter.cert-manager.renewing.DERIVED.json": seen("0b9f5d0c-3f0e-4a79-9f6d-0f9d5b6c1a01/1", event.NearExpiry, renewed),
		"event-exporter.cert-manager.issued.DERIVED.json":   seen("0b9f5d0c-3f0e-4a79-9f6d-0f9d5b6c1a02/1", event.NewVersion, renewed),
		"watch.cert-manager.ready.DERIVED.json":             ready,
		"object.cert-manager.expired.DERIVED.json":          expired,
	} {
		t.Run(file, func(t *testing.T) {
			b := decodeSample(t, event.CertManager, file)
			if diff := cmp.Diff(event.Batch{Events: []event.Expiry{want}}, b); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decodeKubernetes(body []byte) (event.Batch, error) {
	return event.Decode(event.CertManager, event.Message{Body: body}, event.Fields{})
}

func TestCertManager(t *testing.T) {
	issued := readSample(t, "event-exporter.cert-manager.issued.DERIVED.json")
	ready := readSample(t, "watch.cert-manager.ready.DERIVED.json")
	replace := func(body []byte, from, to string) []byte {
		t.Helper()
		if !bytes.Contains(body, []byte(from)) {
			t.Fatalf("the sample has no %s", from)
		}
		return bytes.ReplaceAll(body, []byte(from), []byte(to))
	}

	t.Run("an event that Kubernetes counts up is another one each time", func(t *testing.T) {
		first, err := decodeKubernetes(issued)
		if err != nil {
			t.Fatal(err)
		}
		fourth, err := decodeKubernetes(replace(issued, `"count": 1`, `"count": 4`))
		if err != nil {
			t.Fatal(err)
		}
		if first.Events[0].Key() == fourth.Events[0].Key() {
			t.Errorf("both are %s", first.Events[0].ID)
		}
	})

	t.Run("the newer API of events says the same", func(t *testing.T) {
		newer := replace(replace(replace(issued, "involvedObject", "regarding"), `"message"`, `"note"`), `"lastTimestamp"`, `"deprecatedLastTimestamp"`)
		want, err := decodeKubernetes(issued)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeKubernetes(newer)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a list of objects is read object by object", func(t *testing.T) {
		list := []byte(`{"apiVersion":"v1","kind":"EventList","items":[` + string(issued) + `,` + string(ready) + `]}`)
		b, err := decodeKubernetes(list)
		if err != nil || len(b.Events) != 2 {
			t.Errorf("got %+v, %v", b, err)
		}
	})

	t.Run("what does not tell of expiry or renewal is passed over", func(t *testing.T) {
		for claim, body := range map[string][]byte{
			"another object":            replace(issued, `"kind": "Certificate"`, `"kind": "Pod"`),
			"another API":               replace(issued, "cert-manager.io/v1", "networking.gke.io/v1"),
			"another reason":            replace(issued, `"reason": "Issuing"`, `"reason": "Requested"`),
			"the first issuance":        replace(issued, "The certificate has been successfully issued", "Issuing certificate as Secret does not exist"),
			"a certificate that waits":  replace(replace(ready, `"status": "True"`, `"status": "False"`), `"reason": "Ready"`, `"reason": "DoesNotExist"`),
			"a certificate that is new": []byte(`{"apiVersion":"cert-manager.io/v1","kind":"Certificate","metadata":{}}`),
			"a deletion":                replace(ready, "MODIFIED", "DELETED"),
			"an empty object":           []byte(`{}`),
		} {
			t.Run(claim, func(t *testing.T) {
				b, err := decodeKubernetes(body)
				assertPassed(t, b, err, "")
			})
		}
	})

	t.Run("what cannot be told apart or recognised is refused", func(t *testing.T) {
		for claim, c := range map[string]struct {
			body []byte
			want string
		}{
			"no uid":              {replace(issued, `"uid": "0b9f5d0c-3f0e-4a79-9f6d-0f9d5b6c1a02"`, `"other": 1`), "metadata.uid: is missing or empty"},
			"no namespace":        {replace(issued, `"namespace": "oos"`, `"other": 1`), "involvedObject.namespace: is missing or empty"},
			"a time that is none": {replace(issued, "2026-01-05T06:00:03Z", "now"), `lastTimestamp: "now" is not a time`},
		} {
			t.Run(claim, func(t *testing.T) {
				_, err := decodeKubernetes(c.body)
				assertRefused(t, err, event.ErrInvalid, c.want)
			})
		}
	})
}
