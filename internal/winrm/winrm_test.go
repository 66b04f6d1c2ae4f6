package winrm_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

func TestRun_Result(t *testing.T) {
	t.Parallel()
	t.Run("a call returns the result of its script", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			auth    winrm.Auth
			user    string
			binding wsman.Binding
		}{
			"NTLM, domain account":                     {winrm.NTLM, user, wsman.Relaxed},
			"NTLM, user principal name":                {winrm.NTLM, "svc-oos@contoso.com", wsman.Relaxed},
			"NTLM, local account":                      {winrm.NTLM, "local", wsman.Relaxed},
			"NTLM where channel binding is demanded":   {winrm.NTLM, user, wsman.Strict},
			"Basic, local account":                     {winrm.Basic, "local", wsman.Relaxed},
			"Basic, domain account in its older style": {winrm.Basic, user, wsman.Relaxed},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startServer(t, echoHost, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}, Binding: c.binding})
				connection := s.connection(t)
				connection.Auth, connection.User = c.auth, c.user
				var got echo
				if err := newRunner(t, connection, zap.NewNop()).Run(t.Context(), s.target(), newCall(10), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(echo{Said: `{"Say":"hello"}`, Secrets: 10}, got); diff != "" {
					t.Error(diff)
				}
				s.assertFreed(t)
			})
		}
	})

	t.Run("a call takes seven requests", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{})
		if err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(8<<10), &echo{}); err != nil {
			t.Fatal(err)
		}
		s.assertFreed(t)
		got := s.Stats()
		want := wsman.Stats{
			// Two for NTLM, and the actions below; nine are allowed.
			Requests: 7, Unauthorized: 1, BodiesBeforeAuthentication: 0, Bound: 1, Opened: 1,
			Actions: map[string]int{"Create": 1, "Command": 1, "Send": 1, "Receive": 1, "Delete": 1},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("an error of the script is a script error", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) {
			return nil, &powershell.ScriptError{ID: "farmtrust.NotJoined", Message: "is in no farm", Line: 12}
		}), wsman.Options{})
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
		got, ok := errors.AsType[*powershell.ScriptError](err)
		if !ok {
			t.Fatalf("got %v, want a script error", err)
		}
		want := &powershell.ScriptError{Server: serverName, Script: script, ID: "farmtrust.NotJoined", Message: "is in no farm", Line: 12}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		s.assertFreed(t)
	})

	t.Run("the output of another command line is garbled", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, commandHost(func(context.Context, wsman.Command) (wsman.Result, error) {
			return wsman.Result{Stdout: []byte("Welcome to OOS-01\r\n"), Exit: 0}, nil
		}), wsman.Options{})
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
		requireKind(t, err, powershell.Garbled)
	})

	t.Run("an unknown connection is denied before anything is sent", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{})
		target := s.target()
		target.Connection = "sharepoint"
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
		requireKind(t, err, powershell.Denied)
		if n := s.Stats().Opened; n != 0 {
			t.Errorf("opened %d connections", n)
		}
	})
}

