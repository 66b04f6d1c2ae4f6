package intake

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/farmtrust/farmtrust/internal/config"
	"github.com/farmtrust/farmtrust/internal/event"
)

// newGreet returns what answers the questions of a sender; nil where it asks none.
func newGreet(o Options, c config.Sender) func(*http.Request, []byte) (answer, bool) {
	switch c.Format {
	case event.Azure:
		return newEventGrid(o, c).greet
	case event.CloudEvents:
		return func(r *http.Request, _ []byte) (answer, bool) { return greetOrigin(r, c.Rate) }
	default:
		return nil
	}
}

// greetOrigin agrees that an origin sends events here, which senders of CloudEvents ask
// first. It is no proof: each message must show its own. An address to call back that
// the question names is not called.
//
// Source: CloudEvents 1.0.2, "HTTP 1.1 Web Hooks for Event Delivery", section 4.
func greetOrigin(r *http.Request, rate int) (answer, bool) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if r.Method != http.MethodOptions || origin == "" {
		return answer{}, false
	}
	if len(origin) > 253 || strings.ContainsFunc(origin, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return refuse(http.StatusBadRequest, "WebHook-Request-Origin is not the name of a host"), true
	}
	a := answer{status: http.StatusOK, header: http.Header{}}
	a.header.Set("Allow", http.MethodPost)
	a.header.Set("WebHook-Allowed-Origin", origin)
	if r.Header.Get("WebHook-Request-Rate") != "" {
		a.header.Set("WebHook-Allowed-Rate", strconv.Itoa(rate*60)) // a minute
	}
	return a, true
}
