package winrm_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestRun_Fault(t *testing.T) {
	t.Parallel()
	t.Run("a fault is a typed error at once", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			action string
			fault  *wsman.Fault
			want   powershell.Kind
		}{
			"no right to use WinRM":      {"Create", wsman.AccessDenied(), powershell.Forbidden},
			"too many shells":            {"Create", wsman.QuotaLimit(wsman.MaxShells, 30), powershell.Quota},
			"too many users":             {"Create", wsman.QuotaLimit(wsman.MaxShellUsers, 10), powershell.Quota},
			"too many shells, newer":     {"Create", wsman.QuotaLimit(wsman.MaxShellsPPQ, 30), powershell.Quota},
			"minimum quota":              {"Create", wsman.QuotaLimit(wsman.MinimumPPQ, 1), powershell.Quota},
			"quota without known code":   {"Create", &wsman.Fault{Subcode: "w:QuotaLimit", Code: 1}, powershell.Quota},
			"too many operations":        {"Command", wsman.QuotaLimit(wsman.MaxOperations, 1500), powershell.Quota},
			"too many user operations":   {"Command", wsman.QuotaLimit(wsman.UserQuota, 15), powershell.Quota},
			"too many system operations": {"Command", wsman.QuotaLimit(wsman.SystemQuota, 15), powershell.Quota},
			"server too slow":            {"Create", wsman.TimedOut(), powershell.Busy},
			"profile is being unloaded":  {"Create", &wsman.Fault{Subcode: "w:InternalError", Code: 2147943418}, powershell.Busy},
			"input busy":                 {"Send", wsman.Busy(), powershell.Busy},
			"no PowerShell":              {"Command", wsman.FileNotFound(), powershell.Garbled},
			"shell lost before command":  {"Command", wsman.UnknownShell(), powershell.Interrupted},
			"shell lost before input":    {"Send", wsman.UnknownShell(), powershell.Interrupted},
			"shell lost before output":   {"Receive", wsman.UnknownShell(), powershell.Interrupted},
			"command lost":               {"Receive", wsman.UnknownCommand(), powershell.Interrupted},
			"aborted":                    {"Receive", wsman.Aborted(), powershell.Interrupted},
			"the word for a timeout in a text": {
				"Receive", &wsman.Fault{Subcode: "w:InternalError", Code: 1, Message: "OperationTimeout"}, powershell.Interrupted,
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt(c.action, wsman.Disruption{Kind: wsman.SOAPFault, Fault: c.fault})})
				err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
				requireKind(t, err, c.want)
				if got := requireTransportError(t, err); got.Server != serverName || got.Code != c.fault.Code {
					t.Errorf("got server %s and code %d, want %s and %d", got.Server, got.Code, serverName, c.fault.Code)
				}
				if said := strings.TrimSpace(c.fault.Message); !strings.Contains(err.Error(), said) {
					t.Errorf("%q does not repeat what the server says: %q", err, said)
				}
				if n := s.Stats().Actions[c.action]; n != 1 {
					t.Errorf("sent %d times, want once", n)
				}
				s.assertFreed(t)
			})
		}
	})

	t.Run("a quota that is really reached is a quota error", func(t *testing.T) {
		t.Parallel()
		inside, leave := make(chan struct{}), make(chan struct{})
		s := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) {
			inside <- struct{}{}
			<-leave
			return echo{}, nil
		}), wsman.Options{MaxShellsPerUser: 1})
		r := newRunner(t, s.connection(t), zap.NewNop())
		first := make(chan error, 1)
		go func() { first <- r.Run(t.Context(), s.target(), newCall(0), &echo{}) }()
		<-inside
		requireKind(t, r.Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Quota)
		close(leave)
		if err := <-first; err != nil {
			t.Errorf("the first call: %v", err)
		}
		s.assertFreed(t)
	})

	t.Run("a server that does not hold requests is not flooded", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt("Receive", wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.TimedOut()})})
		ctx, cancel := context.WithTimeout(t.Context(), 1100*time.Millisecond)
		defer cancel()
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(ctx, s.target(), newCall(0), &echo{})
		requireKind(t, err, powershell.TimedOut)
		if n := s.Stats().Actions["Receive"]; n < 2 || n > 6 {
			t.Errorf("asked %d times in 1.1 s, want a few", n)
		}
		s.assertFreed(t)
	})

	t.Run("a timeout while sending input does not end the call", func(t *testing.T) {
		t.Parallel()
		var once sync.Once
		s := startServer(t, echoHost, wsman.Options{Disrupt: func(p wsman.Point) (d wsman.Disruption) {
			if p.Action == "Send" {
				once.Do(func() { d = wsman.Disruption{Kind: wsman.SOAPFault, Fault: wsman.TimedOut()} })
			}
			return d
		}})
		// The first piece of two does not arrive here, which the hash tells.
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(80<<10), &echo{})
		requireKind(t, err, powershell.Garbled)
		if n := s.Stats().Actions["Send"]; n != 2 {
			t.Errorf("sent %d pieces, want 2", n)
		}
		s.assertFreed(t)
	})

	t.Run("endless output ends the call", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, commandHost(func(_ context.Context, c wsman.Command) (wsman.Result, error) {
			_, err := io.Copy(io.Discard, c.Stdin)
			return wsman.Result{Stdout: make([]byte, 20<<20)}, err
		}), wsman.Options{StreamBytes: 100 << 10})
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
		requireKind(t, err, powershell.Oversized)
		if !strings.Contains(err.Error(), "the script's output has more than") {
			t.Errorf("the error does not say why: %v", err)
		}
		s.assertFreed(t)
	})
}

