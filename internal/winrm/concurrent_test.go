package winrm_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/farmtrust/farmtrust/internal/farmsim/wsman"
	"github.com/farmtrust/farmtrust/internal/powershell"
	"github.com/farmtrust/farmtrust/internal/winrm"
)

// gauge counts what runs at once. The first ones wait until as many run as may.
type gauge struct {
	limit int
	full  chan struct{}

	mu        sync.Mutex
	now, most int
}

func newGauge(limit int) *gauge { return &gauge{limit: limit, full: make(chan struct{})} }

func (g *gauge) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.now++; g.now > g.most {
		if g.most = g.now; g.most == g.limit {
			close(g.full)
		}
	}
	g.mu.Unlock()
	select {
	case <-g.full:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gauge) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now--
}

// callHosts makes a call to each of so many servers at once.
func callHosts(t *testing.T, r *winrm.Runner, s *testServer, servers int) {
	t.Helper()
	var calls sync.WaitGroup
	for i := range servers {
		calls.Go(func() {
			target := s.target()
			target.Host = fmt.Sprintf("oos-%d", i)
			if err := r.Run(t.Context(), target, newCall(0), &echo{}); err != nil {
				t.Errorf("%s: %v", target.Host, err)
			}
		})
	}
	calls.Wait()
}

func TestRun_ConcurrentCalls(t *testing.T) {
	t.Parallel()
	t.Run("calls to two hundred servers become no more than the limit at once", func(t *testing.T) {
		t.Parallel()
		g := newGauge(20) // Windows, which the one server stands for, allows 30 shells
		s := startServer(t, scriptHost(func(ctx context.Context, _ powershell.Envelope) (any, error) {
			defer g.leave()
			return echo{}, g.enter(ctx)
		}), wsman.Options{})
		c := s.connection(t)
		c.CA, c.AllowUnverified = nil, true // one server answers for all
		callHosts(t, newRunner(t, c, zap.NewNop(), winrm.WithConcurrentCalls(g.limit)), s, 200)
		if g.most != g.limit {
			t.Errorf("%d calls at once, want %d", g.most, g.limit)
		}
		s.assertFreed(t)
	})

	t.Run("calls that wait for a busy server do not keep others from theirs", func(t *testing.T) {
		t.Parallel()
		inside, leave := make(chan struct{}), make(chan struct{})
		busy := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) {
			inside <- struct{}{}
			<-leave
			return echo{}, nil
		}), wsman.Options{})
		s := startServer(t, echoHost, wsman.Options{})
		c := s.connection(t)
		c.CA, c.AllowUnverified = nil, true
		r := newRunner(t, c, zap.NewNop(), winrm.WithConcurrentCalls(6)) // one more than run on a server
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				if err := r.Run(t.Context(), busy.target(), newCall(0), &echo{}); err != nil {
					t.Error(err)
				}
			})
		}
		for range 5 {
			<-inside
		}
		callHosts(t, r, s, 3)
		go func() {
			for range 5 {
				<-inside
			}
		}()
		close(leave)
		calls.Wait()
	})

	t.Run("a call that waits gives up with its context", func(t *testing.T) {
		t.Parallel()
		inside, leave := make(chan struct{}), make(chan struct{})
		s := startServer(t, scriptHost(func(context.Context, powershell.Envelope) (any, error) {
			inside <- struct{}{}
			<-leave
			return echo{}, nil
		}), wsman.Options{})
		c := s.connection(t)
		c.CA, c.AllowUnverified = nil, true
		r := newRunner(t, c, zap.NewNop(), winrm.WithConcurrentCalls(1))
		first := make(chan error, 1)
		go func() { first <- r.Run(t.Context(), s.target(), newCall(0), &echo{}) }()
		<-inside
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		other := s.target()
		other.Host = "oos-02"
		requireKind(t, r.Run(ctx, other, newCall(0), &echo{}), powershell.TimedOut)
		close(leave)
		if err := <-first; err != nil {
			t.Errorf("the first call: %v", err)
		}
		s.assertFreed(t)
	})
}
