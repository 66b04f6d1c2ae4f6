package logging

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// layOutJSON lays an entry out as a JSON object.
func layOutJSON(line *buffer.Buffer, e entry) {
	line.AppendByte('{')
	appendMember(line, "time", e.at.Format(time.RFC3339Nano))
	line.AppendByte(',')
	appendMember(line, "level", e.level.String())
	line.AppendByte(',')
	appendMember(line, "msg", e.message)
	for _, key := range slices.Sorted(maps.Keys(e.fields)) {
		value := e.fields[key]
		if d, ok := value.(time.Duration); ok {
			key, value = strings.TrimSuffix(key, "Ms")+"Ms", d.Milliseconds()
		}
		line.AppendByte(',')
		appendMember(line, key, value)
	}
	line.AppendByte('}')
}

func appendMember(line *buffer.Buffer, key string, value any) {
	line.AppendString(toJSON(key))
	line.AppendByte(':')
	line.AppendString(toJSON(value))
}

// toJSON is a value as JSON. What has no JSON, as a number that is none, is a text.
func toJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return toJSON(fmt.Sprint(value))
	}
	return string(text)
}

// leading are the fields that begin a line of text. Those in hidden are for programs
// only where an entry is about an event: its message says the same.
var (
	leading = []string{"farm", "server"}
	hidden  = []string{"event", "run", "runId", "activity", "attempt", "nextIn"}
)

// layOutText lays an entry out for a person:
//
//	2026-01-05T06:00:00Z contoso oos-03.contoso.com import certificate: changed (1.2s)
//
// Levels other than info are named, and fields that the message does not have
// already follow it.
func layOutText(line *buffer.Buffer, e entry) {
	line.AppendString(e.at.Format(time.RFC3339))
	if e.level != zapcore.InfoLevel {
		line.AppendString(" " + strings.ToUpper(e.level.String()))
	}
	for _, key := range leading {
		if value := formatValue(e.fields[key]); value != "" {
			line.AppendString(" " + value)
		}
	}
	line.AppendString(" " + e.message)
	if took, ok := e.fields["took"].(time.Duration); ok {
		line.AppendString(" (" + farm.FormatDuration(took) + ")")
	}
	for _, key := range slices.Sorted(maps.Keys(e.fields)) {
		if !e.says(key) {
			line.AppendString(" " + key + "=" + quoteBlanks(formatValue(e.fields[key])))
		}
	}
}

// says reports whether the beginning of a line and its message leave nothing to add
// from a field.
func (e entry) says(key string) bool {
	text, isText := e.fields[key].(string)
	return key == "took" || slices.Contains(leading, key) || isText && strings.Contains(e.message, text) ||
		e.fields["event"] != nil && slices.Contains(hidden, key)
}

// formatValue is a value as text; empty for none.
func formatValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Duration:
		return farm.FormatDuration(v)
	}
	return fmt.Sprint(v)
}

// quoteBlanks quotes a text that has blanks, so that its end is seen.
func quoteBlanks(s string) string {
	if strings.ContainsAny(s, " \"=") {
		return strconv.Quote(s)
	}
	return s
}
