package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// readRecords returns the records of a body: one JSON object, an array of them, or one
// on each line, as log shippers write them.
func readRecords(m Message) ([]object, error) {
	// Where the sender calls them lines there may be one.
	name, _ := m.mediaType()
	lines := splitLines(m.Body)
	if len(lines) > 1 || len(lines) == 1 && name == "application/x-ndjson" {
		return readLines(lines)
	}
	document, err := m.parseJSON()
	if err != nil {
		return nil, err
	}
	return listRecords(wholeBody, document)
}

// splitLines returns the lines of a body whose first line is a whole JSON object, else
// nothing.
func splitLines(body []byte) [][]byte {
	var lines [][]byte
	for line := range bytes.Lines(trimByteOrderMark(body)) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(lines) == 0 && (line[0] != '{' || !json.Valid(line)) {
			return nil
		}
		lines = append(lines, line)
	}
	return lines
}

func readLines(lines [][]byte) ([]object, error) {
	if len(lines) > maxRecords {
		return nil, tooManyRecords(wholeBody, len(lines))
	}
	records := make([]object, len(lines))
	for i, line := range lines {
		place := fmt.Sprintf("line %d", i+1)
		document, err := parseJSON(place, line)
		if err != nil {
			return nil, err
		}
		if records[i], err = asObject(place, document); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// member returns the object that a member is, and an empty one if it is none.
func (o object) member(name string) object {
	fields, _ := o.fields[name].(map[string]any)
	return object{place: memberPlace(o.place, name), fields: fields}
}

// array returns the objects that a member holds; it is an error if it holds anything
// else. An absent one holds none.
func (o object) array(name string) ([]object, error) {
	v, ok := o.fields[name]
	if list, isList := v.([]any); !ok || isList && len(list) == 0 {
		return nil, nil
	}
	place := memberPlace(o.place, name)
	if _, isList := v.([]any); !isList {
		return nil, invalidError(place, "is not an array", "send an array of objects")
	}
	return listRecords(place, v)
}

// scalar returns the string or the number at the first of the paths that has one, as
// text: programs disagree whether an ID is a number. What [isLabel] refuses is nothing.
func (o object) scalar(paths ...string) string {
	if text := o.longText(paths...); isLabel(text) {
		return text
	}
	return ""
}

// longText returns the same whatever characters and length it has. It must not be shown.
func (o object) longText(paths ...string) string {
	for _, path := range paths {
		at, names := o, strings.Split(path, "/")
		for _, name := range names[:len(names)-1] {
			at = at.member(name)
		}
		switch v := at.fields[names[len(names)-1]].(type) {
		case string:
			return strings.TrimSpace(v)
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// texts returns the strings of an array.
func (o object) texts(name string) []string {
	list, _ := o.fields[name].([]any)
	var all []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// steersDisplay reports whether a character is a control character or one that changes
// how a line is read.
func steersDisplay(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

const (
	// maxLabels bounds the labels of an event, and maxText each name and value in bytes.
	maxLabels = 64
	maxText   = 256
	// maxNames bounds the names of a certificate. CAs put up to a hundred into one.
	maxNames = 100
)

// keepLabels returns what of the labels a configuration can match. What is too long for
// that, or would steer a terminal, is left out.
func keepLabels(all map[string]any) map[string]string {
	var names []string
	for name, v := range all {
		if text, ok := v.(string); ok && isLabel(name) && isLabel(text) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	kept := map[string]string{}
	for _, name := range names[:min(len(names), maxLabels)] {
		kept[name], _ = all[name].(string)
	}
	return kept
}

func isLabel(s string) bool {
	return s != "" && len(s) <= maxText && !strings.ContainsFunc(s, steersDisplay)
}

// addNames adds names of the certificate that are not there yet. An event names several
// certificates only where one replaces the other.
func (e *Expiry) addNames(names ...string) {
	for _, name := range names {
		name = strings.TrimSpace(name)
		known := slices.ContainsFunc(e.Names, func(k string) bool { return strings.EqualFold(k, name) })
		if isLabel(name) && len(e.Names) < maxNames && !known {
			e.Names = append(e.Names, name)
		}
	}
}

// setSubject sets the subject, and adds its common name to the names.
func (e *Expiry) setSubject(subject string) {
	if isLabel(subject) {
		e.Subject = subject
		e.addNames(commonName(subject))
	}
}

// setFingerprint sets a thumbprint of either length in any spelling.
func (e *Expiry) setFingerprint(text string) error {
	digits, err := farm.ParseFingerprint(text)
	if err != nil {
		return err
	}
	if len(digits) == 2*sha256.Size {
		e.SHA256 = digits
	} else {
		e.Thumbprint = farm.Thumbprint(digits)
	}
	return nil
}

// splitNames splits a list of names that commas separate, as exporters write it.
func splitNames(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// commonName returns the first common name of a distinguished name, or nothing.
func commonName(subject string) string {
	for part := range strings.SplitSeq(subject, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), "CN") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
