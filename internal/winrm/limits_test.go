package winrm_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// startWriting starts a server that answers each request with what write writes, byte
// by byte as it wants, until the client is gone.
func startWriting(t *testing.T, write func(io.Writer) error) (powershell.Target, winrm.Connection) {
	t.Helper()
	return startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_ = write(conn) // until the client has had enough
	})
}

// endlessly writes head, and then text again and again until that fails.
func endlessly(head, text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, head)
		for block := strings.Repeat(text, 4096/len(text)+1); err == nil; {
			_, err = io.WriteString(w, block)
		}
		return err
	}
}

// dripping writes head, and then one byte of text at a time, each long before the
// client would give up on silence.
func dripping(head, text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, head)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; err == nil; i++ {
			_, err = io.WriteString(w, text[i%len(text):i%len(text)+1])
			<-ticker.C
		}
		return err
	}
}

func TestRun_Floods(t *testing.T) {
	t.Parallel()
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, write := range map[string]func(io.Writer) error{
		"a status line without end":         endlessly("HTTP/1.1 200 ", "x"),
		"a header without end":              endlessly("HTTP/1.1 200 OK\r\nX: ", "x"),
		"headers without end":               endlessly("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
		"interim responses without end":     endlessly("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
		"a body without end":                endlessly("HTTP/1.1 200 OK\r\n\r\n", "<a>"),
		"chunks without end":                endlessly(chunked, "5\r\nhello\r\n"),
		"a chunk extension without end":     endlessly(chunked+"5;", "x"),
		"empty extensions without end":      endlessly(chunked, "1;x=y\r\n \r\n"),
		"a trailer without end":             endlessly(chunked+"0\r\n", "A: b\r\n"),
		"a body of a length beyond all":     endlessly("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", "<a>"),
		"a refusal whose body has no end":   endlessly("HTTP/1.1 500 Internal Server Error\r\n\r\n", "<a>"),
		"a challenge whose body is endless": endlessly("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n\r\n", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, auth := range []winrm.Auth{winrm.Basic, winrm.NTLM} {
				target, c := startWriting(t, write)
				c.Auth = auth
				err := newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				if strings.Contains(err.Error(), "no response within") {
					t.Errorf("%s: a timeout ended it, and no limit: %v", auth, err)
				}
				requireRefusal(t, err)
				if !strings.Contains(err.Error(), target.Host) || len(err.Error()) > 1000 {
					t.Errorf("%s: got %.300q, want a short error that names the server", auth, err)
				}
			}
		})
	}
}

// requireRefusal checks that err says that an answer was too large or made no sense.
func requireRefusal(t *testing.T, err error) {
	t.Helper()
	switch kind := requireTransportError(t, err).Kind; kind {
	case powershell.Oversized, powershell.Garbled, powershell.Interrupted, powershell.Unreachable:
	default:
		t.Errorf("got kind %q (%v)", kind, err)
	}
}

func TestRun_Drips(t *testing.T) {
	t.Parallel()
	short := winrm.Timeouts{Connect: time.Second, Operation: time.Second, Response: time.Second, Cleanup: time.Second}
	for name, write := range map[string]func(io.Writer) error{
		"a status line":     dripping("", "HTTP/1.1 200 "+strings.Repeat("O", 1<<10)),
		"headers":           dripping("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
		"a body":            dripping("HTTP/1.1 200 OK\r\n\r\n", "<a>"),
		"chunks":            dripping("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
		"interim responses": dripping("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, auth := range []winrm.Auth{winrm.Basic, winrm.NTLM} {
				target, c := startWriting(t, write)
				c.Auth = auth
				r := winrm.New(func(string) (winrm.Connection, error) { return c, nil }, zap.NewNop(), winrm.WithTimeouts(short))
				began := time.Now()
				err := r.Run(t.Context(), target, newCall(0), &echo{})
				r.Close()
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%s: held for %s", auth, took)
				}
				if !strings.Contains(err.Error(), "no response within") {
					t.Errorf("%s: got %v", auth, err)
				}
			}
		})
	}

	// Each piece of output comes in time, and the script never ends.
	t.Run("output", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, commandHost(func(ctx context.Context, c wsman.Command) (wsman.Result, error) {
			_, err := io.Copy(io.Discard, c.Stdin)
			<-ctx.Done()
			return wsman.Result{}, err
		}), wsman.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		requireKind(t, newRunner(t, s.connection(t), zap.NewNop()).Run(ctx, s.target(), newCall(0), &echo{}), powershell.TimedOut)
	})
}

