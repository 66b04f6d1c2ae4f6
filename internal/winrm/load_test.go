package winrm_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
)

// Not parallel: it counts the goroutines of the process.
func TestAHundredCallsAtOnceLeaveNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	var now, most atomic.Int32
	s := start(t, host(func(ctx context.Context, e powershell.Envelope) (any, error) {
		defer now.Add(-1)
		n := now.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		return echoing(ctx, e)
	}), wsman.Options{})
	idle := runtime.NumGoroutine()
	r := runner(t, s.connection(t), zap.NewNop())
	var calls sync.WaitGroup
	for i := range 100 {
		calls.Go(func() {
			target := s.target()
			if i%2 == 0 {
				target.Host = strings.ToUpper(target.Host) // the same server
			}
			call := say(8 << 10)
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
	s.wantFreed(t)
	if n := most.Load(); n > 5 {
		t.Errorf("%d shells at once, want at most 5", n)
	}
	got := s.Stats()
	if got.Opened != 100 || got.Requests != 700 || got.BodiesBeforeAuthentication != 0 {
		t.Errorf("got %d connections and %d requests, %d with a body before authentication; want 100, 700 and 0",
			got.Opened, got.Requests, got.BodiesBeforeAuthentication)
	}
	wantNoMoreGoroutines(t, idle)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantNoMoreGoroutines(t, before)
}

// Not parallel: it counts the goroutines of the process.
func TestCallsThatFailLeaveNothingBehind(t *testing.T) {
	var n atomic.Int32
	kinds := []wsman.Disruption{
		{},
		{Kind: wsman.Dropped},
		{Kind: wsman.Refused},
		{Kind: wsman.SOAPFault, Fault: wsman.UnknownShell()},
		{Kind: wsman.Unauthorized},
	}
	s := start(t, echoing, wsman.Options{Disrupt: func(p wsman.Point) wsman.Disruption {
		if p.Action == "" || p.Action == "Delete" || p.Action == "Create" {
			return wsman.Disruption{}
		}
		return kinds[int(n.Add(1))%len(kinds)]
	}})
	idle := runtime.NumGoroutine()
	r := runner(t, s.connection(t), zap.NewNop())
	var calls sync.WaitGroup
	var failed atomic.Int32
	for range 60 {
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), quick.Operation*30)
			defer cancel()
			if err := r.Run(ctx, s.target(), say(0), &echo{}); err != nil {
				failed.Add(1)
			}
		})
	}
	calls.Wait()
	r.Close()
	if failed.Load() == 0 {
		t.Error("no call failed")
	}
	s.wantFreed(t)
	wantNoMoreGoroutines(t, idle)
}

func TestASixthCallWaitsAndGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	inside, leave := make(chan struct{}), make(chan struct{})
	s := start(t, host(func(context.Context, powershell.Envelope) (any, error) {
		inside <- struct{}{}
		<-leave
		return echo{}, nil
	}), wsman.Options{})
	r := runner(t, s.connection(t), zap.NewNop())
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if err := r.Run(t.Context(), s.target(), say(0), &echo{}); err != nil {
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
	go func() { sixth <- r.Run(ctx, target, say(0), &echo{}) }()
	select {
	case <-inside:
		t.Error("a sixth shell on one server")
	case err := <-sixth:
		wantKind(t, err, powershell.TimedOut)
	}
	if n := s.Stats().Opened; n != 5 {
		t.Errorf("%d connections, want 5", n)
	}
	close(leave)
	calls.Wait()
	s.wantFreed(t)
}
