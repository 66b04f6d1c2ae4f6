package event

import "fmt"

func showsAWS(_ Message, first map[string]any) bool {
	return first["detail-type"] != nil || first["TopicArn"] != nil && first["MessageId"] != nil
}

// acmKind returns what a type of event of Certificate Manager says. A renewal that
// needs somebody's action is one that will not come by itself.
//
// Source: AWS, "Amazon EventBridge support for ACM".
func acmKind(detailType string) (Kind, bool) {
	switch detailType {
	case "ACM Certificate Approaching Expiration", "ACM Certificate Renewal Action Required":
		return NearExpiry, true
	case "ACM Certificate Expired":
		return Expired, true
	case "ACM Certificate Available":
		return NewVersion, true
	default:
		return "", false
	}
}

// decodeAWS reads events of EventBridge about Certificate Manager: as EventBridge
// sends them, or in a notification of SNS, whose signature is not looked at here.
func decodeAWS(m Message, _ Fields) (Batch, error) {
	document, err := m.parseJSON()
	if err != nil {
		return Batch{}, err
	}
	records, err := listRecords(wholeBody, document)
	if err != nil {
		return Batch{}, err
	}
	return decodeRecords(records, fromAWS)
}

func fromAWS(o object) (Expiry, error) {
	if o.fields["TopicArn"] == nil {
		return fromEventBridge(o)
	}
	inner, err := openNotification(o)
	if err != nil {
		return Expiry{}, err
	}
	return fromEventBridge(inner)
}

// openNotification returns the event that a notification of SNS carries as text.
//
// Source: AWS, "HTTP/HTTPS notification JSON format".
func openNotification(o object) (object, error) {
	kind, err := o.requiredText("Type")
	if err != nil {
		return object{}, err
	}
	if kind != "Notification" {
		return object{}, &Error{
			Place: memberPlace(o.place, "Type"), Text: fmt.Sprintf("%.40q is no notification", kind),
			Remedy: "where it asks for a confirmation, confirm the subscription, or have farmtrust do it (sns.confirm)", Err: ErrUnknownType,
		}
	}
	place := memberPlace(o.place, "Message")
	text, ok := o.fields["Message"].(string)
	if !ok {
		return object{}, invalidError(place, "is not a string", "send notifications of SNS as they are")
	}
	document, err := parseJSON(place, []byte(text))
	event, isObject := document.(map[string]any)
	if err != nil || !isObject {
		return object{}, &Error{
			Place: place, Text: "is not an event of EventBridge but text",
			Remedy: "have a rule of EventBridge send the matched event to the topic, without an input transformer", Err: ErrUnknownType,
		}
	}
	if event["AlarmName"] != nil && event["detail-type"] == nil {
		return object{}, &Error{
			Place: place, Text: "is an alarm of CloudWatch, which is not read",
			Remedy: "have a rule of EventBridge send the events of ACM to the topic: they say the same, and need no alarm", Err: ErrUnknownType,
		}
	}
	return object{place: place, fields: event}, nil
}

// fromEventBridge reads an event of EventBridge.
//
// Source: AWS, "EventBridge event structure", and for the detail "Amazon EventBridge
// support for ACM", which adds members from time to time.
func fromEventBridge(o object) (e Expiry, err error) {
	name, err := o.requiredText("detail-type")
	if err != nil {
		return Expiry{}, err
	}
	if e.Source, err = o.requiredText("source"); err != nil {
		return Expiry{}, err
	}
	var known bool
	if e.Kind, known = acmKind(name); !known || e.Source != "aws.acm" {
		return Expiry{}, &Error{
			Place: memberPlace(o.place, "detail-type"), Text: fmt.Sprintf("%.80q of %.40q is not about the expiry of a certificate", name, e.Source),
			Remedy: `let the rule match {"source": ["aws.acm"]} and the types that are about expiry`, Err: ErrUnknownType,
		}
	}
	if e.ID, err = o.requiredText("id"); err != nil {
		return Expiry{}, err
	}
	if e.Time, err = o.optionalTime("time"); err != nil {
		return Expiry{}, err
	}
	if e.ARN, err = certificateARN(o); err != nil {
		return Expiry{}, err
	}
	return e, readACM(&e, o)
}

// certificateARN returns the first of the resources; an event of Certificate Manager
// has one.
func certificateARN(o object) (string, error) {
	all, err := o.optionalTexts("resources")
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return "", &Error{
			Place: memberPlace(o.place, "resources"), Text: "does not name the certificate",
			Remedy: "have the rule send the matched event as it is, without an input transformer", Err: ErrIncomplete,
		}
	}
	return all[0], nil
}

// readACM reads the detail, none of which is needed.
func readACM(e *Expiry, o object) error {
	fields, _ := o.fields["detail"].(map[string]any)
	d := object{place: memberPlace(o.place, "detail"), fields: fields}
	for _, name := range []string{"CommonName", "FirstSubjectAlternativeName"} {
		text, err := d.optionalText(name)
		if err != nil {
			return err
		}
		e.addNames(text)
	}
	var err error
	e.NotAfter, err = d.optionalTime("CertificateExpirationDate")
	return err
}
