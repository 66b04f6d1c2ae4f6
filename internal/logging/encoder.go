package logging

import (
	"fmt"
	"maps"
	"reflect"
	"time"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/farmtrust/farmtrust/internal/report"
)

// encoder collects the fields of an entry and lays them out as a line.
type encoder struct {
	*zapcore.MapObjectEncoder

	layOut func(*buffer.Buffer, entry)
}

// entry is what a line is made of. All of its texts are clean.
type entry struct {
	at      time.Time
	level   zapcore.Level
	message string
	// fields are texts, booleans, numbers and durations.
	fields map[string]any
}

var buffers = buffer.NewPool()

// Clone implements zapcore.Encoder.
func (e *encoder) Clone() zapcore.Encoder { return e.clone() }

func (e *encoder) clone() *encoder {
	copied := &encoder{zapcore.NewMapObjectEncoder(), e.layOut}
	maps.Copy(copied.Fields, e.Fields)
	return copied
}

// EncodeEntry implements zapcore.Encoder.
func (e *encoder) EncodeEntry(from zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	all := e.clone()
	for _, f := range fields {
		if f.Type != zapcore.SkipType {
			f.AddTo(all)
		}
	}
	clean := map[string]any{}
	for key, value := range all.Fields {
		clean[report.CleanText(key)] = cleanValue(value)
	}
	line := buffers.Get()
	e.layOut(line, entry{at: from.Time.UTC(), level: from.Level, message: report.CleanText(from.Message), fields: clean})
	line.AppendByte('\n')
	return line, nil
}

// cleanValue makes whatever was logged harmless.
func cleanValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case time.Duration:
		return v
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return v
	}
	return report.CleanText(fmt.Sprint(v))
}
