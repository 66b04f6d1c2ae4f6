package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// longestText bounds each text of an event, in bytes. An ARN has up to 2,048
// characters, and no other text is as long.
const longestText = 2048

// object is a JSON object at a place in the body.
type object struct {
	place  string
	fields map[string]any
}

// optionalText returns a string without surrounding blanks, which some of
// Microsoft's samples have. An absent or null member is empty. Control characters are
// refused, with the characters that change how a line is read: they would reach terminals.
//
// Source: CloudEvents 1.0.2, "Type System", on what a String must not have.
func (o object) optionalText(name string) (string, error) {
	switch v := o.fields[name].(type) {
	case nil:
		return "", nil
	case string:
		v = strings.TrimSpace(v)
		if len(v) > longestText {
			return "", invalidError(memberPlace(o.place, name), fmt.Sprintf("is longer than %d bytes", longestText), "send a shorter text")
		}
		if strings.ContainsFunc(v, steersDisplay) {
			return "", invalidError(memberPlace(o.place, name), "has control characters", "send text without them")
		}
		return v, nil
	default:
		return "", invalidError(memberPlace(o.place, name), "is not a string", "send a string")
	}
}

func (o object) requiredText(name string) (string, error) {
	v, err := o.optionalText(name)
	if err == nil && v == "" {
		return "", invalidError(memberPlace(o.place, name), "is missing or empty", "send it: events are told apart and recognised by it")
	}
	return v, err
}

// optionalScalar is optionalText, and the text of a number or of a truth value.
func (o object) optionalScalar(name string) (string, error) {
	switch v := o.fields[name].(type) {
	case json.Number:
		o.fields = map[string]any{name: v.String()}
	case bool:
		o.fields = map[string]any{name: strconv.FormatBool(v)}
	}
	return o.optionalText(name)
}

// optionalTexts returns a list of strings, or the one string that stands for it,
// without empty ones.
func (o object) optionalTexts(name string) ([]string, error) {
	list, ok := o.fields[name].([]any)
	if !ok {
		text, err := o.optionalText(name)
		if err != nil || text == "" {
			return nil, err
		}
		return []string{text}, nil
	}
	if len(list) > maxNames {
		return nil, invalidError(memberPlace(o.place, name), fmt.Sprintf("has more than %d elements", maxNames), "send fewer")
	}
	var texts []string
	for i, v := range list {
		element := elementPlace(name, i)
		text, err := object{place: o.place, fields: map[string]any{element: v}}.optionalText(element)
		if err != nil {
			return nil, err
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return texts, nil
}

// optionalTime reads an RFC 3339 time with any number of fraction digits; an absent
// one is zero.
func (o object) optionalTime(name string) (time.Time, error) {
	text, err := o.optionalText(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalidError(memberPlace(o.place, name), fmt.Sprintf("%.40q is not a time", text), "send RFC 3339, such as 2026-01-05T06:00:00Z")
	}
	return t.UTC(), nil
}

// optionalEpoch reads seconds since 1970 as a number or, as in Microsoft's samples,
// as a string; an absent one is the zero time.
func (o object) optionalEpoch(name string) (time.Time, error) {
	var text string
	switch v := o.fields[name].(type) {
	case nil:
		return time.Time{}, nil
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	t, ok := parseEpoch(text)
	if !ok {
		return time.Time{}, invalidError(memberPlace(o.place, name), "is not a whole number of seconds since 1970", "send such a number")
	}
	return t, nil
}

// latestSecond is the last second of the year 9999, the latest that RFC 3339 can
// express.
const latestSecond = 253402300799

func parseEpoch(text string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds != math.Trunc(seconds) || seconds < 0 || seconds > latestSecond {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// readTime returns what reads a time in RFC 3339 or seconds since 1970 into t.
func readTime(t *time.Time) func(string) error {
	return func(text string) (err error) {
		var isEpoch bool
		if *t, isEpoch = parseEpoch(text); isEpoch {
			return nil
		}
		if *t, err = time.Parse(time.RFC3339, text); err != nil {
			return fmt.Errorf("%.40q is not a time", text)
		}
		*t = t.UTC()
		return nil
	}
}
