package codecserver

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// sessionTime is a working day: who signs in in the morning reads until the evening.
const sessionTime = 10 * time.Hour

// maxSessions bounds the memory; far fewer people read payloads at once.
const maxSessions = 1000

// cookie names the session in a browser.
const cookie = "farmtrust-codec"

// maxForm is the largest form that is read, in bytes: a token has less.
const maxForm = 32 << 10

// page is what a person sees who opens the server's address.
const page = `<!doctype html><meta charset="utf-8"><title>farmtrust: payloads</title>
<style>body{font:1rem/1.5 sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}</style>
<h1>Payloads of farmtrust</h1><p>%s</p>
<form method="post" action="/"><label>Token <input type="password" name="token" autocomplete="off" autofocus required></label>
<button>Sign in</button></form>`

// sessions are the people who have signed in. They are in memory alone: after a
// restart they sign in again.
type sessions struct {
	mu  sync.Mutex
	all map[string]session
}

type session struct {
	name string
	ends time.Time
}

func newSessions() *sessions { return &sessions{all: map[string]session{}} }

// begin returns the ID of a new session; false while there are too many.
func (s *sessions) begin(name string, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.all {
		if now.After(one.ends) {
			delete(s.all, id)
		}
	}
	if len(s.all) >= maxSessions {
		return "", false
	}
	id := rand.Text()
	s.all[id] = session{name: name, ends: now.Add(sessionTime)}
	return id, true
}

// find returns who has signed in with the browser that asks.
func (s *sessions) find(r *http.Request, now time.Time) (string, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[c.Value]
	return one.name, ok && now.Before(one.ends)
}

func (s *server) showSignIn(w http.ResponseWriter, _ *http.Request) {
	writePage(w, http.StatusOK, "Sign in, and the Temporal UI shows in this browser what is encrypted.")
}

func writePage(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintf(w, page, text)
}

// signIn begins a session for anybody who has a token. The cookie goes with requests of pages
// of the same site alone, over TLS where that is used here, and no script can read it.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name, err := s.Authenticate(r.Context(), r.PostFormValue("token"))
	if err != nil {
		s.Log.Warn("a sign-in was refused", zap.String("from", r.RemoteAddr), zap.Error(err))
		writePage(w, http.StatusUnauthorized, "This token is not accepted.")
		return
	}
	id, ok := s.sessions.begin(name, time.Now())
	if !ok {
		s.refuse(w, r, http.StatusServiceUnavailable, "too many sessions")
		return
	}
	s.Log.Info("signed in", zap.String("for", name), zap.String("from", r.RemoteAddr))
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without TLS only on this machine
		Name: cookie, Value: id, Path: "/", MaxAge: int(sessionTime / time.Second),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	writePage(w, http.StatusOK, "Signed in. Go back to the Temporal UI, and reload its page.")
}
