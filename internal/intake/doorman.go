package intake

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// Connections that are open at the same time. An idle one takes some 40 KB.
const (
	maxConnections    = 1024
	maxConnectionsOfA = 128 // from one address, or one network of IPv6, so that nobody takes all places
)

// doorman is a listener that lets in as many as there is room for. Where there is none, a
// connection that has not proven to be of a source gives way, so that those that do nothing,
// however many, keep no source out; then one of a source that sends nothing at the moment,
// as HTTP permits at any time (RFC 9112, section 9.5). Where all are at work, the newcomer
// is closed at once: it hears of it and comes again.
type doorman struct {
	net.Listener

	// proxies are the only ones who may connect, if there are any. A proxy has all places:
	// everybody comes from its address.
	proxies []netip.Prefix

	mu    sync.Mutex
	total int
	of    map[netip.Addr]*origin
	// strangers are the visitors who have proven nothing yet, the first to come first.
	strangers list.List
	// resting are those who have, and send nothing at the moment, the first to rest first.
	resting list.List
}

// origin is an address, as [homeOf] counts it, with the number of its connections that are open.
type origin struct {
	netip.Addr

	open int
}

func newDoorman(l net.Listener, proxies []netip.Prefix) *doorman {
	return &doorman{Listener: l, proxies: proxies, of: map[netip.Addr]*origin{}}
}

// Accept implements [net.Listener].
func (d *doorman) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if v := d.enter(c); v != nil {
			return v, nil
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

// homeOf is what an address counts as: of IPv6 its network, because who has one address
// there has 2^64 of them.
//
// Source: RFC 4291, section 2.5.4.
func homeOf(a netip.Addr) netip.Addr {
	if network, err := a.Prefix(64); err == nil && a.Is6() {
		return network.Addr()
	}
	return a
}

// enter gives a connection a place; nil where it gets none.
func (d *doorman) enter(c net.Conn) *visitor {
	from := addressOf(c)
	isProxy := slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(from) })
	if len(d.proxies) > 0 && !isProxy {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := homeOf(from)
	home := d.of[at]
	crowded := home != nil && home.open >= maxConnectionsOfA && !isProxy
	if (crowded || d.total >= maxConnections) && !d.makeRoom(home, crowded) {
		return nil
	}
	if home = d.of[at]; home == nil {
		home = &origin{Addr: at}
		d.of[at] = home
	}
	d.total++
	home.open++
	v := &visitor{Conn: c, door: d, from: home}
	v.place = d.strangers.PushBack(v)
	return v
}

// makeRoom closes the connection of a stranger, or else of one who rests. It reports
// whether there was one.
func (d *doorman) makeRoom(newcomer *origin, crowded bool) bool {
	for _, all := range []*list.List{&d.strangers, &d.resting} {
		if v := findFirst(all, newcomer, crowded); v != nil {
			d.leave(v)
			_ = v.Conn.Close() // nothing was promised to it
			return true
		}
	}
	return false
}

// findFirst returns the first of those from the address that has the most, or of those from
// the newcomer's where that has all that it may have; nil where there is none.
func findFirst(all *list.List, newcomer *origin, crowded bool) (found *visitor) {
	for e := all.Front(); e != nil; e = e.Next() {
		v, _ := e.Value.(*visitor)
		if crowded && v.from != newcomer {
			continue
		}
		if found == nil || v.from.open > found.from.open {
			found = v
		}
	}
	return found
}

// leave gives back the place of a visitor, once. The caller holds the lock.
func (d *doorman) leave(v *visitor) {
	if v.left {
		return
	}
	v.left = true
	d.strangers.Remove(v.place)
	d.resting.Remove(v.place)
	d.total--
	if v.from.open--; v.from.open == 0 {
		delete(d.of, v.from.Addr)
	}
}

// visitor is a connection that has a place.
type visitor struct {
	net.Conn

	door *doorman
	from *origin
	// place is the one among the strangers, or among those who rest.
	place        *list.Element
	proven, left bool
}

// Close closes the connection and gives its place to another.
func (v *visitor) Close() error {
	v.door.mu.Lock()
	v.door.leave(v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}

// stay lets a visitor who has proven that it is a source keep its place.
func (v *visitor) stay() {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.proven = true
	v.door.strangers.Remove(v.place)
}

// rest is for a visitor who has been answered, until it sends again.
func (v *visitor) rest() {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	if v.proven && !v.left {
		v.place = v.door.resting.PushBack(v)
	}
}

func (v *visitor) wake() {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	v.door.resting.Remove(v.place)
}

// visitorKey finds the visitor in the context of its requests.
type visitorKey struct{}

func withVisitor(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, visitorOf(c))
}

// visitorOf returns the visitor whose connection the server has.
func visitorOf(c net.Conn) *visitor {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	v, _ := c.(*visitor) // the server has no other connections
	return v
}

// noteState has visitors rest and wake. The server calls it.
func noteState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle:
		visitorOf(c).rest()
	case http.StateActive:
		visitorOf(c).wake()
	}
}

// keepPlace has the connection of a request stay.
func keepPlace(r *http.Request) {
	if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
		v.stay()
	}
}
