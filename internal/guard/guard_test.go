package guard_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farmtrust/farmtrust/internal/guard"
)

// The paths of Temporal's HTTP API that the tests ask for.
const (
	list  = "/api/v1/namespaces/default/workflows"
	start = "/api/v1/namespaces/default/workflows/rotate%2Fcontoso"
	query = "/api/v1/namespaces/default/workflows/farm%2Fcontoso/query/state"
)

// request is what a browser, a program or an attacker sends to the UI.
type request struct {
	method, host, path string
	headers            map[string]string
}

// send sends a request through a guard, and returns the status, and whether the UI
// saw it.
func (r request) send(t *testing.T, p guard.Policy) (status int, arrived bool) {
	t.Helper()
	ui := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived = true })
	sent := httptest.NewRequestWithContext(t.Context(), r.method, "http://127.0.0.1:8233"+r.path, strings.NewReader(`{}`))
	sent.Host = r.host
	for name, value := range r.headers {
		sent.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	p.Wrap(ui).ServeHTTP(answer, sent)
	if headers := answer.Header(); arrived && (headers.Get("X-Frame-Options") == "" || headers.Get("Referrer-Policy") == "") {
		t.Errorf("the answer's headers are %v", headers)
	}
	return answer.Code, arrived
}

const own = "127.0.0.1:8233"

func TestWrap_PassesWhatAPageOfTheUIAsksFor(t *testing.T) {
	for name, r := range map[string]request{
		"a typed address":            {http.MethodGet, own, "/", map[string]string{"Sec-Fetch-Site": "none"}},
		"its other name":             {http.MethodGet, "LOCALHOST:8233", "/", nil},
		"a link from another page":   {http.MethodGet, own, "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}},
		"a list":                     {http.MethodGet, own, list, map[string]string{"Sec-Fetch-Site": "same-origin"}},
		"a button":                   {http.MethodPost, own, start, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8233"}},
		"a program that sends JSON":  {http.MethodPost, own, start, map[string]string{"Content-Type": "application/json"}},
		"a program that looks":       {http.MethodGet, own, list, nil},
		"a frame of the UI's own":    {http.MethodGet, own, "/render", map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}},
		"a browser without metadata": {http.MethodPost, own, start, map[string]string{"Origin": "http://127.0.0.1:8233"}},
	} {
		t.Run(name, func(t *testing.T) {
			if status, arrived := r.send(t, guard.Policy{Hosts: []string{own, "localhost:8233"}}); !arrived {
				t.Errorf("refused with %d", status)
			}
		})
	}
}

func TestWrap_RefusesWhatOtherPagesSend(t *testing.T) {
	for name, c := range map[string]struct {
		request
		want int
	}{
		"a name made to lead here":       {request{http.MethodGet, "evil.example:8233", "/", nil}, http.StatusMisdirectedRequest},
		"the right name, another port":   {request{http.MethodGet, "127.0.0.1:80", "/", nil}, http.StatusMisdirectedRequest},
		"no name":                        {request{http.MethodGet, "", "/", nil}, http.StatusMisdirectedRequest},
		"a post of another origin":       {request{http.MethodPost, own, start, map[string]string{"Origin": "https://evil.example", "Content-Type": "application/json"}}, http.StatusForbidden},
		"a post of no origin":            {request{http.MethodPost, own, start, map[string]string{"Origin": "null", "Content-Type": "text/plain"}}, http.StatusForbidden},
		"another port of this machine":   {request{http.MethodPost, own, start, map[string]string{"Origin": "http://127.0.0.1:9000", "Sec-Fetch-Site": "same-site"}}, http.StatusForbidden},
		"plain text without an origin":   {request{http.MethodPost, own, start, map[string]string{"Content-Type": "text/plain"}}, http.StatusForbidden},
		"a form without an origin":       {request{http.MethodPost, own, start, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, http.StatusForbidden},
		"a post across sites":            {request{http.MethodPost, own, start, map[string]string{"Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}}, http.StatusForbidden},
		"an image of another site":       {request{http.MethodGet, own, list, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}}, http.StatusForbidden},
		"a frame of another site":        {request{http.MethodGet, own, "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}}, http.StatusForbidden},
		"a form that opens a page":       {request{http.MethodPost, own, start, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": "https://evil.example"}}, http.StatusForbidden},
		"a preflight of another origin":  {request{http.MethodOptions, own, start, map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}}, http.StatusForbidden},
		"an authorization in its pocket": {request{http.MethodPost, own, start, map[string]string{"Origin": "https://evil.example", "Authorization": "Bearer x"}}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			if status, arrived := c.send(t, guard.Policy{Hosts: []string{own}}); arrived || status != c.want {
				t.Errorf("got %d, arrived: %v; want %d", status, arrived, c.want)
			}
		})
	}
}

func TestWrap_ReadOnly(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		want         bool
	}{
		"a list":                              {http.MethodGet, list, true},
		"a query":                             {http.MethodPost, query, true},
		"a start":                             {http.MethodPost, start, false},
		"a start whose name looks like query": {http.MethodPost, "/api/v1/namespaces/default/workflows/a%2Fquery%2Fb", false},
		"a signal":                            {http.MethodPost, "/api/v1/namespaces/default/workflows/x/signal/query", false},
		"a signal of a query's name":          {http.MethodPost, "/api/v1/namespaces/default/workflows/query/signal/query/x", false},
		"a change of the namespace":           {http.MethodPut, query, false},
		"a deletion":                          {http.MethodDelete, start, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := request{c.method, own, c.path, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://" + own}}
			if status, arrived := r.send(t, guard.Policy{Hosts: []string{own}, ReadOnly: true}); arrived != c.want {
				t.Errorf("got %d, arrived: %v", status, arrived)
			}
		})
	}
}
