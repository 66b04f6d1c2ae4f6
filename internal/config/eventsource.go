package config

import (
	"reflect"
	"strings"

	"github.com/farmtrust/farmtrust/internal/event"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// EventSource is who sends expiry events, in what form, and about which farms, whatever
// the way on which they come.
type EventSource struct {
	// Name names the source in logs, in addresses and in what becomes of its events.
	Name string
	// Format is how its events are written.
	Format event.Format
	// Fields is where they are in a document of [event.Generic].
	Fields event.Fields
	// Farms are the farms that all of its events concern; empty where each event is
	// matched by what it says about its certificate.
	Farms []string
}

// Decode reads the events of a message from this source.
func (s EventSource) Decode(m event.Message) (event.Batch, error) {
	where := s.Fields
	where.Name = s.Name
	return event.Decode(s.Format, m, where)
}

// eventSourceFields are the fields that all sources of events have. Names that the file
// has already are in taken, with their lines.
func (r *reader) eventSourceFields(s *EventSource, taken map[string]int) fields {
	return fields{
		"name":   {required: "name the source, such as vault", read: func(n node) { s.Name = r.readSourceName(n, taken) }},
		"format": {required: "write " + listWords(event.Formats()), read: func(n node) { s.Format = readChoice(r, n, event.Formats(), nil) }},
		"fields": {read: func(n node) { s.Fields = r.readEventFields(n) }},
		"farms": {read: func(n node) {
			r.readList(n, func(n node) { s.Farms = append(s.Farms, r.readSourceFarm(n)) })
		}},
	}
}

// checkEventSource checks what the fields of a source say together.
func (r *reader) checkEventSource(n node, s EventSource) {
	switch hasFields := !reflect.ValueOf(s.Fields).IsZero(); {
	case s.Format == event.Generic && !hasFields && len(s.Farms) == 0:
		r.addProblem(n, "write fields: {thumbprint: PATH, ...}, which say where a document has what, or farms", "format generic has neither fields nor farms: nothing would say which farm an event concerns")
	case s.Format != event.Generic && hasFields && s.Format != "":
		r.addProblem(n, "leave fields out, or write format: generic", "format %s has its own fields", s.Format)
	}
}

func (r *reader) readSourceName(n node, taken map[string]int) string {
	name, ok := r.readName(n, maxName)
	if ok && !farm.IsName(name) {
		r.addProblem(n, "write a name such as vault", "may contain only letters, digits, dots, dashes and underscores")
	}
	if first, is := taken[strings.ToLower(name)]; is && ok {
		r.addProblem(n, "give each source its own name", "source %s is already on line %d", name, first)
	}
	taken[strings.ToLower(name)] = n.Line
	return name
}

// readSourceFarm reads the name of a farm, which may be one of another site: events come
// in at one place, and go to all farms of a Temporal namespace.
func (r *reader) readSourceFarm(n node) string {
	name, ok := r.readText(n)
	if ok && !farm.IsName(name) {
		r.addProblem(n, "name a farm, such as contoso-berlin", "%q is not the name of a farm", name)
	}
	r.sourceFarms = append(r.sourceFarms, n)
	return name
}

// warnOfForeignFarms warns of sources whose events go to farms that the file does not
// have, where it has any.
func (r *reader) warnOfForeignFarms(c *Config) {
	if len(c.Farms) == 0 {
		return
	}
	for _, n := range r.sourceFarms {
		if _, err := c.Farm(n.Value); err != nil {
			r.addWarning(n, "correct the name, unless another site has the farm", "there is no farm %s in this file", n.Value)
		}
	}
}

// kinds are what an event can say.
var kinds = []event.Kind{event.NearExpiry, event.Expired, event.NewVersion}

func (r *reader) readEventFields(n node) (f event.Fields) {
	path := func(to *string) field { return field{read: func(n node) { *to = r.readEventPath(n) }} }
	r.readMapping(n, fields{
		"events": path(&f.Events), "source": path(&f.Source), "id": path(&f.ID), "time": path(&f.Time), "notAfter": path(&f.NotAfter),
		"vault": path(&f.Vault), "certificate": path(&f.Certificate), "version": path(&f.Version),
		"thumbprint": path(&f.Thumbprint), "serial": path(&f.Serial), "arn": path(&f.ARN),
		"subject": path(&f.Subject), "names": path(&f.Names), "farm": path(&f.Farm), "kind": path(&f.Kind),
		"kinds": {read: func(n node) {
			f.Kinds = readWords(r, n, func(n node) event.Kind { return readChoice(r, n, kinds, nil) })
		}},
		"labels": {read: func(n node) {
			f.Labels = readWords(r, n, r.readEventPath)
		}},
	})
	return f
}

// readEventPath reads where in a document something is.
func (r *reader) readEventPath(n node) string {
	path, ok := r.readText(n)
	if err := event.CheckPath(path); ok && err != nil {
		r.addProblem(n, "write names with dots between them, and [0] for an element of an array, such as data.certs[0].serial", "%s", err.Error())
	}
	return path
}

// readWords reads a mapping whose keys are words of the administrator's own.
func readWords[T any](r *reader, n node, value func(node) T) map[string]T {
	if !n.isMapping() {
		r.addProblem(n, "write a word and its value on each line below it", "must be a mapping%s", describeKind(n))
		return nil
	}
	all := map[string]T{}
	for word, v := range r.readEntries(n, map[string]int{}) {
		all[word.Value] = value(v)
	}
	return all
}
