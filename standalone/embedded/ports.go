package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the only interface that anything here listens on.
const loopback = "127.0.0.1"

// PortError says that a port that was asked for cannot be listened on, mostly
// because another program does.
type PortError struct {
	// Use is what the port was wanted for.
	Use  string
	Port int
	Err  error
}

// Error names the port and what to do.
func (e *PortError) Error() string {
	return fmt.Sprintf("use port %d for the %s: %v; choose another, or 0 for any that is free", e.Port, e.Use, e.Err)
}

// Unwrap returns the cause.
func (e *PortError) Unwrap() error { return e.Err }

// ports are those that the server listens on.
type ports struct {
	frontend, frontendHTTP, history, matching, worker, ui int
}

// reservation holds ports until the server is about to listen on them.
type reservation struct {
	ports
	listeners []net.Listener
}

// reservePorts takes the ports that were asked for, and free ones for the rest.
// All are held at once, so that no free one is chosen twice.
func reservePorts(frontend, ui int) (_ *reservation, err error) {
	r := new(reservation)
	defer func() {
		if err != nil {
			r.release()
		}
	}()
	for _, p := range []struct {
		use  string
		want int
		got  *int
	}{
		{"Temporal server", frontend, &r.frontend},
		{"Temporal UI", ui, &r.ui},
		{"HTTP API", 0, &r.frontendHTTP},
		{"history service", 0, &r.history},
		{"matching service", 0, &r.matching},
		{"worker service", 0, &r.worker},
	} {
		l, err := listenOn(p.want)
		if err != nil {
			return nil, &PortError{Use: p.use, Port: p.want, Err: err}
		}
		r.listeners = append(r.listeners, l)
		*p.got = l.Addr().(*net.TCPAddr).Port
	}
	return r, nil
}

// Free ports are chosen from these, which no system gives to outgoing
// connections: one of those could otherwise take a port between its release and
// the server's own listening.
//
// Source: Linux, ip_local_port_range, 32768 to 60999; Windows and macOS begin at
// 49152 (RFC 6335).
const firstPort, lastPort = 10_000, 32_767

// listenOn listens on a port or, if it is 0, on one that is free.
func listenOn(port int) (net.Listener, error) {
	if port == 0 {
		for range 20 {
			//nolint:gosec // a port is no secret
			candidate := firstPort + rand.IntN(lastPort-firstPort+1)
			if l, err := net.Listen("tcp", localAddress(candidate)); err == nil {
				return l, nil
			}
		}
	}
	return net.Listen("tcp", localAddress(port))
}

// release lets go of all ports; it may be called again.
func (r *reservation) release() {
	for _, l := range r.listeners {
		_ = l.Close() // a listener that nobody connected to has nothing to lose
	}
	r.listeners = nil
}

func localAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