func TestRun_Context(t *testing.T) {
	t.Parallel()
	t.Run("a call returns at once when its context ends", func(t *testing.T) {
		t.Parallel()
		hang := wsman.Disruption{Kind: wsman.Hang}
		places := map[string]func(wsman.Point) wsman.Disruption{
			"before TLS": func(p wsman.Point) wsman.Disruption {
				if p.Stage == wsman.Connecting {
					return hang
				}
				return wsman.Disruption{}
			},
			"at create":       disruptAt("Create", hang),
			"at command":      disruptAt("Command", hang),
			"at send":         disruptAt("Send", hang),
			"at receive":      disruptAt("Receive", hang),
			"in the script":   nil,
			"even at cleanup": func(p wsman.Point) wsman.Disruption { return hangAtAny(p, "Receive", "Delete") },
		}
		for name, disrupt := range places {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startServer(t, scriptHost(func(ctx context.Context, _ powershell.Envelope) (any, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}), wsman.Options{Disrupt: disrupt})
				r := newRunner(t, s.connection(t), zap.NewNop())
				t.Run("cancelled", func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(200*time.Millisecond, cancel)
					began := time.Now()
					err := r.Run(ctx, s.target(), newCall(0), &echo{})
					if took := time.Since(began); took > testTimeouts.Response/2 {
						t.Errorf("returned after %s", took)
					}
					requireKind(t, err, powershell.Interrupted)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%v does not wrap the context's error", err)
					}
				})
				t.Run("past its deadline", func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
					defer cancel()
					err := r.Run(ctx, s.target(), newCall(0), &echo{})
					requireKind(t, err, powershell.TimedOut)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v does not wrap the context's error", err)
					}
				})
				r.Close()
				if got := s.Stats(); name != "even at cleanup" && got.Shells != 0 {
					t.Errorf("left %d shells", got.Shells)
				}
				awaitOrFail(t, func() bool { return s.Stats().Open == 0 }, func() { t.Errorf("left on the server: %+v", s.Stats()) })
			})
		}
	})
}

func hangAtAny(p wsman.Point, actions ...string) wsman.Disruption {
	if slices.Contains(actions, p.Action) {
		return wsman.Disruption{Kind: wsman.Hang}
	}
	return wsman.Disruption{}
}

func TestRun_Disconnect(t *testing.T) {
	t.Parallel()
	t.Run("a server that stops answering interrupts the call", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt("Receive", wsman.Disruption{Kind: wsman.Hang})})
		err := newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{})
		requireKind(t, err, powershell.Interrupted)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v speaks of a deadline that the caller did not set", err)
		}
		s.assertFreed(t)
	})

	t.Run("a lost connection interrupts the call and frees the shell", func(t *testing.T) {
		t.Parallel()
		for _, action := range []string{"Create", "Command", "Send", "Receive"} {
			for _, kind := range []wsman.Kind{wsman.Dropped, wsman.Refused} {
				t.Run(string(kind)+" at "+action, func(t *testing.T) {
					t.Parallel()
					s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt(action, wsman.Disruption{Kind: kind})})
					r := newRunner(t, s.connection(t), zap.NewNop())
					requireKind(t, r.Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Interrupted)
					r.Close()
					got := s.Stats()
					if got.BodiesBeforeAuthentication != 0 {
						t.Error("sent a message over a new connection before it was authenticated")
					}
					// The name of a shell whose Create was never answered is lost.
					if orphan := action == "Create" && kind == wsman.Dropped; got.Shells != 0 && !orphan {
						t.Errorf("left %d shells", got.Shells)
					}
				})
			}
		}
	})

	t.Run("a restart of the server interrupts the call", func(t *testing.T) {
		t.Parallel()
		inside := make(chan struct{}, 1)
		s := startServer(t, scriptHost(func(ctx context.Context, _ powershell.Envelope) (any, error) {
			inside <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}), wsman.Options{})
		go func() {
			<-inside
			s.Reset()
		}()
		requireKind(t, newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Interrupted)
		s.assertFreed(t)
	})

	t.Run("credentials rejected during the call are denied", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, echoHost, wsman.Options{Disrupt: disruptAt("Command", wsman.Disruption{Kind: wsman.Unauthorized})})
		requireKind(t, newRunner(t, s.connection(t), zap.NewNop()).Run(t.Context(), s.target(), newCall(0), &echo{}), powershell.Denied)
		s.assertFreed(t)
	})

	t.Run("a server that accepts no connection is unreachable", func(t *testing.T) {
		t.Parallel()
		resetting := startServer(t, echoHost, wsman.Options{Disrupt: func(p wsman.Point) wsman.Disruption {
			if p.Stage == wsman.Connecting {
				return wsman.Disruption{Kind: wsman.Refused}
			}
			return wsman.Disruption{}
		}})
		for name, address := range map[string]string{
			"nothing listens":    unusedAddress(t),
			"resets at once":     resetting.Addr().String(),
			"no port":            "127.0.0.1",
			"port of no service": "127.0.0.1:winrm",
		} {
			t.Run(name, func(t *testing.T) {
				target := powershell.Target{Host: serverName, Address: address, Connection: "office"}
				err := newRunner(t, resetting.connection(t), zap.NewNop()).Run(t.Context(), target, newCall(0), &echo{})
				requireKind(t, err, powershell.Unreachable)
			})
		}
	})
}
