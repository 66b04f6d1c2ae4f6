// Package guard stands in front of a web UI that trusts anybody who reaches it, such as
// Temporal's, and lets through only what a page of that UI asks for under a name of
// its own.
//
// It knows no users: who can send requests of any form, as a program can, needs to be
// kept away by other means.
package guard

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// Policy says what a guard lets through.
type Policy struct {
	// Hosts are the names, with ports as browsers send them, that the UI is known by:
	// 127.0.0.1:8233. Requests for any other are refused, so that a page whose own name
	// was made to lead here (DNS rebinding) gets nothing.
	Hosts []string
	// ReadOnly refuses every request that could change something.
	ReadOnly bool
}

// Wrap returns a handler that passes to ui what the policy lets through. Whatever a
// page of another origin can make a browser send is refused, but for a link to a page
// of the UI.
//
// Source: W3C, "Fetch Metadata Request Headers"; WHATWG, "Fetch" (Origin is sent with
// every method but GET and HEAD).
func (p Policy) Wrap(ui http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !p.isKnown(r.Host):
			http.Error(w, "this server answers to its own address only", http.StatusMisdirectedRequest)
		case !isOwn(r):
			http.Error(w, "this request comes from a page of another address", http.StatusForbidden)
		case p.ReadOnly && !isRead(r):
			http.Error(w, "this UI is read-only", http.StatusMethodNotAllowed)
		default:
			setHeaders(w.Header())
			ui.ServeHTTP(w, r)
		}
	})
}

// isKnown compares in constant time: a name may be a secret.
func (p Policy) isKnown(host string) bool {
	known := 0
	for _, h := range p.Hosts {
		known |= subtle.ConstantTimeCompare([]byte(strings.ToLower(host)), []byte(h))
	}
	return known == 1
}

// isOwn reports whether a page of the UI, its user, or a program sends a request. A
// browser that sends neither Origin nor Sec-Fetch-Site is too old to be told from a
// program, but could not be made to send JSON by another page.
func isOwn(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		if !isLink(r) {
			return false
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		return err == nil && strings.EqualFold(u.Host, r.Host)
	}
	return isSafe(r.Method) || r.Header.Get("Content-Type") == "application/json"
}

// isLink reports whether a request opens a page in a tab, as a link in a mail does.
func isLink(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func isSafe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// isRead reports whether a request of Temporal's HTTP API changes nothing: a GET, or
// the query of a workflow, which is a POST. The path counts as it was sent, because what
// is escaped in it is part of a name: the UI's own DisableWriteActions (2.55.0) looks at
// the unescaped one, and starts a workflow that is called a/query/b.
func isRead(r *http.Request) bool {
	if isSafe(r.Method) {
		return true
	}
	// api/v1/namespaces/NAMESPACE/workflows/ID/query/TYPE
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	return r.Method == http.MethodPost && len(parts) == 8 && parts[0] == "api" && parts[1] == "v1" &&
		parts[2] == "namespaces" && parts[4] == "workflows" && parts[6] == "query"
}

// setHeaders keeps the UI out of other pages' frames, and its address out of what it
// links to.
func setHeaders(h http.Header) {
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
