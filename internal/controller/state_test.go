package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

func waits(wait farm.WaitFor) func(*controller.State) {
	return func(s *controller.State) { s.Active.Wait = &farm.Wait{For: wait} }
}

// endsIn has the certificate in use end some time after the epoch.
func endsIn(d time.Duration) func(*controller.State) {
	return func(s *controller.State) { s.Inspected.Current.NotAfter = epoch.Add(d) }
}

func TestPhase(t *testing.T) {
	next := func(n farm.Next) func(*controller.State) { return func(s *controller.State) { s.Next = n } }
	unmanaged := func(s *controller.State) { s.Unmanaged = "not configured" }
	type phase struct {
		Phase         controller.Phase
		NeedsOperator bool
	}
	for _, c := range []struct {
		name string
		from controller.State
		want phase
	}{
		{"unmanaged", idle(unmanaged), phase{controller.Unmanaged, true}},
		{"unmanaged while a rotation runs", idle(rotating, unmanaged), phase{controller.Unmanaged, true}},
		{"rotating", idle(rotating), phase{controller.Rotating, false}},
		{"rotating although suspended: an operator asked for it", idle(rotating, suspended), phase{controller.Rotating, false}},
		{"rotating, and waiting for an approval", idle(rotating, waits(farm.ForApproval)), phase{controller.Rotating, true}},
		{"rotating, and waiting for a window", idle(rotating, waits(farm.ForWindow)), phase{controller.Rotating, false}},
		{"rotating, and waiting for a window that opens too late", idle(rotating, waits(farm.ForWindow), endsIn(6*day)), phase{controller.Rotating, true}},
		{"rotating just before the end", idle(rotating, endsIn(time.Hour)), phase{controller.Rotating, false}},
		{"rotating, with a step that is paused in Temporal", idle(rotating, func(s *controller.State) { s.Active.Paused = []string{"restart"} }), phase{controller.Rotating, true}},
		{"retiring", idle(retiring), phase{controller.Retiring, false}},
		{"retiring, and waiting for an approval", idle(retiring, waits(farm.ForApproval)), phase{controller.Retiring, true}},
		{"idle a week before the end", idle(endsIn(7 * day)), phase{controller.Idle, true}},
		{"idle before that", idle(endsIn(7*day + time.Second)), phase{controller.Idle, false}},
		{"suspended", idle(suspended), phase{controller.Suspended, true}},
		{"waiting for a newer certificate", idle(next(farm.Next{Action: farm.ActionAwaitCertificate, NeedsOperator: true})), phase{controller.Waiting, true}},
		{"waiting for its time", idle(next(farm.Next{Action: farm.ActionWait})), phase{controller.Waiting, false}},
		{"idle", idle(), phase{controller.Idle, false}},
		{"idle until an operator acts", idle(next(farm.Next{NeedsOperator: true})), phase{controller.Idle, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got phase
			if got.Phase, got.NeedsOperator = c.from.Phase(), c.from.NeedsOperator(epoch); got != c.want {
				t.Errorf("Phase() = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestRetirement(t *testing.T) {
	type retirement struct {
		Will, Due bool
		Next      farm.Thumbprint
	}
	older := func(list ...farm.Thumbprint) func(*controller.State) {
		return func(s *controller.State) {
			for _, thumbprint := range list {
				s.Retention.Older = append(s.Retention.Older, farm.StoreCertificate{Thumbprint: thumbprint})
			}
		}
	}
	for _, c := range []struct {
		name string
		from controller.State
		now  time.Time
		want retirement
	}{
		{"during the retention", idle(retaining), epoch, retirement{Will: true, Next: "A"}},
		{"after the retention", idle(retaining), epoch.Add(day), retirement{true, true, "A"}},
		{"the oldest first", idle(retaining, older("8", "9")), epoch.Add(day), retirement{true, true, "8"}},
		{"not one that is in use again", idle(retaining, older("B", "9")), epoch.Add(day), retirement{true, true, "9"}},
		{"not while suspended", idle(retaining, suspended), epoch.Add(day), retirement{}},
		{"not before the rotation is settled", idle(retaining, func(s *controller.State) { s.Retention.Unsettled = true }), epoch.Add(day), retirement{}},
		{"not while another one is unfinished", idle(retaining, unfinished("B", "C")), epoch.Add(day), retirement{}},
		{"nothing after a first set-up", idle(retaining, func(s *controller.State) { s.Retention.Snapshot = snapshot("", "B") }), epoch.Add(day), retirement{}},
		{"nothing after a repair", idle(retaining, func(s *controller.State) { s.Retention.Snapshot = snapshot("B", "B") }), epoch.Add(day), retirement{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := clone(t, c.from)
			got := retirement{Will: s.WillRetire(), Due: s.RetirementDue(c.now)}
			if s.ForgetOlderInUse(); got.Will {
				got.Next = s.NextToRetire().Thumbprint
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestInspectionTimes(t *testing.T) {
	unreachable := func(s *controller.State) { s.Inspected.Unreachable = true }
	within := func(t *testing.T, what string, got, least, most time.Duration) {
		t.Helper()
		if got < least || got > most {
			t.Errorf("%s in %s, want between %s and %s", what, got, least, most)
		}
	}
	t.Run("up to a tenth earlier than configured, by the farm's name", func(t *testing.T) {
		moments := map[time.Time]bool{}
		for _, name := range []string{"contoso", "fabrikam", "northwind"} {
			s := idle()
			s.Farm = name
			within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 6*time.Hour*9/10, 6*time.Hour)
			moments[s.NextInspectionAt()] = true
		}
		if len(moments) != 3 {
			t.Errorf("three farms are inspected at %d different times, want 3", len(moments))
		}
	})
	t.Run("soon where a server is unreachable", func(t *testing.T) {
		s := idle(unreachable)
		within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 13*time.Minute, 15*time.Minute)
	})
	t.Run("not in a hot loop where no policy is known", func(t *testing.T) {
		s := idle(unreachable, func(s *controller.State) { s.Policy = controller.Policy{} })
		within(t, "the next inspection is", s.NextInspectionAt().Sub(epoch), 13*time.Minute, 15*time.Minute)
		s.Unmanaged = "not configured"
		within(t, "the controller wakes", s.UntilNext(epoch), 13*time.Minute, 15*time.Minute)
	})
	t.Run("at once before the first", func(t *testing.T) {
		if s := (controller.State{Farm: "contoso"}); !s.InspectionDue(epoch) {
			t.Error("a farm that was never inspected is not due")
		}
	})
	t.Run("the controller wakes for the end of a retention", func(t *testing.T) {
		s := idle(retaining, func(s *controller.State) { s.Retention.Until = epoch.Add(time.Hour) })
		within(t, "the controller wakes", s.UntilNext(epoch), time.Hour, time.Hour)
	})
	t.Run("it does not wake for the retention while a retirement runs", func(t *testing.T) {
		s := idle(retaining, retiring, waits(farm.ForApproval), func(s *controller.State) { s.Retention.Until = epoch })
		within(t, "the controller wakes", s.UntilNext(epoch), 5*time.Hour, 6*time.Hour)
	})
	t.Run("it wakes to read a run that works", func(t *testing.T) {
		s := idle(rotating)
		within(t, "the controller wakes", s.UntilNext(epoch), 5*time.Minute, 5*time.Minute)
		if s.ReadDue(epoch) || !s.ReadDue(epoch.Add(5*time.Minute)) || s.InspectionDue(epoch.Add(day)) {
			t.Error("a run that works is read every five minutes, and the farm is not inspected beside it")
		}
	})
	t.Run("it goes on to inspect while a run waits", func(t *testing.T) {
		s := idle(rotating, waits(farm.ForApproval))
		within(t, "the controller wakes", s.UntilNext(epoch), 5*time.Hour, 6*time.Hour)
		if !s.InspectionDue(epoch.Add(6 * time.Hour)) {
			t.Error("no inspection is due")
		}
	})
	t.Run("it wakes when the end of the certificate comes closer", func(t *testing.T) {
		for _, c := range []struct{ ends, wakes time.Duration }{
			{7*day + time.Hour, time.Hour}, {3*day + time.Hour, time.Hour}, {day + time.Hour, time.Hour}, {time.Hour, time.Hour},
		} {
			s := idle(endsIn(c.ends))
			within(t, "the controller wakes", s.UntilNext(epoch), c.wakes, c.wakes)
		}
		s := idle(endsIn(-time.Hour))
		within(t, "the controller wakes after the end", s.UntilNext(epoch), 5*time.Hour, 6*time.Hour)
	})
	t.Run("it never spins", func(t *testing.T) {
		s := idle()
		within(t, "the controller wakes", s.UntilNext(epoch.Add(30*day)), time.Second, time.Second)
	})
}
