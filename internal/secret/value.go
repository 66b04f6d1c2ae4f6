package secret

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
)

// redacted is how every Value is shown.
const redacted = "[redacted]"

// Value is a secret. It is printed, logged and marshalled as "[redacted]"; only
// [Value.Bytes] reveals it. The zero Value is empty.
type Value struct {
	// reveal holds the bytes in a closure: fmt and other printers ignore the
	// methods of unexported fields and print what is in them, but not functions.
	reveal func() []byte
}

// FromBytes returns a Value with a copy of content.
func FromBytes(content []byte) Value {
	kept := bytes.Clone(content)
	return Value{reveal: func() []byte { return bytes.Clone(kept) }}
}

// Bytes returns a copy of the secret.
func (v Value) Bytes() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// IsZero reports whether the secret is empty.
func (v Value) IsZero() bool { return len(v.Bytes()) == 0 }

// String implements [fmt.Stringer].
func (Value) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Value) GoString() string { return redacted }

// Format implements [fmt.Formatter], for every verb and flag.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements [encoding/json.Marshaler].
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue implements [slog.LogValuer].
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }
