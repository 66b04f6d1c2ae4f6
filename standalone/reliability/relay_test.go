package reliability

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// relay is the network between the worker and one server. The network can be cut.
type relay struct {
	to       string
	listener net.Listener

	mu          sync.Mutex
	cut         bool
	open        map[net.Conn]bool
	connections sync.WaitGroup
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{to: to, listener: l, open: map[net.Conn]bool{}}
	r.connections.Go(r.acceptConnections)
	t.Cleanup(func() {
		_ = l.Close()
		r.setCut(true)
		r.connections.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// setCut cuts the network or restores it. Cutting closes every open connection.
func (r *relay) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if !cut {
		return
	}
	for c := range r.open {
		_ = c.Close()
	}
}

// track registers a connection, or closes it and returns false if the network is
// cut.
func (r *relay) track(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		_ = c.Close()
		return false
	}
	r.open[c] = true
	return true
}

func (r *relay) untrack(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
	_ = c.Close()
}

func (r *relay) acceptConnections() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.connections.Go(func() { r.forward(c) })
	}
}

func (r *relay) forward(near net.Conn) {
	if !r.track(near) {
		return
	}
	defer r.untrack(near)
	far, err := net.Dial("tcp", r.to)
	if err != nil || !r.track(far) {
		return
	}
	defer r.untrack(far)
	var both sync.WaitGroup
	pipe := func(to, from net.Conn) {
		// When one side ends, the other must end too.
		_, _ = io.Copy(to, from)
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { pipe(near, far) })
	both.Go(func() { pipe(far, near) })
	both.Wait()
}

// cutNetwork disconnects every server for a duration.
func (s *testFarm) cutNetwork(d time.Duration) {
	for _, r := range s.relays {
		r.setCut(true)
	}
	time.Sleep(d)
	for _, r := range s.relays {
		r.setCut(false)
	}
}
