package audit

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	// program names the sender in syslog and in the Windows event log.
	program = "farmtrust"
	// priority is the facility "log audit" (13) and the severity "notice" (5).
	// Source: RFC 5424, 6.2.1.
	priority = 13*8 + 5
	// syslogTimeout bounds what a step waits for a syslog server.
	syslogTimeout = 2 * time.Second
	// syslogPause is how long a server that failed is left alone: each line would
	// otherwise wait for it.
	syslogPause = 30 * time.Second
)

// syslog sends lines to a syslog server.
type syslog struct {
	network, address, host string
	connect                func() (net.Conn, error)
	now                    func() time.Time

	conn net.Conn
	// until is when a server that failed is tried again.
	until time.Time
	why   error
}

// NewSyslog returns a mirror that sends to a URL: udp://HOST:PORT, tcp://HOST:PORT,
// tls://HOST:PORT, whose certificate one of the system's CAs issued, or unix:///PATH. It
// connects with the first line, and again when the connection was lost.
func NewSyslog(address string, now func() time.Time) (Mirror, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address of syslog: %w", err)
	}
	s := &syslog{network: u.Scheme, address: u.Host, now: now}
	if s.host, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("get this machine's host name: %w", err)
	}
	dialer := &net.Dialer{Timeout: syslogTimeout}
	switch u.Scheme {
	case "unix":
		s.network, s.address = "unixgram", u.Path // what /dev/log is
		s.connect = func() (net.Conn, error) { return dialer.Dial(s.network, s.address) }
	case "tls":
		s.connect = func() (net.Conn, error) {
			return tls.DialWithDialer(dialer, "tcp", s.address, &tls.Config{MinVersion: tls.VersionTLS12})
		}
	default:
		s.connect = func() (net.Conn, error) { return dialer.Dial(s.network, s.address) }
	}
	return s, nil
}

// Write implements [Mirror]. A connection that was lost is made again once.
func (s *syslog) Write(line string) error {
	if s.now().Before(s.until) {
		return s.why
	}
	err := s.send(line)
	if err != nil && s.conn != nil {
		_ = s.Close() // it is of no use any more
		err = s.send(line)
	}
	if err != nil {
		_ = s.Close() // likewise
		s.until, s.why = s.now().Add(syslogPause), fmt.Errorf("syslog: %w", err)
		return s.why
	}
	return nil
}

func (s *syslog) send(line string) (err error) {
	if s.conn == nil {
		if s.conn, err = s.connect(); err != nil {
			s.conn = nil
			return err
		}
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout)); err != nil {
		return err
	}
	_, err = s.conn.Write([]byte(s.format(line)))
	return err
}

// format makes a message of a line: as RFC 5424 has it, over a stream with its length in
// front (RFC 5425, 4.3.1; RFC 6587, 3.4.1); and for a socket of this machine as the
// programs that listen there expect it: without the host, and with the time of RFC 3164.
func (s *syslog) format(line string) string {
	if s.network == "unixgram" {
		return fmt.Sprintf("<%d>%s %s[%d]: %s", priority, s.now().Format(time.Stamp), program, os.Getpid(), line)
	}
	message := fmt.Sprintf("<%d>1 %s %s %s %d audit - %s",
		priority, s.now().UTC().Format("2006-01-02T15:04:05.000000Z"), strings.ReplaceAll(s.host, " ", "-"), program, os.Getpid(), line)
	if s.network == "udp" {
		return message
	}
	return fmt.Sprintf("%d %s", len(message), message)
}

// Close implements [Mirror].
func (s *syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
