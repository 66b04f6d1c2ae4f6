package wsman

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Point is a place where something can go wrong.
type Point struct {
	Stage Stage
	// Action is the last word of the request's action: "Create", "Receive".
	Action string
	// User sent the request.
	User string
	// Line is the text of the command that the request starts or is about.
	Line string
}

// Stage says which of the two kinds of place a [Point] is.
type Stage int

const (
	// Connecting is a connection just accepted, before TLS.
	Connecting Stage = iota + 1
	// Requesting is an authenticated request before it is carried out.
	Requesting
)

// Disruption is something that goes wrong, as data. The zero value is nothing.
//
// As an error of [Host.Run] it disturbs the first Receive that would carry the
// result. [Dropped] loses that part of the result; after any other kind the
// client can still receive it.
type Disruption struct {
	Kind Kind
	// Delay is for [Slow].
	Delay time.Duration
	// Fault is for [SOAPFault].
	Fault *Fault
}

// Kind is what goes wrong.
type Kind string

// What can go wrong on the wire.
const (
	// Refused cuts the connection: by a reset at Connecting, at Requesting
	// without carrying the request out.
	Refused Kind = "refused"
	// Unauthorized answers 401 and does not carry the request out. It means
	// nothing at Connecting.
	Unauthorized Kind = "unauthorized"
	// SOAPFault answers Disruption.Fault and does not carry the request out. It
	// means nothing at Connecting.
	SOAPFault Kind = "soap fault"
	// Dropped carries the request out and cuts the connection in the middle of
	// the answer. At Connecting it is Refused.
	Dropped Kind = "dropped"
	// Hang never answers, until the client gives up or the endpoint closes.
	Hang Kind = "hang"
	// Slow waits for Disruption.Delay and goes on.
	Slow Kind = "slow"
)

func (d Disruption) Error() string { return fmt.Sprintf("disrupted: %s", d.Kind) }

// waitOut waits as the disruption says; false means that it outlasted ctx.
func (d Disruption) waitOut(ctx context.Context) bool {
	var over <-chan time.Time // a nil channel hangs
	switch d.Kind {
	case Slow:
		over = time.After(d.Delay)
	case Hang:
	default:
		return true
	}
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// sendHalf writes an answer that stops in the middle. It does not return.
func sendHalf(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	// Whether the half arrives is of no importance: the connection is cut next.
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// disruptedListener asks at each connection what is to go wrong with it.
type disruptedListener struct {
	net.Listener
	ctx     context.Context
	disrupt func(Point) Disruption
}

func (l *disruptedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		d := l.disrupt(Point{Stage: Connecting})
		switch d.Kind {
		case Refused, Dropped:
			reset(c)
		case Hang, Slow:
			return &slowConn{Conn: c, ctx: l.ctx, disruption: d}, nil
		default:
			return c, nil
		}
	}
}

// reset closes so that the client sees a reset, not an orderly end.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // without it the end is orderly, and still an end
	}
	_ = c.Close()
}

// slowConn keeps the client waiting before its first byte is read.
type slowConn struct {
	net.Conn
	ctx        context.Context
	disruption Disruption
	once       sync.Once
}

func (c *slowConn) Read(b []byte) (int, error) {
	c.once.Do(func() {
		if c.disruption.Kind == Slow {
			c.disruption.waitOut(c.ctx)
			return
		}
		// Reading on is how we learn that the client has given up.
		_, _ = io.Copy(io.Discard, c.Conn)
	})
	return c.Conn.Read(b)
}
