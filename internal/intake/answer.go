package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/farmtrust/farmtrust/internal/delivery"
	"github.com/farmtrust/farmtrust/internal/event"
)

// answer is what a sender gets to hear.
type answer struct {
	status int
	// retryAfter is when to send again; zero where the status says it all.
	retryAfter time.Duration
	header     http.Header
	// body is written as JSON; nil is none.
	body any
	// reason is why nothing was taken; empty where it was.
	reason string
}

// problem is the body of an answer that takes nothing.
type problem struct {
	Error string `json:"error"`
}

// The answers that take nothing, by who must do something.

// refuse is for what can never succeed, however often it is sent. The text has the remedy.
func refuse(status int, text string) answer {
	return answer{status: status, body: problem{text}, reason: text}
}

// noSource is for an address that is none of a source.
func noSource() answer {
	return refuse(http.StatusNotFound, "there is no such source: send to /events/NAME, with a name under listen.sources")
}

// sendAgain is for what may succeed later.
func sendAgain(after time.Duration, text string) answer {
	return answer{status: http.StatusServiceUnavailable, retryAfter: after, body: problem{text}, reason: text}
}

// tooMany is for a source that sends more than its rate.
func tooMany(wait time.Duration) answer {
	return sendAgain(wait, "more events than the source's rate")
}

// refusedError means that a request does not prove that it comes from its source.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

func refused(format string, args ...any) error { return &refusedError{fmt.Sprintf(format, args...)} }

// unproven is the answer to a proof that failed. The challenge is what is asked for; some
// senders show their password only then (RFC 9110, section 11.6.1). What keeps the door
// from checking a proof is the door's problem, and no reason for the sender to give up.
func unproven(err error, challenge string) answer {
	if r, ok := errors.AsType[*refusedError](err); ok {
		a := refuse(http.StatusUnauthorized, r.text)
		if challenge != "" {
			a.header = http.Header{"Www-Authenticate": {challenge}}
		}
		return a
	}
	return answer{status: http.StatusServiceUnavailable, retryAfter: retryOurs, body: problem{"the proof cannot be checked now"}, reason: err.Error()}
}

// undecoded is the answer to a message that was not understood.
func undecoded(err error) answer {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, event.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, event.ErrContentType):
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, event.ErrUnknownType), errors.Is(err, event.ErrIncomplete):
		status = http.StatusUnprocessableEntity
	}
	return refuse(status, err.Error())
}

// unstored is the answer where events could not be stored. Why not is the door's to know.
func unstored(err error) answer {
	a := sendAgain(retryStore, "not all events could be stored")
	a.reason = "Temporal has not stored all events: " + err.Error()
	if busy, ok := errors.AsType[*delivery.BusyError](err); ok {
		a.retryAfter = busy.After
	}
	return a
}

// write sends the answer. There is nowhere to report a sender to that is gone.
func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	maps.Copy(h, a.header)
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retryAfter.Seconds()))))
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}
