package event_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/event"
)

// available is the event of the sample acm.CertificateAvailable.
var available = event.Expiry{
	ID: "0f1a2b3c-0000-4000-8000-000000000001", Source: "aws.acm", Kind: event.NewVersion,
	Time:  time.Date(2026, 1, 22, 18, 43, 48, 0, time.UTC),
	ARN:   "arn:aws:acm:us-east-1:123456789012:certificate/61f50cd4-45b9-4259-b049-d0a53682fa4b",
	Names: []string{"oos.contoso.com"}, NotAfter: time.Date(2027, 1, 22, 18, 43, 48, 0, time.UTC),
}

// notification wraps a message as SNS does.
func notification(t testing.TB, kind, message string) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"Type": kind, "MessageId": "m1", "TopicArn": "arn:aws:sns:us-east-1:123456789012:expiry", "Message": message,
		"Timestamp": "2026-01-22T18:43:49.000Z", "SignatureVersion": "2", "Signature": "AA==",
		"SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem",
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDecode_AWS(t *testing.T) {
	sample := readSample(t, "acm.CertificateAvailable.DERIVED.json")
	plain := http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}
	for claim, c := range map[string]struct {
		m    event.Message
		want event.Expiry
	}{
		"an event of EventBridge":             {event.Message{Body: sample}, available},
		"in a notification of SNS":            {event.Message{Header: plain, Body: notification(t, "Notification", string(sample))}, available},
		"by raw delivery of SNS":              {event.Message{Header: plain, Body: sample}, available},
		"the sample of AWS's documentation":   {event.Message{Body: readSample(t, "acm.CertificateApproachingExpiration.awsdoc.json")}, approaching},
		"what AWS has added since":            {event.Message{Body: changed(sample, `"Action"`, `"FirstSubjectAlternativeName": "OOS.contoso.com", "x": {"y": []}, "Action"`)}, available},
		"with a second name":                  {event.Message{Body: changed(sample, `"Action"`, `"FirstSubjectAlternativeName": "office.contoso.com", "Action"`)}, withName(available, "office.contoso.com")},
		"a renewal that needs an action":      {event.Message{Body: changed(sample, "ACM Certificate Available", "ACM Certificate Renewal Action Required")}, withKind(available, event.NearExpiry)},
		"an expired certificate":              {event.Message{Body: changed(sample, "ACM Certificate Available", "ACM Certificate Expired")}, withKind(available, event.Expired)},
		"an event whose detail is left empty": {event.Message{Body: changed(sample, `"detail": {`, `"detail": null, "other": {`)}, withoutDetail(available)},
	} {
		t.Run(claim, func(t *testing.T) {
			for _, format := range []event.Format{event.AWS, ""} {
				got, err := event.Decode(format, c.m, event.Fields{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(event.Batch{Events: []event.Expiry{c.want}}, got); diff != "" {
					t.Errorf("as %q: %s", format, diff)
				}
			}
		})
	}
}

var approaching = event.Expiry{
	ID: "id", Source: "aws.acm", Kind: event.NearExpiry, Time: time.Date(2020, 9, 30, 6, 51, 8, 0, time.UTC),
	ARN: "arn:aws:acm:region:account:certificate/certificate_ID", Names: []string{"example.com"},
}

func changed(body []byte, old, replacement string) []byte {
	return []byte(strings.Replace(string(body), old, replacement, 1))
}

func withName(e event.Expiry, name string) event.Expiry {
	e.Names = append(slices.Clone(e.Names), name)
	return e
}

func withKind(e event.Expiry, k event.Kind) event.Expiry {
	e.Kind = k
	return e
}

func withoutDetail(e event.Expiry) event.Expiry {
	e.Names, e.NotAfter = nil, time.Time{}
	return e
}

func TestDecode_AWS_PassesOver(t *testing.T) {
	sample := readSample(t, "acm.CertificateAvailable.DERIVED.json")
	for claim, c := range map[string]struct {
		body []byte
		want string
	}{
		"a revoked certificate":        {changed(sample, "ACM Certificate Available", "ACM Certificate Revoked"), `"ACM Certificate Revoked" of "aws.acm" is not about the expiry`},
		"another service":              {changed(sample, `"aws.acm"`, `"aws.s3"`), `of "aws.s3" is not about the expiry`},
		"a request for a confirmation": {notification(t, "SubscriptionConfirmation", "You have chosen to subscribe"), `"SubscriptionConfirmation" is no notification; where it asks for a confirmation`},
		"a notification in words":      {notification(t, "Notification", "hello"), "is not an event of EventBridge but text; have a rule of EventBridge"},
		"an alarm of CloudWatch":       {notification(t, "Notification", `{"AlarmName":"oos","NewStateValue":"ALARM"}`), "is an alarm of CloudWatch, which is not read; have a rule of EventBridge send the events of ACM"},
		"a notification of a list":     {notification(t, "Notification", "[]"), "is not an event of EventBridge but text"},
	} {
		t.Run(claim, func(t *testing.T) {
			got, err := event.Decode(event.AWS, event.Message{Body: c.body}, event.Fields{})
			assertPassed(t, got, err, c.want)
		})
	}
}

func TestDecode_AWS_Refuses(t *testing.T) {
	sample := readSample(t, "acm.CertificateAvailable.DERIVED.json")
	for claim, c := range map[string]struct {
		body  []byte
		class error
		want  string
	}{
		"without its certificate": {changed(sample, `"resources"`, `"r"`), event.ErrIncomplete, "resources: does not name the certificate; have the rule send the matched event as it is, without an input transformer"},
		"without an ID":           {changed(sample, `"id"`, `"i"`), event.ErrInvalid, "id: is missing or empty"},
		"with a bad end":          {changed(sample, "2027-01-22T18:43:48Z", "soon"), event.ErrInvalid, `detail.CertificateExpirationDate: "soon" is not a time`},
		"a name too long":         {changed(sample, "oos.contoso.com", strings.Repeat("x", 2049)), event.ErrInvalid, "detail.CommonName: is longer than 2048 bytes"},
		"too many resources":      {changed(sample, `"resources": [`, `"resources": [`+strings.Repeat(`"a",`, 100)), event.ErrInvalid, "resources: has more than 100 elements"},
		"a message that is none":  {changed(notification(t, "Notification", "x"), `"Message":"x"`, `"Message":1`), event.ErrInvalid, "Message: is not a string"},
		"inside a notification":   {notification(t, "Notification", string(changed(sample, `"id"`, `"i"`))), event.ErrInvalid, "Message.id: is missing or empty"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := event.Decode(event.AWS, event.Message{Body: c.body}, event.Fields{})
			assertRefused(t, err, c.class, c.want)
		})
	}
}
