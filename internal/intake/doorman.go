package intake

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Connections that are open at the same time. An idle one takes some 40 KB.
const (
	maxConnections    = 1024
	maxConnectionsOfA = 128 // from one address, so that nobody takes all places
)

// doorman is a listener that lets in as many as there is room for. All others are closed
// at once, so that senders hear of it and come again.
type doorman struct {
	net.Listener

	// proxies are the only ones who may connect, if there are any. A proxy has all places:
	// everybody comes from its address.
	proxies []netip.Prefix

	mu    sync.Mutex
	total int
	of    map[netip.Addr]int
}

func newDoorman(l net.Listener, proxies []netip.Prefix) *doorman {
	return &doorman{Listener: l, proxies: proxies, of: map[netip.Addr]int{}}
}

// Accept implements [net.Listener].
func (d *doorman) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(c)
		if d.enter(from) {
			return &visitor{Conn: c, leave: sync.OnceFunc(func() { d.leave(from) })}, nil
		}
		_ = c.Close() // who connected sees it closed, or is gone
	}
}

func addressOf(c net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

func (d *doorman) enter(from netip.Addr) bool {
	isProxy := slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(from) })
	if len(d.proxies) > 0 && !isProxy {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= maxConnections || d.of[from] >= maxConnectionsOfA && !isProxy {
		return false
	}
	d.total++
	d.of[from]++
	return true
}

func (d *doorman) leave(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.of[from]--; d.of[from] == 0 {
		delete(d.of, from)
	}
}

// visitor is a connection that has a place.
type visitor struct {
	net.Conn

	leave func()
}

// Close closes the connection and gives its place to another.
func (v *visitor) Close() error {
	defer v.leave()
	return v.Conn.Close()
}
