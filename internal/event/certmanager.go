package event

import (
	"fmt"
	"strings"
)

// showsCertManager reports whether the body holds objects of Kubernetes.
func showsCertManager(_ Message, first map[string]any) bool {
	o := object{fields: first}
	version := o.scalar("apiVersion", "object/apiVersion")
	return o.scalar("involvedObject/kind", "regarding/kind", "object/involvedObject/kind") != "" ||
		strings.HasPrefix(version, certManagerGroup) || o.scalar("kind") == "List"
}

// certManagerGroup begins the API version of cert-manager's objects.
const certManagerGroup = "cert-manager.io/"

// decodeCertManager reads what programs that watch Kubernetes send on: the events that
// cert-manager records about its Certificate objects, or these objects, alone or as the
// changes of a watch. They carry no thumbprint: namespace and name identify the
// certificate.
func decodeCertManager(m Message, _ Fields) (Batch, error) {
	records, err := readRecords(m)
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	for _, o := range records {
		objects := []object{o}
		if strings.HasSuffix(o.scalar("kind"), "List") {
			if objects, err = o.array("items"); err != nil {
				return Batch{}, err
			}
			if len(objects) == 0 {
				b.Passed = append(b.Passed, Passed{Place: o.place, Reason: "lists no object"})
			}
		}
		for _, one := range objects {
			e, err := readKubernetes(one)
			if err := b.add(one.place, e, err); err != nil {
				return Batch{}, err
			}
		}
	}
	return b, nil
}

// readKubernetes reads an object, or the change of one.
//
// Source: Kubernetes API, Event v1 core and events.k8s.io (which calls the object
// regarding, and the message note), WatchEvent.
func readKubernetes(o object) (Expiry, error) {
	if change := o.member("object"); change.fields != nil {
		if o.scalar("type") == "DELETED" {
			return Expiry{}, asksForNothing(o.place, "an object was deleted")
		}
		o = change
	}
	cluster := o.scalar("clusterName")
	switch {
	case o.member("involvedObject").fields != nil:
		return readCertManagerEvent(o, o.member("involvedObject"), cluster, o.longText("message"))
	case o.member("regarding").fields != nil:
		return readCertManagerEvent(o, o.member("regarding"), cluster, o.longText("note"))
	case o.scalar("kind") == "Certificate" && strings.HasPrefix(o.scalar("apiVersion"), certManagerGroup):
		return readCertificateObject(o)
	default:
		return Expiry{}, asksForNothing(o.place, fmt.Sprintf("%.80q is neither an event nor a Certificate of cert-manager", o.scalar("kind")))
	}
}

func asksForNothing(place, text string) error {
	return &Error{Place: place, Text: text, Remedy: "send the events of cert-manager's Certificate objects", Err: ErrUnknownType}
}

// The messages by which cert-manager's event with the reason Issuing says what happens.
// The beginning and the end of an issuance have the same reason.
//
// Source: cert-manager, pkg/controller/certificates: policies/checks.go and
// issuing/issuing_controller.go.
const (
	messageRenewing = "Renewing certificate"
	messageExpired  = "Certificate expired on"
	messageIssued   = "The certificate has been successfully issued"
)

// readCertManagerEvent reads an event about an object.
func readCertManagerEvent(o, about object, cluster, message string) (e Expiry, err error) {
	if about.scalar("kind") != "Certificate" || !strings.HasPrefix(about.scalar("apiVersion"), certManagerGroup) {
		return e, asksForNothing(o.place, fmt.Sprintf("is about a %.80q, not a Certificate of cert-manager", about.scalar("kind")))
	}
	switch reason := o.scalar("reason"); {
	case reason != "Issuing":
		return e, asksForNothing(o.place, fmt.Sprintf("reason %.80q is no step of its renewal that counts", reason))
	case strings.HasPrefix(message, messageIssued):
		e.Kind = NewVersion
	case strings.HasPrefix(message, messageRenewing):
		e.Kind = NearExpiry
	case strings.HasPrefix(message, messageExpired):
		e.Kind = Expired
	default:
		return e, asksForNothing(o.place, fmt.Sprintf("issuance for another reason: %.120q", message))
	}
	uid, err := o.member("metadata").requiredText("uid")
	if err != nil {
		return e, err
	}
	// Kubernetes counts up an event that happens again within its lifetime, so that a
	// certificate of an hour is issued four times in one event.
	count := o.scalar("series/count", "count", "deprecatedCount")
	e.ID = uid + "/" + count
	for _, name := range []string{"eventTime", "lastTimestamp", "deprecatedLastTimestamp"} {
		if e.Time, err = o.optionalTime(name); err != nil {
			return e, err
		}
		if !e.Time.IsZero() {
			break
		}
	}
	return e, e.nameObject(about, cluster)
}

// readCertificateObject reads the state of a Certificate object.
//
// Source: cert-manager, "API reference", CertificateStatus.
func readCertificateObject(o object) (e Expiry, err error) {
	metadata, status, spec := o.member("metadata"), o.member("status"), o.member("spec")
	conditions, err := status.array("conditions")
	if err != nil {
		return e, err
	}
	var ready object
	for _, c := range conditions {
		if c.scalar("type") == "Ready" {
			ready = c
		}
	}
	switch {
	case ready.scalar("status") == "True":
		e.Kind = NewVersion
	case ready.scalar("reason") == "Expired":
		e.Kind = Expired
	default:
		return e, asksForNothing(o.place, fmt.Sprintf("the certificate is not ready: %.80q", ready.scalar("reason")))
	}
	uid, err := metadata.requiredText("uid")
	if err != nil {
		return e, err
	}
	e.Version = status.scalar("revision")
	e.ID = fmt.Sprintf("%s/%s/%s", uid, e.Version, ready.scalar("reason"))
	if e.Time, err = ready.optionalTime("lastTransitionTime"); err != nil {
		return e, err
	}
	if e.NotAfter, err = status.optionalTime("notAfter"); err != nil {
		return e, err
	}
	e.addNames(spec.scalar("commonName"))
	e.addNames(spec.texts("dnsNames")...)
	return e, e.nameObject(metadata, "")
}

// nameObject says which object it is. Labels are those of the object.
func (e *Expiry) nameObject(o object, cluster string) (err error) {
	if e.Vault, err = o.requiredText("namespace"); err != nil {
		return err
	}
	if e.Certificate, err = o.requiredText("name"); err != nil {
		return err
	}
	e.Source = "kubernetes://" + cluster + "/" + e.Vault
	e.Labels = keepLabels(o.member("labels").fields)
	return nil
}
