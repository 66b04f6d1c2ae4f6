package winrm_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

func TestRun_Leaks(t *testing.T) {
	// Not parallel: it counts the goroutines of the process.
	t.Run("a hundred calls at once leave nothing behind", func(t *testing.T) {
		before := runtime.NumGoroutine()
		var now, most atomic.Int32
		s := startServer(t, scriptHost(func(ctx context.Context, e powershell.Envelope) (any, error) {
			defer now.Add(-1)
			n := now.Add(1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
			}
			return echoHost(ctx, e)
		}), wsman.Options{})
		idle := runtime.NumGoroutine()
		r := newRunner(t, s.connection(t), zap.NewNop())
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				target := s.target()
				if i%2 == 0 {
					target.Host = strings.ToUpper(target.Host) // the same server
				}
				call := newCall(8 << 10)
				call.Params = map[string]string{"Say": fmt.Sprint(i)}
				var got echo
				if err := r.Run(t.Context(), target, call, &got); err != nil {
					t.Error(err)
				} else if want := fmt.Sprintf(`{"Say":"%d"}`, i); got.Said != want {
					t.Errorf("got the answer %s, want %s", got.Said, want)
				}
			})
		}
		calls.Wait()
		r.Close()
		s.assertFreed(t)
		if n := most.Load(); n > 5 {
			t.Errorf("%d shells at once, want at most 5", n)
		}
		want := wsman.Stats{
			Requests: 700, Unauthorized: 100, BodiesBeforeAuthentication: 0, Bound: 100, Opened: 100,
			Actions: map[string]int{"Create": 100, "Command": 100, "Send": 100, "Receive": 100, "Delete": 100},
		}
		if diff := cmp.Diff(want, s.Stats()); diff != "" {
			t.Error(diff)
		}
		assertGoroutines(t, idle)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		assertGoroutines(t, before)
	})

	// Not parallel: it counts the goroutines of the process.
	t.Run("calls that fail leave nothing behind", func(t *testing.T) {
		var n atomic.Int32
		kinds := []wsman.Disruption{
			{},
			{Kind: wsman.Dropped},
			{Kind: wsman.Refused},
			{Kind: wsman.SOAPFault, Fault: wsman.UnknownShell()},
			{Kind: wsman.Unauthorized},
		}
		s := startServer(t, echoHost, wsman.Options{Disrupt: func(p wsman.Point) wsman.Disruption {
			if !slices.Contains([]string{"Command", "Send", "Receive"}, p.Action) {
				return wsman.Disruption{}
			}
			return kinds[int(n.Add(1))%len(kinds)]
		}})
		idle := runtime.NumGoroutine()
		r := newRunner(t, s.connection(t), zap.NewNop())
		var calls sync.WaitGroup
		var failed atomic.Int32
		for range 60 {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), testTimeouts.Operation*30)
				defer cancel()
				if err := r.Run(ctx, s.target(), newCall(0), &echo{}); err != nil {
					failed.Add(1)
				}
			})
		}
		calls.Wait()
		r.Close()
		if failed.Load() == 0 {
			t.Error("no call failed")
		}
		s.assertFreed(t)
		assertGoroutines(t, idle)
	})
}

func TestRun_Slots(t *testing.T) {
	t.Parallel()
	t.Run("a sixth call waits, and gives up with its context", func(t *testing.T) {
		t.Parallel()
		inside, leave := make(chan struct{}), make(chan struct{})
		s := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) {
			inside <- struct{}{}
			<-leave
			return echo{}, nil
		}), wsman.Options{})
		r := newRunner(t, s.connection(t), zap.NewNop())
		var calls sync.WaitGroup
		for range 5 {
			calls.Go(func() {
				if err := r.Run(t.Context(), s.target(), newCall(0), &echo{}); err != nil {
					t.Error(err)
				}
			})
			<-inside
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		target := s.target()
		target.Host = strings.ToUpper(target.Host) // the same server
		sixth := make(chan error, 1)
		go func() { sixth <- r.Run(ctx, target, newCall(0), &echo{}) }()
		select {
		case <-inside:
			t.Error("a sixth shell on one server")
		case err := <-sixth:
			requireKind(t, err, powershell.TimedOut)
		}
		if n := s.Stats().Opened; n != 5 {
			t.Errorf("%d connections, want 5", n)
		}
		close(leave)
		calls.Wait()
		s.assertFreed(t)
	})
}
