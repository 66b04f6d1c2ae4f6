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

// maxDepth bounds the nesting of a body; events nest three levels.
const maxDepth = 64

const sendStrictJSON = "send one JSON document in UTF-8 without repeated names"

// parse reads exactly one JSON document. It refuses what encoding/json lets
// pass and two readers could understand differently: repeated names, invalid
// UTF-8, anything after the document.
func parse(place string, body []byte) (any, error) {
	// Windows editors write a byte order mark, which RFC 8259 lets readers ignore.
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, invalid(place, "is not UTF-8", sendStrictJSON)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := value(d, place, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid(place, fmt.Sprintf("more data follows the JSON document at byte %d", d.InputOffset()), sendStrictJSON)
	}
	return v, nil
}

func value(d *json.Decoder, place string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalid(place, fmt.Sprintf("is nested more than %d levels", maxDepth), sendStrictJSON)
	}
	token, err := d.Token()
	if err != nil {
		return nil, notJSON(d, place, err)
	}
	switch token {
	case json.Delim('{'):
		return members(d, place, depth)
	case json.Delim('['):
		return elements(d, place, depth)
	default:
		return token, nil
	}
}

func members(d *json.Decoder, place string, depth int) (any, error) {
	all := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(d, place, err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, invalid(place, fmt.Sprintf("is not JSON: a name is missing at byte %d", d.InputOffset()), sendStrictJSON)
		}
		if _, repeated := all[name]; repeated {
			return nil, invalid(member(place, name), "occurs twice", sendStrictJSON)
		}
		if all[name], err = value(d, member(place, name), depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return all, notJSON(d, place, err)
}

func elements(d *json.Decoder, place string, depth int) (any, error) {
	all := []any{}
	for d.More() {
		v, err := value(d, element(place, len(all)), depth+1)
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
		return invalid(place, "ends in the middle of the JSON document", sendStrictJSON)
	default:
		return invalid(place, fmt.Sprintf("is not JSON at byte %d: %v", d.InputOffset(), err), sendStrictJSON)
	}
}

// whole is the place of what concerns the body and no part of it.
const whole = "body"

// member names a part of an object. A name of the sender's is quoted where it
// is not plain, and cut where it is long: errors end up in logs.
func member(place, name string) string {
	if len(name) > 40 {
		name = name[:40] + "..."
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '"' || r > '~' }) {
		name = strconv.QuoteToASCII(name)
	}
	if place == whole {
		return name
	}
	return place + "." + name
}

func element(place string, i int) string {
	if place == whole {
		place = ""
	}
	return fmt.Sprintf("%s[%d]", place, i)
}