func TestRun_Input(t *testing.T) {
	t.Parallel()
	t.Run("large input travels in pieces that every server accepts", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{MaxEnvelopeKB: 150})
		var got echo
		if err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(1<<20), &got); err != nil {
			t.Fatal(err)
		}
		if got.Secrets != 1<<20 {
			t.Errorf("got %d bytes, want 1 MiB", got.Secrets)
		}
		if n := s.Stats().Actions["Send"]; n > 14 {
			t.Errorf("1 MiB took %d requests, want at most 14", n)
		}
	})

	t.Run("truncated input is noticed", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, commandHost(func(ctx context.Context, c wsman.Command) (wsman.Result, error) {
			stdin, err := io.ReadAll(c.Stdin)
			if err != nil {
				return wsman.Result{}, err
			}
			c.Stdin = bytes.NewReader(stdin[:len(stdin)/2])
			return echoHost.Run(ctx, c)
		}), wsman.Options{})
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(8<<10), &echo{})
		requireKind(t, err, powershell.Garbled)
		s.assertFreed(t)
	})

	t.Run("a constrained shell is reported although it reads no input", func(t *testing.T) {
		t.Parallel()
		constrained := commandHost(func(context.Context, wsman.Command) (wsman.Result, error) {
			return wsman.Result{Stdout: []byte("@@LANGUAGE ConstrainedLanguage\r\n"), Exit: powershell.ExitConstrained}, nil
		})
		closedPipe := &wsman.Fault{Subcode: "w:InternalError", Code: 2147942632, Message: "The pipe is being closed."}
		for name, disrupt := range map[string]func(wsman.Point) wsman.Disruption{
			"input is thrown away": nil,
			"input is refused":     disruptAt("Send", wsman.Disruption{Kind: wsman.SOAPFault, Fault: closedPipe}),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startServer(t, constrained, wsman.Options{Disrupt: disrupt})
				err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
				requireKind(t, err, powershell.Constrained)
				s.assertFreed(t)
			})
		}
	})

	t.Run("refused input ends the call", func(t *testing.T) {
		t.Parallel()
		closedPipe := &wsman.Fault{Subcode: "w:InternalError", Code: 2147942632, Message: "The pipe is being closed."}
		for name, h := range map[string]wsman.Host{
			"the command waits": echoHost,
			"the command ends": commandHost(func(context.Context, wsman.Command) (wsman.Result, error) {
				return wsman.Result{Stdout: []byte("Goodbye\r\n"), Exit: 1}, nil
			}),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startServer(t, h, wsman.Options{Disrupt: disruptAt("Send", wsman.Disruption{Kind: wsman.SOAPFault, Fault: closedPipe})})
				err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
				requireKind(t, err, powershell.Interrupted)
				if got := requireTransportError(t, err).Code; got != closedPipe.Code {
					t.Errorf("got code %d, want %d", got, closedPipe.Code)
				}
				s.assertFreed(t)
			})
		}
	})
}

func TestRun_Output(t *testing.T) {
	t.Parallel()
	t.Run("large output is put together", func(t *testing.T) {
		t.Parallel()
		want := echo{Said: strings.Repeat("Grüße, Köln! ", 1000)}
		s := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) { return want, nil }), wsman.Options{StreamBytes: 101})
		var got echo
		if err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got %d bytes, want %d", len(got.Said), len(want.Said))
		}
	})

	t.Run("a slow script is waited for", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, scriptHost(func(ctx context.Context, _ powershell.Envelope) (any, error) {
			select {
			case <-time.After(2500 * time.Millisecond): // two and a half times quick.Operation
				return echo{Said: "done"}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}), wsman.Options{})
		var got echo
		if err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &got); err != nil {
			t.Fatal(err)
		}
		if got.Said != "done" {
			t.Errorf("got %q", got.Said)
		}
		if n := s.Stats().Actions["Receive"]; n < 3 || n > 5 {
			t.Errorf("asked for output %d times, want about 3", n)
		}
	})
}

// commandHost runs commands itself.
type commandHost func(ctx context.Context, c wsman.Command) (wsman.Result, error)

func (h commandHost) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) {
	return h(ctx, c)
}

func TestRun_Cleanup(t *testing.T) {
	t.Parallel()
	t.Run("only a shell that stays is logged", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			disruption wsman.Disruption
			warnings   int
		}{
			"gone already": {wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.UnknownShell()}, 0},
			"refused":      {wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.AccessDenied()}, 1},
			"lost":         {wsman.Disruption{Kind: wsman.Refused}, 1},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				core, logs := observer.New(zap.WarnLevel)
				s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt("Delete", c.disruption)})
				r := newRunner(t, s.connection(t), zap.New(core))
				if err := r.Run(t.Context(), s.target(), newCall(0), &echo{}); err != nil {
					t.Errorf("the call had its answer: %v", err)
				}
				r.Close()
				if logs.Len() != c.warnings {
					t.Errorf("got %d warnings, want %d: %v", logs.Len(), c.warnings, logs.All())
				}
			})
		}
	})

	t.Run("cleanup does not delay a result past the deadline", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt("Delete", wsman.Disruption{Kind: wsman.Hang})})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := newRunner(t, s.connection(t), zap.NewNop()).Run(ctx, s.target(), newCall(0), &echo{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > testTimeouts.Cleanup/2 {
			t.Errorf("returned after %s", took)
		}
	})
}

// disruptAt disrupts an action each time.
func disruptAt(action string, d wsman.Disruption) func(wsman.Point) wsman.Disruption {
	return func(p wsman.Point) wsman.Disruption {
		if p.Stage == wsman.Requesting && p.Action == action {
			return d
		}
		return wsman.Disruption{}
	}
}
