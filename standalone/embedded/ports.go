package embedded

import (
	"fmt"
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
		l, err := net.Listen("tcp", loopbackAddress(p.want))
		if err != nil {
			return nil, &PortError{Use: p.use, Port: p.want, Err: err}
		}
		r.listeners = append(r.listeners, l)
		*p.got = l.Addr().(*net.TCPAddr).Port
	}
	return r, nil
}

// release closes all ports; further calls do nothing.
func (r *reservation) release() {
	for _, l := range r.listeners {
		_ = l.Close() // nothing was accepted, so nothing can be lost
	}
	r.listeners = nil
}

// loopbackAddress returns the host:port of a port on the loopback interface.
func loopbackAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
