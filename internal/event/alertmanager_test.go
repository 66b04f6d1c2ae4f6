package event_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

func TestAlertmanager_Samples(t *testing.T) {
	t.Run("an alert about a certificate names it", func(t *testing.T) {
		b := decodeSample(t, event.Alertmanager, "x509-certificate-exporter.CertificateRenewal.DERIVED.json")
		want := event.Expiry{
			ID: "4f1f0a2f9c3be1d2/2026-01-05T08:15:30.123Z", Source: "http://alertmanager.contoso.com:9093", Kind: event.NearExpiry,
			Time:        time.Date(2026, 1, 5, 8, 15, 30, 123000000, time.UTC),
			Certificate: "oos-s2s.contoso.com", Names: []string{"oos-s2s.contoso.com"},
			Serials: []string{"291389234298374928374982374", "F108120B130A6AED3466E6"},
			Labels: map[string]string{
				"alertname": "CertificateRenewal", "filename": "oos-s2s.pfx", "filepath": "/certs/oos-s2s.pfx",
				"instance": "OOS1.contoso.com:9793", "issuer_CN": "Contoso Issuing CA 1", "job": "x509-certificate-exporter",
				"purpose": "s2s", "serial_number": "291389234298374928374982374", "severity": "warning", "subject_CN": "oos-s2s.contoso.com",
			},
		}
		if diff := cmp.Diff(event.Batch{Events: []event.Expiry{want}}, b); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("an alert that names no certificate has its labels", func(t *testing.T) {
		b := decodeSample(t, event.Alertmanager, "v4.ProbeFailure.sample.json")
		if len(b.Events) != 1 || b.Events[0].Labels["job"] != "http_checks" || b.Events[0].Certificate != "ProbeFailure" {
			t.Errorf("got %+v", b)
		}
	})
}

// post returns what Alertmanager posts for alerts.
func post(t *testing.T, members map[string]any, alerts ...map[string]any) []byte {
	t.Helper()
	body := map[string]any{"version": "4", "receiver": "farmtrust", "status": "firing", "alerts": alerts, "externalURL": "http://alerts", "truncatedAlerts": 0}
	maps.Copy(body, members)
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func alert(status, fingerprint string, labels map[string]any) map[string]any {
	return map[string]any{"status": status, "fingerprint": fingerprint, "startsAt": "2026-01-05T08:15:30Z", "labels": labels}
}

func decodeAlerts(t *testing.T, body []byte) event.Batch {
	t.Helper()
	b, err := event.Decode(event.Alertmanager, event.Message{Body: body}, event.Fields{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAlertmanager(t *testing.T) {
	t.Run("what is resolved starts nothing", func(t *testing.T) {
		b := decodeAlerts(t, post(t, nil,
			alert("resolved", "a", map[string]any{"alertname": "CertExpiry"}), alert("firing", "b", map[string]any{"alertname": "CertExpiry"})))
		if len(b.Events) != 1 || !strings.HasPrefix(b.Events[0].ID, "b/") {
			t.Errorf("got %+v", b.Events)
		}
		want := []event.Passed{{Place: "alerts[0]", Reason: `alert "CertExpiry" is resolved; nothing is to be done`}}
		if diff := cmp.Diff(want, b.Passed); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a repeated alert is the same event, one that fires again is another", func(t *testing.T) {
		first := alert("firing", "a", map[string]any{"alertname": "CertExpiry"})
		again := alert("firing", "a", map[string]any{"alertname": "CertExpiry"})
		again["startsAt"] = "2026-01-06T08:15:30Z"
		one, two, other := decodeAlerts(t, post(t, nil, first)), decodeAlerts(t, post(t, nil, first)), decodeAlerts(t, post(t, nil, again))
		if one.Events[0].Key() != two.Events[0].Key() || one.Events[0].Key() == other.Events[0].Key() {
			t.Errorf("got %s, %s and %s", one.Events[0].ID, two.Events[0].ID, other.Events[0].ID)
		}
	})

	t.Run("an alert without a fingerprint is told apart by its labels", func(t *testing.T) {
		b := decodeAlerts(t, post(t, nil, alert("firing", "", map[string]any{"alertname": "A"}), alert("firing", "", map[string]any{"alertname": "B"})))
		if b.Events[0].ID == b.Events[1].ID {
			t.Errorf("both are %s", b.Events[0].ID)
		}
	})

	t.Run("alerts that were cut off are not lost in silence", func(t *testing.T) {
		b := decodeAlerts(t, post(t, map[string]any{"truncatedAlerts": 3}, alert("firing", "a", map[string]any{"alertname": "A"})))
		if len(b.Events) != 1 || len(b.Passed) != 1 || !strings.Contains(b.Passed[0].Reason, "remove max_alerts") {
			t.Errorf("got %+v", b)
		}
	})

	t.Run("each exporter identifies a certificate in its own way", func(t *testing.T) {
		sha256 := strings.Repeat("ab", 32)
		for claim, c := range map[string]struct {
			labels map[string]any
			want   event.Expiry
		}{
			"blackbox_exporter": {
				map[string]any{"fingerprint_sha256": sha256, "subject": "CN=oos-s2s.contoso.com,O=Contoso", "subjectalternative": "a.contoso.com,b.contoso.com"},
				event.Expiry{SHA256: strings.ToUpper(sha256), Subject: "CN=oos-s2s.contoso.com,O=Contoso", Names: []string{"oos-s2s.contoso.com", "a.contoso.com", "b.contoso.com"}},
			},
			"ssl_exporter": {
				map[string]any{"serial_no": "255", "cn": "oos-s2s.contoso.com", "dnsnames": ",a.contoso.com,"},
				event.Expiry{Serials: []string{"255", "FF"}, Names: []string{"oos-s2s.contoso.com", "a.contoso.com"}},
			},
			"yet-another-cloudwatch-exporter": {
				map[string]any{"dimension_CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1"},
				event.Expiry{ARN: "arn:aws:acm:eu-central-1:123456789012:certificate/1"},
			},
			"a script": {
				map[string]any{"thumbprint": "db:0f:ea:9b:64:1f:38:14:fc:51:68:ae:83:ef:78:39:af:1b:b0:12"},
				event.Expiry{Thumbprint: "DB0FEA9B641F3814FC5168AE83EF7839AF1BB012"},
			},
			"what only looks so": {map[string]any{"thumbprint": "12", "serial": "none"}, event.Expiry{}},
		} {
			t.Run(claim, func(t *testing.T) {
				got := decodeAlerts(t, post(t, nil, alert("firing", "a", c.labels))).Events[0]
				seen := event.Expiry{Thumbprint: got.Thumbprint, SHA256: got.SHA256, Serials: got.Serials, ARN: got.ARN, Subject: got.Subject, Names: got.Names}
				if diff := cmp.Diff(c.want, seen); diff != "" {
					t.Error(diff)
				}
			})
		}
	})

	t.Run("labels that nobody can match are left out", func(t *testing.T) {
		labels := map[string]any{"alertname": "A", "long": strings.Repeat("x", 300), "steering": "\x1b[2J", "number": 7}
		for i := range 100 {
			labels["b"+strings.Repeat("b", i)] = "v"
		}
		got := decodeAlerts(t, post(t, nil, alert("firing", "a", labels))).Events[0].Labels
		if len(got) != 64 || got["alertname"] != "A" || got["long"]+got["steering"]+got["number"] != "" {
			t.Errorf("got %d labels: %v", len(got), got)
		}
	})

	t.Run("Grafana's body is read too", func(t *testing.T) {
		b := decodeAlerts(t, post(t, map[string]any{"version": "1", "orgId": 1, "title": "[FIRING:1]", "state": "alerting"},
			alert("firing", "a", map[string]any{"alertname": "CertExpired"})))
		if len(b.Events) != 1 || b.Events[0].Kind != event.Expired {
			t.Errorf("got %+v", b)
		}
	})
}

func TestAlertmanager_Refused(t *testing.T) {
	for _, c := range []struct {
		claim string
		body  []byte
		class error
		want  string
	}{
		{"a body that payload replaces", []byte(`{"text":"expires"}`), event.ErrIncomplete, "body: has no alerts; send Alertmanager's own body: remove payload"},
		{"alerts that are none", []byte(`{"alerts":"x"}`), event.ErrInvalid, "alerts: is not an array"},
		{"an alert that is none", []byte(`{"alerts":["x"]}`), event.ErrInvalid, "alerts[0]: is not a JSON object"},
		{"no labels", post(t, nil, alert("firing", "a", nil)), event.ErrInvalid, "alerts[0].labels: is missing or empty"},
		{"a fingerprint that steers a terminal", post(t, nil, alert("firing", "\x1b[2J", map[string]any{"a": "b"})), event.ErrInvalid, "alerts[0].fingerprint: has control characters"},
		{"a start that is no time", []byte(`{"alerts":[{"labels":{"a":"b"},"startsAt":"now"}]}`), event.ErrInvalid, `alerts[0].startsAt: "now" is not a time`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := event.Decode(event.Alertmanager, event.Message{Body: c.body}, event.Fields{})
			assertRefused(t, err, c.class, c.want)
		})
	}
}
