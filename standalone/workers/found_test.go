package workers_test

import (
	"errors"
	"testing"

	"github.com/farmtrust/farmtrust/internal/client"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// TestFindWorker is about what Temporal's own list of who polls a queue gets wrong: a
// worker that has just started, and one that was killed.
func TestFindWorker(t *testing.T) {
	t.Parallel()
	s := startTemporal(t)
	farm := s.farmAt("", farmsim.FarmName)
	if err := farm.FindWorker(t.Context()); !errors.Is(err, client.ErrNoWorker) {
		t.Errorf("before the first: got %v", err)
	}
	configured := loadConfig(t, startFarm(t, nil))
	for range 2 {
		cable := newCable()
		startWorker(t, s, configured, cable.through)
		// One that holds a task was killed a moment before.
		if err := farm.FindWorker(t.Context()); err != nil && !errors.Is(err, client.ErrLate) {
			t.Errorf("a worker has started: got %v", err)
		}
		waitUntil(t, "the controller answers", func() bool { _, err := farm.State(t.Context()); return err == nil })
		cable.cut()
	}
	waitUntil(t, "it is known that the worker was killed", func() bool {
		err := farm.FindWorker(t.Context())
		if !errors.Is(err, client.ErrNoWorker) && !errors.Is(err, client.ErrLate) {
			t.Fatalf("the worker was killed: got %v", err)
		}
		return errors.Is(err, client.ErrNoWorker)
	})
}
