package report

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"time"
)

// WriteJSON writes what programs read: v as one JSON object on one line, all times in
// UTC.
func WriteJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(normalize(reflect.ValueOf(v)).Interface()); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// normalize returns a copy of a value with all times in UTC, because they come from several
// machines and from the zones of maintenance windows, and with empty lists for those that
// are nil, so that no list is null.
func normalize(v reflect.Value) reflect.Value {
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		return reflect.ValueOf(t.UTC())
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(normalize(v.Elem()))
		return copied
	case reflect.Struct:
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				copied.Field(i).Set(normalize(v.Field(i)))
			}
		}
		return copied
	case reflect.Slice:
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(normalize(v.Index(i)))
		}
		return copied
	}
	return v
}