func TestRun_Compression(t *testing.T) {
	t.Parallel()
	t.Run("what a server compresses is not decompressed", func(t *testing.T) {
		t.Parallel()
		var small bytes.Buffer
		writer := gzip.NewWriter(&small)
		if _, err := writer.Write(make([]byte, 64<<20)); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		target, c := startWriting(t, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: application/soap+xml\r\nContent-Length: %d\r\n\r\n%s", small.Len(), small.Bytes())
			return err
		})
		requireKind(t, newRunner(t, c, zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{}), powershell.Garbled)
	})
}

// TestRun_Memory is not parallel: it measures the memory of the process.
func TestRun_Memory(t *testing.T) {
	envelope := func(fill string) string {
		text := soapEnvelope("*")
		room := 256<<10 - len(text)
		return strings.Replace(text, "*", strings.Repeat(fill, room/len(fill)), 1)
	}
	for name, body := range map[string]string{
		"elements in each other": envelope("<a>"),
		"empty elements":         envelope("<a/>"),
		"attributes":             strings.Replace(soapEnvelope("*"), "*", "<a "+strings.Repeat(`b="" `, 50_000)+"/>", 1),
		"streams": soapEnvelope(`<r:ReceiveResponse xmlns:r="http://schemas.microsoft.com/wbem/wsman/1/windows/shell">` +
			strings.Repeat("<r:Stream/>", 23_000) + "</r:ReceiveResponse>"),
		"reasons": soapEnvelope("<s:Fault><s:Reason>" + strings.Repeat("<s:Text/>", 28_000) + "</s:Reason></s:Fault>"),
	} {
		t.Run(name, func(t *testing.T) {
			target, c := startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			r := newRunner(t, c, zap.NewNop())
			_ = r.Run(t.Context(), target, newCall(0), &echo{}) // the first one loads what all share
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := r.Run(t.Context(), target, newCall(0), &echo{}); err == nil {
				t.Error("no error")
			}
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d KiB took %d MiB", len(body)>>10, allocated)
			if allocated > 48 {
				t.Errorf("%d KiB took %d MiB", len(body)>>10, allocated)
			}
		})
	}
}

// TestRun_HostileFarm is not parallel: it measures the memory of the process. All servers
// of a farm answer at once as expensively as they can.
func TestRun_HostileFarm(t *testing.T) {
	const servers = 20
	fill := func(text string) string { return soapEnvelope(strings.Repeat(text, (250<<10)/len(text))) }
	bodies := []string{fill("<a/>"), fill("<a>"), fill("<s:Fault/>"), fill(`<a b="c"/>`)}
	farmOf := make([]powershell.Target, servers)
	connections := make([]winrm.Connection, servers)
	for i := range servers {
		farmOf[i], connections[i] = startHTTPS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, bodies[i%len(bodies)]) })
		farmOf[i].Connection = fmt.Sprint(i)
	}
	r := winrm.New(func(name string) (c winrm.Connection, err error) {
		var i int
		_, err = fmt.Sscan(name, &i)
		return connections[i], err
	}, zap.NewNop(), winrm.WithTimeouts(winrm.Timeouts{Connect: time.Minute, Operation: time.Minute, Response: time.Minute, Cleanup: time.Minute}))
	defer r.Close()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var calls sync.WaitGroup
	for range 3 {
		for i := range servers {
			calls.Go(func() {
				if err := r.Run(t.Context(), farmOf[i], newCall(0), &echo{}); err == nil {
					t.Error("no error")
				}
			})
		}
	}
	ended := make(chan struct{})
	go func() { calls.Wait(); close(ended) }()
	var most uint64
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-ticker.C:
		}
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}
	grown := (int64(most) - int64(before.HeapAlloc)) >> 20 //nolint:gosec // far below an exabyte
	t.Logf("%d servers, %d calls: the heap grew by %d MiB at most", servers, 3*servers, grown)
	if grown > 200 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
}
