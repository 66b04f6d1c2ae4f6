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

// held is a server that answers as it likes, on connections that it keeps.
// Each answer is written as it stands; after the last, it says nothing.
func held(t *testing.T, auth winrm.Auth, answers ...string) (powershell.Target, winrm.Connection) {
	t.Helper()
	var next atomic.Int32
	target, c := tlsServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for i := int(next.Add(1)) - 1; i < len(answers); i = int(next.Add(1)) - 1 {
			_, _ = io.WriteString(conn, answers[i])
			if i == len(answers)-1 {
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

func TestNoSilenceOutlastsTheContext(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 100\r\n"
	challenged := "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate " +
		base64.StdEncoding.EncodeToString(challenge) + "\r\n\r\n"
	for name, c := range map[string]struct {
		auth    winrm.Auth
		want    powershell.Kind
		answers []string
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
			target, connection := held(t, c.auth, c.answers...)
			r := runner(t, connection, zap.NewNop())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx, target, say(0), &echo{}) }()
			select {
			case err := <-ended:
				wantKind(t, err, c.want)
			case <-time.After(quick.Connect / 2):
				t.Error("the call goes on")
			}
		})
	}
}

func TestAServerThatIsSilentFromTheStartIsUnreachable(t *testing.T) {
	t.Parallel()
	noTLS := start(t, echoing, wsman.Options{Disrupt: func(p wsman.Point) (d wsman.Disruption) {
		if p.Stage == wsman.Connecting {
			d.Kind = wsman.Hang
		}
		return d
	}})
	noAnswer, connection := held(t, winrm.NTLM)
	impatient := quick
	impatient.Connect = time.Second
	for says, target := range map[string]powershell.Target{
		"TLS with " + noTLS.Addr().String() + ": no response within 1s": noTLS.target(),
		"authenticate: no response within 1s":                           noAnswer,
	} {
		r := winrm.New(func(string) (winrm.Connection, error) { return connection, nil }, zap.NewNop(), winrm.WithTimeouts(impatient))
		err := r.Run(t.Context(), target, say(0), &echo{})
		wantKind(t, err, powershell.Unreachable)
		if !strings.HasSuffix(err.Error(), says) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %q, want %q at its end, and no deadline of the caller", err, says)
		}
		r.Close()
	}
}
