package event

import "errors"

// What is wrong with a body, for errors.Is. Sending the same body again cannot
// succeed.
var (
	// ErrTooLarge: the body is larger than [MaxBody].
	ErrTooLarge = errors.New("too large")
	// ErrContentType: the content type is not one that is understood.
	ErrContentType = errors.New("unknown content type")
	// ErrInvalid: not JSON, or an event with missing or wrong parts.
	ErrInvalid = errors.New("invalid event")
	// ErrUnknownType: of no format that is understood.
	ErrUnknownType = errors.New("unknown event type")
	// ErrIncomplete: what sent the event on has dropped what identifies the
	// certificate. The remedy says how to configure it.
	ErrIncomplete = errors.New("incomplete event")
)

// Error is what is wrong with a body, where, and the remedy.
type Error struct {
	// Place is a path into the body such as "[1].data.EXP", or "body".
	Place string
	// Text is what is wrong there, Remedy what to do.
	Text   string
	Remedy string
	// Err is one of the errors above.
	Err error
}

// Error returns place, text and remedy.
func (e *Error) Error() string {
	return "decode event: " + e.Place + ": " + e.Text + "; " + e.Remedy
}

// Unwrap returns the class of the error.
func (e *Error) Unwrap() error { return e.Err }

func invalidError(place, text, remedy string) error {
	return &Error{Place: place, Text: text, Remedy: remedy, Err: ErrInvalid}
}
