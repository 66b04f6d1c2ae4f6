package embedded

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the only interface that anything here listens on.
const loopback = "127.0.0.1"

// PortError is the error for a requested port that cannot be listened on, usually
// because another program uses it.
type PortError struct {
	// Use is the server that the port was requested for.
	Use  string
	Port int
	Err  error
}

// Error names the port and what to do.
func (e *PortError) Error() string {
	return fmt.Sprintf("use port %d for the %s: %v; choose another, or 0 for any free port", e.Port, e.Use, e.Err)
}

// Unwrap returns the cause.
func (e *PortError) Unwrap() error { return e.Err }

// ports are the ports that the server listens on.
type ports struct {
	frontend, frontendHTTP, history, matching, worker, ui int
}

// reservation holds ports until the server is about to listen on them.
type reservation struct {
	ports
	listeners []net.Listener
}

// reservePorts reserves the requested ports, and free ones for the other services.
// It keeps all of them open until the end, so that none is chosen twice.
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

// firstPort and lastPort are the range that free ports are chosen from. No system
// uses it for outgoing connections, which could otherwise take a port between its
// release and the moment when the server listens on it.
//
// Source: Linux, ip_local_port_range, 32768 to 60999; Windows and macOS start at
// 49152 (RFC 6335).
const firstPort, lastPort = 10_000, 32_767

// listenOn listens on a port or, if it is 0, on any free port.
func listenOn(port int) (net.Listener, error) {
	if port == 0 {
		for range 20 {
			//nolint:gosec // a port is not a secret
			candidate := firstPort + rand.IntN(lastPort-firstPort+1)
			if l, err := net.Listen("tcp", localAddress(candidate)); err == nil {
				return l, nil
			}
		}
	}
	return net.Listen("tcp", localAddress(port))
}

// release closes all ports; further calls do nothing.
func (r *reservation) release() {
	for _, l := range r.listeners {
		_ = l.Close() // nothing was accepted, so nothing can be lost
	}
	r.listeners = nil
}

// localAddress returns the host:port of a port on the loopback interface.
func localAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
