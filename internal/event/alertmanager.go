package event

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// showsAlertmanager reports whether the body is one of Alertmanager's.
func showsAlertmanager(_ Message, first map[string]any) bool {
	_, alerts := first["alerts"].([]any)
	_, receiver := first["receiver"]
	return alerts && receiver
}

// decodeAlertmanager reads what Prometheus Alertmanager posts, and Grafana, whose body
// has the same members and calls itself version 1. Each firing alert is an event; which
// rule fired is for Alertmanager's routes to select.
//
// Source: Prometheus, "Alertmanager configuration", webhook_config; Grafana, "Configure
// webhook notifications".
func decodeAlertmanager(m Message, _ Fields) (Batch, error) {
	documents, err := readRecords(m)
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	for _, o := range documents {
		if err := b.addAlerts(o); err != nil {
			return Batch{}, err
		}
	}
	return b, nil
}

func (b *Batch) addAlerts(o object) error {
	if _, ok := o.fields["alerts"]; !ok {
		return &Error{
			Place: o.place, Text: "has no alerts",
			Remedy: "send Alertmanager's own body: remove payload from this webhook_config", Err: ErrIncomplete,
		}
	}
	alerts, err := o.array("alerts")
	if err != nil {
		return err
	}
	source, err := o.optionalText("externalURL")
	if err != nil {
		return err
	}
	if source == "" {
		source = "alertmanager"
	}
	for _, alert := range alerts {
		e, err := readAlert(alert, source)
		if err := b.add(alert.place, e, err); err != nil {
			return err
		}
	}
	if len(alerts) == 0 {
		b.Passed = append(b.Passed, Passed{Place: o.place, Reason: "holds no alert"})
	}
	if cut := o.scalar("truncatedAlerts"); cut != "" && cut != "0" {
		b.Passed = append(b.Passed, Passed{
			Place:  memberPlace(o.place, "truncatedAlerts"),
			Reason: fmt.Sprintf("%.20q alerts were cut off; remove max_alerts from this webhook_config", cut),
		})
	}
	return nil
}

// readAlert reads one alert. Alertmanager repeats it every repeat_interval while it
// fires, with the same fingerprint and start.
func readAlert(o object, source string) (e Expiry, err error) {
	labels := o.member("labels")
	name := labels.scalar("alertname")
	if o.scalar("status") == "resolved" {
		return e, &Error{Place: o.place, Text: fmt.Sprintf("alert %.80q is resolved", name), Remedy: "nothing is to be done", Err: ErrUnknownType}
	}
	if len(labels.fields) == 0 {
		return e, invalidError(labels.place, "is missing or empty", "send the labels of the alert")
	}
	if e.Time, err = o.optionalTime("startsAt"); err != nil {
		return e, err
	}
	fingerprint, err := o.optionalText("fingerprint")
	if err != nil {
		return e, err
	}
	if fingerprint == "" {
		fingerprint = hashOf(labels.fields)
	}
	e.Source, e.ID, e.Kind = source, fingerprint+"/"+o.scalar("startsAt"), NearExpiry
	if strings.Contains(strings.ToLower(name), "expired") {
		e.Kind = Expired
	}
	e.Labels = keepLabels(labels.fields)
	for _, label := range slices.Sorted(maps.Keys(labels.fields)) {
		e.identify(label, labels.longText(label))
	}
	e.Certificate = name
	if len(e.Names) > 0 {
		e.Certificate = e.Names[0]
	}
	return e, nil
}

// identify reads a label by which an exporter identifies a certificate. One that is not
// what its name says is a label like any other.
//
// Source: the labels of x509-certificate-exporter (serial_number, subject_CN),
// blackbox_exporter (fingerprint_sha256, subject, subjectalternative), ssl_exporter
// (serial_no, cn, dnsnames), cert-exporter (cn) and yet-another-cloudwatch-exporter
// (dimension_CertificateArn).
func (e *Expiry) identify(label, value string) {
	switch plain := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(label)); plain {
	case "thumbprint", "fingerprint", "sha1", "sha256", "fingerprintsha1", "fingerprintsha256", "thumbprintsha1", "thumbprintsha256":
		_ = e.setFingerprint(value)
	case "serial", "serialnumber", "serialno":
		_ = e.setSerial(value)
	case "subject":
		e.setSubject(value)
	case "subjectcn", "commonname", "cn":
		e.addNames(value)
	case "subjectalternative", "subjectalternativenames", "san", "sans", "dnsnames":
		e.addNames(splitNames(value)...)
	case "dimensioncertificatearn", "certificatearn", "arn":
		if isLabel(value) {
			e.ARN = value
		}
	}
}

// hashOf stands for a JSON value: encoding/json sorts the names of an object.
func hashOf(v any) string {
	encoded, _ := json.Marshal(v) // what was parsed as JSON can be written as JSON
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:16])
}
