package workflows_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// TestManageFarm_ThousandDeliveries delivers 40 events a thousand times, in random order:
// before the controller has inspected anything, while it rotates, and after that, while it
// continues as new, and after it was terminated. There are two reasons to rotate, the
// certificate that ends and one that is issued later, and one rotation for each.
func TestManageFarm_ThousandDeliveries(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.configure = rarely(2 * day)
	chance := rand.New(rand.NewPCG(*firstSeed, 40))
	delivered, total := map[string]bool{}, 0
	deliver := func(c *testController, events int) {
		total++
		id := fmt.Sprint(chance.IntN(events))
		delivered[id] = true
		c.sendEvent(id)
	}
	// burst has deliveries arrive at random times of a span, many at the same moment.
	burst := func(c *testController, n, events int, span time.Duration) {
		for range n / 5 {
			c.after(time.Duration(chance.Int64N(int64(span))), func() {
				for range 5 {
					deliver(c, events)
				}
			})
		}
	}

	first := f.newController(t)
	burst(first, 50, 20, time.Second)
	burst(first, 250, 20, 2*time.Hour)
	first.onActivity("ImportCertificate", func() { deliver(first, 20) })
	first.after(3*time.Hour, first.endContinued)
	state := first.requireContinued(controller.State{})
	if state.Last.Outcome != farm.Verified || f.countRotations() != 1 {
		t.Fatalf("%d rotations for the certificate that ends, the last %+v", f.countRotations(), state.Last)
	}

	second := f.newController(t)
	second.env.SetStartTime(first.env.Now())
	burst(second, 100, 20, time.Hour)
	second.after(time.Hour, func() {
		if inspections := len(second.hostsOf("InspectFarm")); inspections > 0 {
			t.Errorf("events that the run before had answered led to %d inspections", inspections)
		}
		f.issueCertificate(t)
		second.sendEvent("issued")
		burst(second, 200, 40, 2*time.Hour)
	})
	second.after(4*time.Hour, second.stop)
	state, _ = second.runFrom(state)
	if state.Last.Outcome != farm.Verified || f.countRotations() != 2 {
		t.Fatalf("%d rotations in all, the last %+v, next %+v", f.countRotations(), state.Last, state.Next)
	}

	// It was terminated, and another one recalls what it knew.
	f.runs.previous = &state
	third := f.newController(t)
	third.env.SetStartTime(second.env.Now())
	for i := range 40 { // each of them once at least
		third.after(time.Minute, func() {
			delivered[fmt.Sprint(i)] = true
			third.sendEvent(fmt.Sprint(i))
		})
	}
	burst(third, 200, 40, time.Hour)
	third.after(2*time.Hour, func() {
		third.started = nil
		for range 200 {
			deliver(third, 40)
		}
	})
	third.after(3*time.Hour, third.stop)
	state, _ = third.runFrom(controller.State{})
	if inspections := len(third.hostsOf("InspectFarm")); inspections > 0 || f.countRotations() != 2 {
		t.Errorf("events that it had already led to %d inspections; %d rotations in all", inspections, f.countRotations())
	}
	assertAnsweredOnce(t, state, append(keysOf(delivered), "issued"))
	if total < 1000 {
		t.Errorf("%d deliveries", total)
	}
	f.assertRefreshes(t)
}

func keysOf(m map[string]bool) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// assertAnsweredOnce asserts that something came of each event, once.
func assertAnsweredOnce(t *testing.T, s controller.State, ids []string) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, id := range ids {
		want[id] = 1
	}
	for _, r := range s.Mailbox.Results {
		got[r.EventID]++
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("results of events (-want +got):\n%s", diff)
	}
	assertPending(t, s)
}
