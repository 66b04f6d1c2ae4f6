package embedded

import (
	"fmt"
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
		l, err := net.Listen("tcp", localAddress(p.want))
		if err != nil {
			return nil, &PortError{Use: p.use, Port: p.want, Err: err}
		}
		r.listeners = append(r.listeners, l)
		*p.got = l.Addr().(*net.TCPAddr).Port
	}
	return r, nil
}

// release lets go of all ports; it may be called again.
func (r *reservation) release() {
	for _, l := range r.listeners {
		_ = l.Close() // a listener that nobody connected to has nothing to lose
	}
	r.listeners = nil
}

func localAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
