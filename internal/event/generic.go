package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// decodeGeneric reads JSON of any shape, as the field map describes it: one document, an
// array of events, or a document on each line.
func decodeGeneric(m Message, f Fields) (Batch, error) {
	records, err := readRecords(m)
	if err != nil {
		return Batch{}, err
	}
	if f.Events != "" {
		if records, err = f.listEvents(records); err != nil {
			return Batch{}, err
		}
	}
	return decodeRecords(records, func(o object) (Expiry, error) { return f.read(o) })
}

// listEvents returns the events of all documents.
func (f Fields) listEvents(documents []object) (all []object, err error) {
	steps, err := parsePath(f.Events)
	if err != nil {
		return nil, invalidError(wholeBody, err.Error(), "correct fields.events of this source")
	}
	for _, d := range documents {
		holder, name := d.follow(steps)
		place, inside := memberPlace(holder.place, name), holder.fields[name]
		if inside == nil {
			return nil, invalidError(place, "is missing", "send it, or correct fields.events of this source")
		}
		events, err := listRecords(place, inside)
		if err != nil {
			return nil, err
		}
		if all = append(all, events...); len(all) > maxRecords {
			return nil, tooManyRecords(wholeBody, len(all))
		}
	}
	return all, nil
}

// read reads one record.
func (f Fields) read(o object) (e Expiry, err error) {
	r := &fieldReader{record: o}
	e.Source, e.ID = r.text(f.Source), r.text(f.ID)
	e.Vault, e.Certificate, e.Version = r.text(f.Vault), r.text(f.Certificate), r.text(f.Version)
	e.ARN, e.Subject, e.Farm = r.text(f.ARN), r.text(f.Subject), r.text(f.Farm)
	r.parse(f.Thumbprint, "send the certificate's SHA-1 or SHA-256 thumbprint", e.setFingerprint)
	r.parse(f.Serial, "send the certificate's serial number", e.setSerial)
	r.parse(f.Time, "send RFC 3339, or seconds since 1970", readTime(&e.Time))
	r.parse(f.NotAfter, "send RFC 3339, or seconds since 1970", readTime(&e.NotAfter))
	f.readNames(r, &e)
	f.readLabels(r, &e)
	// What is about something else need not be complete.
	if err := f.setKind(o, &e, r.text(f.Kind)); err != nil || r.err != nil {
		return Expiry{}, cmp.Or(r.err, err)
	}
	return e, f.complete(o, &e)
}

func (f Fields) readNames(r *fieldReader, e *Expiry) {
	if f.Names == "" || r.err != nil {
		return
	}
	holder, name, err := r.find(f.Names)
	if err == nil {
		var names []string
		names, err = holder.optionalTexts(name)
		e.addNames(names...)
	}
	r.err = err
}

func (f Fields) readLabels(r *fieldReader, e *Expiry) {
	for name, path := range f.Labels {
		if text := r.text(path); text != "" {
			if e.Labels == nil {
				e.Labels = map[string]string{}
			}
			e.Labels[name] = text
		}
	}
}

// complete sets source and ID where the record has none, and demands that it has some
// of what identifies the certificate.
func (f Fields) complete(o object, e *Expiry) error {
	if e.Source == "" {
		e.Source = f.Name
	}
	if e.Source == "" {
		e.Source = string(Generic)
	}
	if f.ID != "" && e.ID == "" {
		return invalidError(o.place, "has no "+f.ID, "send it: events are told apart by it; or leave out fields.id of this source")
	}
	if e.ID == "" {
		// Marshal writes the names of a map in their order.
		content, err := json.Marshal(o.fields)
		if err != nil {
			return invalidError(o.place, err.Error(), sendStrictJSON)
		}
		sum := sha256.Sum256(content)
		e.ID = hex.EncodeToString(sum[:])
	}
	if wanted := f.identifying(); len(wanted) > 0 && !e.identified() {
		return &Error{
			Place: o.place, Text: "identifies no certificate: it has none of " + strings.Join(wanted, ", "),
			Remedy: "send one of them, or correct fields of this source", Err: ErrIncomplete,
		}
	}
	return nil
}

// identifying lists the paths to what identifies a certificate or its farm.
func (f Fields) identifying() []string {
	var all []string
	for _, path := range []string{f.Vault, f.Certificate, f.Thumbprint, f.Serial, f.ARN, f.Subject, f.Names, f.Farm} {
		if path != "" {
			all = append(all, path)
		}
	}
	return all
}

func (f Fields) setKind(o object, e *Expiry, sent string) error {
	if f.Kind == "" {
		e.Kind = NearExpiry
		return nil
	}
	kind, known := f.Kinds[sent]
	if !known {
		kind, known = ParseKind(sent)
	}
	switch {
	case known:
		e.Kind = kind
		return nil
	case sent == "":
		return &Error{
			Place: o.place, Text: "has no " + f.Kind + ", which says what happened",
			Remedy: "if that is elsewhere, correct fields.kind of this source", Err: ErrUnknownType,
		}
	}
	return &Error{
		Place: o.place, Text: fmt.Sprintf("%s is %.80q, which is not about the expiry of a certificate", f.Kind, sent),
		Remedy: "if it is, say in fields.kinds of this source what it means", Err: ErrUnknownType,
	}
}

// identified reports whether the event says which certificate, or which farm, it
// concerns.
func (e *Expiry) identified() bool {
	return e.Vault+e.Certificate+string(e.Thumbprint)+e.SHA256+e.ARN+e.Subject+e.Farm != "" || len(e.Serials)+len(e.Names) > 0
}

// setSerial takes a serial number in any spelling.
func (e *Expiry) setSerial(text string) error {
	serials, err := farm.ParseSerial(text)
	if err == nil {
		e.Serials = serials
	}
	return err
}
