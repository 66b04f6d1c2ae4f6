package workflows_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
)

// clocks are those of the worker, of its certificate source and of all servers. They go as
// real ones do, and are set to Temporal's time whenever an activity begins.
type clocks struct{ ahead atomic.Int64 }

func (c *clocks) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// setTo sets the clocks, unless they are right within a second.
func (c *clocks) setTo(f *testFarm, at time.Time) {
	if off := at.Sub(c.now()); off.Abs() > time.Second {
		c.ahead.Add(int64(off))
		f.sim.World.SetClocks(time.Duration(c.ahead.Load()))
	}
}

// newTimedController is the controller of a farm whose source makes its certificates, and
// on which everybody's clock goes with Temporal's.
func (f *testFarm) newTimedController(t *testing.T, validFor, leadTime time.Duration) *testController {
	t.Helper()
	if f.own == nil {
		f.makeOwnCertificates(t)
	}
	if f.clocks == nil {
		f.clocks = &clocks{}
	}
	f.own.ValidFor, f.own.LeadTime, f.own.Now, f.activities.Now = validFor, leadTime, f.clocks.now, f.clocks.now
	c := f.newController(t)
	onRead := c.onStart
	c.onStart = func(info *activity.Info) {
		f.clocks.setTo(f, c.env.Now())
		if onRead != nil {
			onRead(info)
		}
	}
	return c
}

// countRotations counts the rotations that the farm's controllers have started.
func (f *testFarm) countRotations() (n int) {
	f.runs.mu.Lock()
	defer f.runs.mu.Unlock()
	for _, r := range f.runs.runs {
		if !r.Retirement {
			n++
		}
	}
	return n
}

// rarely has the farm inspected, and its trust looked at, so rarely that years pass quickly.
func rarely(interval time.Duration) func(*farm.Farm) {
	return func(f *farm.Farm) {
		f.Rotation.InspectionInterval, f.Rotation.WatchInterval, f.Rotation.KeepOldFor = interval, 1000*day, 10_000*day
	}
}

// TestManageFarm_NeedsNoEvent leaves a farm alone for four years, in which nothing tells its
// controller that a certificate ends.
func TestManageFarm_NeedsNoEvent(t *testing.T) {
	t.Parallel()
	const year = 365 * day
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.configure = rarely(20 * day)
	c := f.newTimedController(t, year, 30*day)
	for at := 5 * day; at < 4*year; at += 30 * day {
		c.after(at, func() {
			if s := c.state(); !s.Inspected.Current.NotAfter.After(c.env.Now().Add(15 * day)) {
				t.Errorf("on %s the certificate in use ends on %s; next %+v", c.env.Now(), s.Inspected.Current.NotAfter, s.Next)
			}
		})
	}
	state := c.runUntil(4 * year)
	// The first of them replaces what the farm began with; each lives for eleven months.
	if f.countRotations() != 5 {
		t.Errorf("%d rotations in four years, want 5", f.countRotations())
	}
	requireRun(t, state, run{Outcome: farm.Verified, HasSnapshot: true})
	f.assertRefreshes(t)
}

// TestManageFarm_ClockThatJumps stops the worker of a farm whose certificate is in order,
// and starts it again years later; and then with the clock of before.
func TestManageFarm_ClockThatJumps(t *testing.T) {
	t.Parallel()
	const year = 365 * day
	f := newTestFarm(t, farmsim.Options{Trusting: true})
	f.configure = rarely(10 * day)
	o := f.listen()
	first := f.newTimedController(t, year, 30*day)
	before := first.runUntil(day)
	requireRun(t, before, run{Outcome: farm.Verified, HasSnapshot: true})

	later := f.newTimedController(t, year, 30*day)
	later.env.SetStartTime(first.env.Now().Add(3 * year))
	later.after(day, later.stop)
	state, _ := later.runFrom(before)
	if f.countRotations() != 2 || state.Last.Outcome != farm.Verified || !state.Inspected.Current.NotAfter.After(later.env.Now().Add(300*day)) {
		t.Errorf("after a jump of three years %d rotations in all, the last %+v, in use %+v, next %+v", f.countRotations(), state.Last, state.Inspected.Current, state.Next)
	}
	f.assertRefreshes(t)
	if told := o.kinds(); len(told) == 0 {
		t.Error("operators were not told that the certificate had ended")
	}

	again := f.newTimedController(t, year, 30*day)
	again.env.SetStartTime(first.env.Now().Add(2 * day))
	again.after(day, again.stop)
	state, _ = again.runFrom(state)
	if f.countRotations() != 2 || !state.NeedsOperator(again.env.Now()) {
		t.Errorf("after a jump back, by which the certificate in use is not valid yet, %d rotations in all, next %+v", f.countRotations(), state.Next)
	}
}

// TestManageFarm_CertificatesThatLiveForHours has each certificate live for three hours. Of
// each an event says minutes after its deployment that it is near its end, as Key Vault
// does of one that lives for less than thirty days, and says so again and again.
func TestManageFarm_CertificatesThatLiveForHours(t *testing.T) {
	t.Parallel()
	f := newTestFarm(t, farmsim.Options{})
	f.configure = rarely(6 * time.Hour)
	o := f.listen()
	c := f.newTimedController(t, 3*time.Hour, 30*time.Minute)
	used, events := map[farm.Thumbprint]bool{}, 0
	const span = 12 * time.Hour
	c.after(time.Minute, func() { c.sendEvent("set up") })
	for at := 10 * time.Minute; at < span; at += 20 * time.Minute {
		c.after(at, func() {
			s := c.state()
			current := s.Inspected.Current
			if used[current.Thumbprint] = true; !current.NotAfter.After(c.env.Now()) {
				t.Errorf("after %s the certificate in use has ended: next %+v", at, s.Next)
			}
			for nth := range 2 {
				c.sendEvent(fmt.Sprintf("%s %d", current.Thumbprint, nth))
				events++
			}
		})
	}
	state := c.runUntil(span)
	// A renewal is made half an hour before the end, which is when the source has one.
	if f.countRotations() != len(used) || len(used) > 5 {
		t.Errorf("%d rotations of %d certificates in %s", f.countRotations(), len(used), span)
	}
	if state.Suspended != "" || state.Last.Outcome != farm.Verified {
		t.Errorf("at last it is suspended (%s), last %+v, next %+v", state.Suspended, state.Last, state.Next)
	}
	for _, n := range o.told {
		if n.Kind == controller.OperatorNeeded && n.At.Sub(state.Inspected.Current.NotBefore) < time.Hour && n.At.After(state.Inspected.Current.NotBefore) {
			t.Errorf("an operator was called for a certificate that has just been deployed: %s", n.Text)
		}
	}
	f.assertRefreshes(t)
}
