package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

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
		{"retiring", idle(retiring), phase{controller.Retiring, false}},
		{"suspended", idle(suspended), phase{controller.Suspended, true}},
		{"waiting for a newer certificate", idle(next(farm.Next{Action: farm.ActionAwaitCertificate, NeedsOperator: true})), phase{controller.Waiting, true}},
		{"waiting for its time", idle(next(farm.Next{Action: farm.ActionWait})), phase{controller.Waiting, false}},
		{"idle", idle(), phase{controller.Idle, false}},
		{"idle until an operator acts", idle(next(farm.Next{NeedsOperator: true})), phase{controller.Idle, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got phase
			if got.Phase, got.NeedsOperator = c.from.Phase(); got != c.want {
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
		{"not before the rotation is settled", idle(retaining, func(s *controller.State) { s.Retention.Until = time.Time{} }), epoch.Add(day), retirement{}},
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
		s := idle(retaining, retiring, func(s *controller.State) { s.Retention.Until = epoch })
		within(t, "the controller wakes", s.UntilNext(epoch), 5*time.Hour, 6*time.Hour)
	})
	t.Run("it never spins", func(t *testing.T) {
		s := idle()
		within(t, "the controller wakes", s.UntilNext(epoch.Add(30*day)), time.Second, time.Second)
	})
}
