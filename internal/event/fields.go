package event

// Fields is the field map of [Generic]: where in a JSON document what is. Each value
// is a path, spelled as places are in an [Error]: names with dots between them, such
// as data.cert.serial, with [0] for an element of an array, and with quotes around a
// name that has a dot or a bracket itself.
type Fields struct {
	// Events is the array of events. Empty is the document itself, one event or an
	// array of them; the other paths begin at an event.
	Events string `json:"events,omitempty"`
	// Name is the source where the events name none: that of the configuration. It is
	// no path.
	Name string `json:"-"`
	// Source is where an event comes from; IDs are unique within it.
	Source string `json:"source,omitempty"`
	// ID tells events apart. Without it, an event with the same content is the same.
	ID string `json:"id,omitempty"`
	// Kind is what the event says. Without it, each event is a near expiry. Kinds
	// gives the meaning of its values; others than those, and than the names of the
	// kinds themselves, are passed over.
	Kind  string          `json:"kind,omitempty"`
	Kinds map[string]Kind `json:"kinds,omitempty"`
	// Time is when it happened, NotAfter when the certificate ends: RFC 3339, or
	// seconds since 1970.
	Time     string `json:"time,omitempty"`
	NotAfter string `json:"notAfter,omitempty"`
	// What identifies the certificate, or its farm. An event with none of those that
	// have a path is refused. Thumbprint is SHA-1 or SHA-256, Names one name or an
	// array of them.
	Vault       string `json:"vault,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	Version     string `json:"version,omitempty"`
	Thumbprint  string `json:"thumbprint,omitempty"`
	Serial      string `json:"serial,omitempty"`
	ARN         string `json:"arn,omitempty"`
	Subject     string `json:"subject,omitempty"`
	Names       string `json:"names,omitempty"`
	Farm        string `json:"farm,omitempty"`
	// Labels are paths by the name of the label.
	Labels map[string]string `json:"labels,omitempty"`
}
