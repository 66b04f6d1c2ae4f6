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

func TestACallComesBackWithItsResult(t *testing.T) {
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
			s := start(t, echoing, wsman.Options{Offers: []wsman.Auth{wsman.NTLM, wsman.Basic}, Binding: c.binding})
			connection := s.connection(t)
			connection.Auth, connection.User = c.auth, c.user
			var got echo
			if err := runner(t, connection, zap.NewNop()).Run(t.Context(), s.target(), say(10), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(echo{Said: `{"Say":"hello"}`, Secrets: 10}, got); diff != "" {
				t.Error(diff)
			}
			s.wantFreed(t)
		})
	}
}

func TestACallOnAFreshSessionTakesSevenRequests(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	if err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(8<<10), &echo{}); err != nil {
		t.Fatal(err)
	}
	s.wantFreed(t)
	got := s.Stats()
	want := wsman.Stats{
		// Two for NTLM, and the actions below; nine are allowed.
		Requests: 7, Unauthorized: 1, BodiesBeforeAuthentication: 0, Bound: 1, Opened: 1,
		Actions: map[string]int{"Create": 1, "Command": 1, "Send": 1, "Receive": 1, "Delete": 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLargeInputTravelsInPiecesThatEveryServerTakes(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{MaxEnvelopeKB: 150})
	var got echo
	if err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(1<<20), &got); err != nil {
		t.Fatal(err)
	}
	if got.Secrets != 1<<20 {
		t.Errorf("got %d bytes, want 1 MiB", got.Secrets)
	}
	if n := s.Stats().Actions["Send"]; n > 14 {
		t.Errorf("1 MiB took %d requests, want at most 14", n)
	}
}

func TestLargeOutputIsPutTogether(t *testing.T) {
	t.Parallel()
	want := echo{Said: strings.Repeat("Grüße, Köln! ", 50_000)}
	s := start(t, host(func(context.Context, powershell.Envelope) (any, error) { return want, nil }), wsman.Options{StreamBytes: 1021})
	var got echo
	if err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %d bytes, want %d", len(got.Said), len(want.Said))
	}
}

func TestAScriptsOwnNoIsAScriptError(t *testing.T) {
	t.Parallel()
	s := start(t, host(func(context.Context, powershell.Envelope) (any, error) {
		return nil, &powershell.ScriptError{ID: "farmtrust.NotJoined", Message: "is in no farm", Line: 12}
	}), wsman.Options{})
	err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
	got, ok := errors.AsType[*powershell.ScriptError](err)
	if !ok {
		t.Fatalf("got %v, want a script error", err)
	}
	want := &powershell.ScriptError{Server: serverName, Script: script, ID: "farmtrust.NotJoined", Message: "is in no farm", Line: 12}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.wantFreed(t)
}

// raw is a host that does what it likes with a command.
type raw func(ctx context.Context, c wsman.Command) (wsman.Result, error)

func (h raw) Run(ctx context.Context, c wsman.Command) (wsman.Result, error) { return h(ctx, c) }

func TestTruncatedInputIsNoticed(t *testing.T) {
	t.Parallel()
	s := start(t, raw(func(ctx context.Context, c wsman.Command) (wsman.Result, error) {
		stdin, err := io.ReadAll(c.Stdin)
		if err != nil {
			return wsman.Result{}, err
		}
		c.Stdin = bytes.NewReader(stdin[:len(stdin)/2])
		return echoing.Run(ctx, c)
	}), wsman.Options{})
	err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(8<<10), &echo{})
	wantKind(t, err, powershell.Garbled)
	s.wantFreed(t)
}

func TestAConstrainedShellSaysSoThoughItTakesNoInput(t *testing.T) {
	t.Parallel()
	constrained := raw(func(context.Context, wsman.Command) (wsman.Result, error) {
		return wsman.Result{Stdout: []byte("@@LANGUAGE ConstrainedLanguage\r\n"), Exit: powershell.ExitConstrained}, nil
	})
	closedPipe := &wsman.Fault{Subcode: "w:InternalError", Code: 2147942632, Message: "The pipe is being closed."}
	for name, disrupt := range map[string]func(wsman.Point) wsman.Disruption{
		"input is thrown away": nil,
		"input is refused":     at("Send", wsman.Disruption{Kind: wsman.SOAPFault, Fault: closedPipe}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, constrained, wsman.Options{Disrupt: disrupt})
			err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
			wantKind(t, err, powershell.Constrained)
			s.wantFreed(t)
		})
	}
}

