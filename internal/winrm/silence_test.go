package winrm_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// startHolding starts a server that writes the given responses as they are, one
// for each request, then says nothing and keeps the connection.
func startHolding(t *testing.T, auth winrm.Auth, responses ...string) (powershell.Target, winrm.Connection) {
	t.Helper()
	var next atomic.Int32
	target, c := startHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for i := int(next.Add(1)) - 1; i < len(responses); i = int(next.Add(1)) - 1 {
			_, _ = io.WriteString(conn, responses[i])
			if i == len(responses)-1 {
				break
			}
			if _, err := http.ReadRequest(buffered.Reader); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, buffered) // until the client is gone
	})
	c.Auth = auth
	return target, c
}

func TestRun_Silence(t *testing.T) {
	t.Parallel()
	t.Run("no silence outlasts the context", func(t *testing.T) {
		t.Parallel()
		const head = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 100\r\n"
		challenged := "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate " +
			base64.StdEncoding.EncodeToString(testChallenge) + "\r\n\r\n"
		for name, c := range map[string]struct {
			auth      winrm.Auth
			want      powershell.Kind
			responses []string
		}{
			"to the negotiation":        {winrm.NTLM, powershell.TimedOut, nil},
			"to the proof":              {winrm.NTLM, powershell.TimedOut, []string{challenged}},
			"after the proof":           {winrm.NTLM, powershell.TimedOut, []string{challenged, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}},
			"in the middle of a header": {winrm.Basic, powershell.TimedOut, []string{head}},
			"in the middle of a body":   {winrm.Basic, powershell.TimedOut, []string{head + "\r\n<s:Envelope "}},
			"in another protocol": {
				winrm.Basic, powershell.Garbled,
				[]string{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"},
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				target, connection := startHolding(t, c.auth, c.responses...)
				r := newRunner(t, connection, zap.NewNop())
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx, target, newCall(0), &echo{}) }()
				select {
				case err := <-ended:
					requireKind(t, err, c.want)
				case <-time.After(testTimeouts.Connect / 2):
					t.Error("the call goes on")
				}
			})
		}
	})

	t.Run("a server that is silent from the start is unreachable", func(t *testing.T) {
		t.Parallel()
		noTLS := startServer(t, echoHost, wsman.Options{Disrupt: func(p wsman.Point) (d wsman.Disruption) {
			if p.Stage == wsman.Connecting {
				d.Kind = wsman.Hang
			}
			return d
		}})
		silent, connection := startHolding(t, winrm.NTLM)
		short := testTimeouts
		short.Connect = time.Second
		for name, c := range map[string]struct {
			target powershell.Target
			want   string
		}{
			"to the TLS handshake":  {noTLS.target(), "TLS with " + noTLS.Addr().String() + ": no response within 1s"},
			"to the authentication": {silent, "authenticate: no response within 1s"},
		} {
			t.Run(name, func(t *testing.T) {
				r := winrm.New(func(string) (winrm.Connection, error) { return connection, nil }, zap.NewNop(), winrm.WithTimeouts(short))
				defer r.Close()
				err := r.Run(t.Context(), c.target, newCall(0), &echo{})
				requireKind(t, err, powershell.Unreachable)
				if !strings.HasSuffix(err.Error(), c.want) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %q, want %q at its end, and no deadline of the caller", err, c.want)
				}
			})
		}
	})
}
