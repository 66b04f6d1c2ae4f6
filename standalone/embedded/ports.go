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
	frontend, history, matching, worker, ui int
}

// reservation holds ports until the server is about to listen on them, and those of
// the UI until it takes them.
type reservation struct {
	ports
	listeners, ui []net.Listener
}

// reservePorts reserves the requested ports, and free ones for the other services.
// It keeps all of them open until the end, so that none is chosen twice. That of the
// UI is kept on IPv6 too: a browser may try a name there first, and must not meet a
// program of somebody else.
func reservePorts(frontend, ui int) (_ *reservation, err error) {
	r := new(reservation)
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	for _, p := range []struct {
		use  string
		want int
		got  *int
	}{
		{"Temporal server", frontend, &r.frontend},
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
	if r.ui, err = listenForUI(ui); err != nil {
		return nil, err
	}
	r.ports.ui = r.ui[0].Addr().(*net.TCPAddr).Port
	return r, nil
}

// listenForUI listens on a port of both loopback addresses, if the machine has both.
func listenForUI(port int) ([]net.Listener, error) {
	four, err := listenOn(port)
	if err != nil {
		return nil, &PortError{Use: "Temporal UI", Port: port, Err: err}
	}
	taken := four.Addr().(*net.TCPAddr).Port
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(taken)))
	if err == nil {
		return []net.Listener{four, six}, nil
	}
	if probe, none := net.Listen("tcp6", "[::1]:0"); none == nil {
		closeAll([]net.Listener{four, probe})
		return nil, &PortError{Use: "Temporal UI", Port: taken, Err: err}
	}
	return []net.Listener{four}, nil // no IPv6 here
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

// release closes the server's ports; further calls do nothing.
func (r *reservation) release() {
	closeAll(r.listeners)
	r.listeners = nil
}

// close releases all ports that nothing has taken.
func (r *reservation) close() {
	r.release()
	closeAll(r.ui)
}

// takeUI hands over the ports of the UI.
func (r *reservation) takeUI() []net.Listener {
	taken := r.ui
	r.ui = nil
	return taken
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing was accepted, so nothing can be lost
	}
}

// localAddress returns the host:port of a port on the loopback interface.
func localAddress(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// localHost returns the host:port of a port under this machine's name for itself.
func localHost(port int) string { return net.JoinHostPort("localhost", strconv.Itoa(port)) }
