package audit_test

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/audit"
)

// testClock is a clock that a test sets forward.
type testClock struct{ now time.Time }

func (c *testClock) read() time.Time { return c.now }

func newClock() *testClock { return &testClock{time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)} }

// rfc5424 is a message as RFC 5424, 6 has it, with the facility 13 and the severity 5.
var rfc5424 = regexp.MustCompile(`^<109>1 2026-11-29T06:00:00\.000000Z \S+ farmtrust \d+ audit - (.*)$`)

const aLine = `{"log":"a","seq":1}`

func mustSyslog(t *testing.T, url string, c *testClock) audit.Mirror {
	t.Helper()
	m, err := audit.NewSyslog(url, c.read)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestSyslog_UDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := mustSyslog(t, "udp://"+server.LocalAddr().String(), newClock()).Write(aLine); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 64<<10)
	n, _, err := server.ReadFrom(got)
	if found := rfc5424.FindStringSubmatch(string(got[:n])); err != nil || found == nil || found[1] != aLine {
		t.Errorf("received %q (%v)", got[:n], err)
	}
}

func TestSyslog_TCPHasTheLengthInFront(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m := mustSyslog(t, "tcp://"+server.Addr().String(), newClock())
	for range 2 {
		if err := m.Write(aLine); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for r := bufio.NewReader(conn); ; { // RFC 6587, 3.4.1
		length, err := r.ReadString(' ')
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			t.Fatal(err)
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(r, message); err != nil {
			t.Fatal(err)
		}
		if found := rfc5424.FindStringSubmatch(string(message)); found == nil || found[1] != aLine {
			t.Errorf("received %q", message)
		}
		if r.Buffered() == 0 {
			return
		}
	}
}

func TestSyslog_ASocketOfThisMachine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Skip("this system has no such sockets")
	}
	defer server.Close()
	if err := mustSyslog(t, "unix://"+path, newClock()).Write(aLine); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 64<<10)
	n, _, err := server.ReadFrom(got)
	if want := regexp.MustCompile(`^<109>Nov 29 06:00:00 farmtrust\[\d+\]: (.*)$`).FindStringSubmatch(string(got[:n])); err != nil || want == nil || want[1] != aLine {
		t.Errorf("received %q (%v)", got[:n], err)
	}
}

func TestSyslog_AServerThatIsAwayIsLeftAloneForAWhile(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := server.Addr().String()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	clock := newClock()
	m := mustSyslog(t, "tcp://"+address, clock)
	if err := m.Write(aLine); err == nil {
		t.Fatal("a line was sent to nobody")
	}
	if server, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := m.Write(aLine); err == nil {
		t.Error("it was tried again at once")
	}
	clock.now = clock.now.Add(time.Minute)
	if err := m.Write(aLine); err != nil {
		t.Errorf("it was not tried again: %v", err)
	}
}