func TestRefusedInputEndsTheCall(t *testing.T) {
	t.Parallel()
	closedPipe := &wsman.Fault{Subcode: "w:InternalError", Code: 2147942632, Message: "The pipe is being closed."}
	for name, h := range map[string]wsman.Host{
		"the command waits": echoing,
		"the command ends": raw(func(context.Context, wsman.Command) (wsman.Result, error) {
			return wsman.Result{Stdout: []byte("Goodbye\r\n"), Exit: 1}, nil
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, h, wsman.Options{Disrupt: at("Send", wsman.Disruption{Kind: wsman.SOAPFault, Fault: closedPipe})})
			err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
			wantKind(t, err, powershell.Interrupted)
			if got := transportError(t, err).Code; got != closedPipe.Code {
				t.Errorf("got code %d, want %d", got, closedPipe.Code)
			}
			s.wantFreed(t)
		})
	}
}

func TestOnlyAShellThatStaysIsReported(t *testing.T) {
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
			s := start(t, echoing, wsman.Options{Disrupt: at("Delete", c.disruption)})
			r := runner(t, s.connection(t), zap.New(core))
			if err := r.Run(t.Context(), s.target(), say(0), &echo{}); err != nil {
				t.Errorf("the call had its answer: %v", err)
			}
			r.Close()
			if logs.Len() != c.warnings {
				t.Errorf("got %d warnings, want %d: %v", logs.Len(), c.warnings, logs.All())
			}
		})
	}
}

func TestAnAnswerThatIsThereIsNotHeldUpByCleanup(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{Disrupt: at("Delete", wsman.Disruption{Kind: wsman.Hang})})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	if err := runner(t, s.connection(t), zap.NewNop()).Run(ctx, s.target(), say(0), &echo{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > quick.Free/2 {
		t.Errorf("returned after %s", took)
	}
}

func TestASlowScriptIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := start(t, host(func(ctx context.Context, _ powershell.Envelope) (any, error) {
		select {
		case <-time.After(2500 * time.Millisecond): // two and a half times quick.Operation
			return echo{Said: "done"}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}), wsman.Options{})
	var got echo
	if err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &got); err != nil {
		t.Fatal(err)
	}
	if got.Said != "done" {
		t.Errorf("got %q", got.Said)
	}
	if n := s.Stats().Actions["Receive"]; n < 3 || n > 5 {
		t.Errorf("asked for output %d times, want about 3", n)
	}
}

func TestTheAnswerOfAnotherCommandLineIsNotOurs(t *testing.T) {
	t.Parallel()
	s := start(t, raw(func(context.Context, wsman.Command) (wsman.Result, error) {
		return wsman.Result{Stdout: []byte("Welcome to OOS-01\r\n"), Exit: 0}, nil
	}), wsman.Options{})
	err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), say(0), &echo{})
	wantKind(t, err, powershell.Garbled)
}

func TestAnUnknownConnectionIsDeniedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := start(t, echoing, wsman.Options{})
	target := s.target()
	target.Connection = "sharepoint"
	err := runner(t, s.connection(t), zap.NewNop()).Run(t.Context(), target, say(0), &echo{})
	wantKind(t, err, powershell.Denied)
	if n := s.Stats().Opened; n != 0 {
		t.Errorf("opened %d connections", n)
	}
}

// at disrupts one action, each time.
func at(action string, d wsman.Disruption) func(wsman.Point) wsman.Disruption {
	return func(p wsman.Point) wsman.Disruption {
		if p.Stage == wsman.Requesting && p.Action == action {
			return d
		}
		return wsman.Disruption{}
	}
}
