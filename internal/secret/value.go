package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is all that a Value shows of itself.
const redacted = "[redacted]"

// Value is a secret. However it is printed, logged or marshalled it shows as
// "[redacted]"; only [Value.Bytes] gives it away. The zero Value is empty.
type Value struct {
	content []byte
}

// FromBytes makes a Value of a copy of content.
func FromBytes(content []byte) Value {
	return Value{content: append([]byte(nil), content...)}
}

// Bytes returns a copy of the secret.
func (v Value) Bytes() []byte { return append([]byte(nil), v.content...) }

// IsZero says whether the secret is empty.
func (v Value) IsZero() bool { return len(v.content) == 0 }

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
