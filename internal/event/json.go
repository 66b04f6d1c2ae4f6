package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body; events nest three levels deep.
const maxDepth = 64

const sendStrictJSON = "send one JSON document in UTF-8 without repeated names"

// parseJSON reads exactly one JSON document. It refuses what encoding/json accepts
// although two readers could understand it differently: repeated names, invalid
// UTF-8, anything after the document. encoding/json/v2 refuses the first two, but is
// an experiment in Go 1.26 (GOEXPERIMENT=jsonv2).
func parseJSON(place string, body []byte) (any, error) {
	body = trimByteOrderMark(body)
	if !utf8.Valid(body) {
		return nil, invalidError(place, "is not UTF-8", sendStrictJSON)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parseValue(d, place, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalidError(place, fmt.Sprintf("more data follows the JSON document at byte %d", d.InputOffset()), sendStrictJSON)
	}
	return v, nil
}

// trimByteOrderMark removes the mark that Windows editors write, which RFC 8259 lets
// readers ignore.
func trimByteOrderMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

func parseValue(d *json.Decoder, place string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalidError(place, fmt.Sprintf("is nested more than %d levels", maxDepth), sendStrictJSON)
	}
	token, err := d.Token()
	if err != nil {
		return nil, notJSON(d, place, err)
	}
	switch token {
	case json.Delim('{'):
		return parseMembers(d, place, depth)
	case json.Delim('['):
		return parseElements(d, place, depth)
	default:
		return token, nil
	}
}

func parseMembers(d *json.Decoder, place string, depth int) (any, error) {
	all := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(d, place, err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, invalidError(place, fmt.Sprintf("is not JSON: a name is missing at byte %d", d.InputOffset()), sendStrictJSON)
		}
		if _, repeated := all[name]; repeated {
			return nil, invalidError(memberPlace(place, name), "occurs twice", sendStrictJSON)
		}
		if all[name], err = parseValue(d, memberPlace(place, name), depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return all, notJSON(d, place, err)
}

func parseElements(d *json.Decoder, place string, depth int) (any, error) {
	all := []any{}
	for d.More() {
		v, err := parseValue(d, elementPlace(place, len(all)), depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	_, err := d.Token()
	return all, notJSON(d, place, err)
}

func notJSON(d *json.Decoder, place string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return invalidError(place, "ends in the middle of the JSON document", sendStrictJSON)
	default:
		return invalidError(place, fmt.Sprintf("is not JSON at byte %d: %v", d.InputOffset(), err), sendStrictJSON)
	}
}

// wholeBody is the place of errors that concern no particular part of the body.
const wholeBody = "body"

// memberPlace names a member of an object. The sender chose the name, so it is
// quoted unless it is plain, and truncated: errors end up in logs.
func memberPlace(place, name string) string {
	if len(name) > 40 {
		name = name[:40] + "..."
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }) {
		name = strconv.QuoteToASCII(name)
	}
	if place == wholeBody {
		return name
	}
	return place + "." + name
}

func elementPlace(place string, i int) string {
	if place == wholeBody {
		place = ""
	}
	return fmt.Sprintf("%s[%d]", place, i)
}
