package wsman

import (
	"maps"
	"net"
	"net/http"
	"sync"
)

// Stats is what an endpoint has seen so far.
type Stats struct {
	// Requests are the HTTP requests, Unauthorized those answered 401.
	Requests, Unauthorized int
	// BodiesBeforeAuthentication are the requests that were answered 401
	// although they carried a body, which a stranger could have read.
	BodiesBeforeAuthentication int
	// Sealed are the requests whose body NTLM protected; Bound are the NTLM
	// authentications with the right channel binding token.
	Sealed, Bound int
	// Opened are the connections accepted, Open those not closed yet.
	Opened, Open int
	// Shells are those open now, Commands those running now.
	Shells, Commands int
	// Actions counts authenticated requests by the last word of their action:
	// "Create", "Command", "Send", "Receive", "Signal", "Delete", "Get".
	Actions map[string]int
}

// Stats returns a copy of the counts.
func (e *Endpoint) Stats() Stats {
	e.stats.mu.Lock()
	s := e.stats.Stats
	s.Actions = maps.Clone(s.Actions)
	e.stats.mu.Unlock()
	s.Shells, s.Commands = e.shells.countShells()
	return s
}

type counters struct {
	mu sync.Mutex
	Stats
}

func (c *counters) updateStats(change func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.Stats)
}

func (c *counters) countAction(name string) {
	c.updateStats(func(s *Stats) {
		if s.Actions == nil {
			s.Actions = map[string]int{}
		}
		s.Actions[name]++
	})
}

func (e *Endpoint) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		e.conns.Store(c, struct{}{})
		e.stats.updateStats(func(s *Stats) { s.Opened++; s.Open++ })
	case http.StateClosed:
		e.conns.Delete(c)
		e.stats.updateStats(func(s *Stats) { s.Open-- })
	}
}
