package controller_test

import (
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// unreleased is a farm of this version that nobody has released.
func unreleased(s *controller.State) { s.Format = controller.Format }

func released(s *controller.State) {
	s.Format, s.Released = controller.Format, &controller.Release{At: epoch, By: "ada", Reason: "change 4711"}
}

func postponed(s *controller.State) {
	s.Postponed = &controller.Postponement{Until: epoch.Add(20 * day), By: "ada", Reason: "freeze"}
}

// TestUpgrade asserts which farms of earlier versions count as released: those that were
// rotated.
func TestUpgrade(t *testing.T) {
	for name, c := range map[string]struct {
		from controller.State
		want bool
	}{
		"one that was never rotated":                       {idle(), false},
		"one that keeps the certificate before":            {idle(retaining), true},
		"one whose last rotation was rolled back":          {idle(func(s *controller.State) { s.Last.At = epoch }), true},
		"one that is being rotated":                        {idle(rotating), true},
		"one of this version that an operator has rotated": {idle(unreleased, retaining), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.from
			s.Upgrade()
			if got := !s.IsUnreleased(); got != c.want {
				t.Errorf("released: %t, want %t", got, c.want)
			}
		})
	}
	t.Run("its retention begins when it began", func(t *testing.T) {
		s := idle(retaining)
		until := s.Retention.Until
		s.Upgrade()
		if s.ApplyPolicy(policy); !s.Retention.Until.Equal(until) {
			t.Errorf("it ends at %s, want %s", s.Retention.Until, until)
		}
	})
}

func TestWillRetire_WithConsentOnly(t *testing.T) {
	compromised := func(s *controller.State) { s.Retention.Snapshot.Compromised = true }
	observed := func(s *controller.State) { s.Policy.Mode = farm.ModeObserve }
	for name, c := range map[string]struct {
		state controller.State
		want  time.Duration // after epoch; negative is never
	}{
		"a released farm":                         {idle(retaining, released), day},
		"one that nobody has released":            {idle(retaining, unreleased), -1},
		"a compromised certificate, as was asked": {idle(retaining, unreleased, compromised), day},
		"one that is observed only":               {idle(retaining, released, observed), -1},
		"one that is postponed":                   {idle(retaining, released, postponed), 20 * day},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.state
			if c.want < 0 {
				if s.RetirementDue(epoch.Add(1000 * day)) {
					t.Error("its old certificate is retired")
				}
				return
			}
			if s.RetirementDue(epoch.Add(c.want-1)) || !s.RetirementDue(epoch.Add(c.want)) {
				t.Errorf("it is retired at %s, want %s", s.RetirementAt(epoch), epoch.Add(c.want))
			}
		})
	}
}

// TestApplyPolicy asserts that a retention that has begun is as long as the policy says
// now.
func TestApplyPolicy(t *testing.T) {
	verified := idle(rotating, released)
	verified.EndRotation(epoch, result(farm.Verified, snapshot("B", "C")), "")
	for name, c := range map[string]struct{ keep, want time.Duration }{
		"shorter": {day, day}, "none": {0, 0}, "longer": {100 * day, 100 * day},
	} {
		t.Run(name, func(t *testing.T) {
			s := clone(t, verified)
			s.ApplyPolicy(controller.Policy{InspectionInterval: policy.InspectionInterval, KeepOldFor: c.keep})
			if !s.Retention.Until.Equal(epoch.Add(c.want)) {
				t.Errorf("it ends at %s, want %s", s.Retention.Until, epoch.Add(c.want))
			}
		})
	}
	t.Run("a retirement that is tried again waits for an inspection", func(t *testing.T) {
		s := clone(t, verified)
		s.ApplyPolicy(controller.Policy{InspectionInterval: 6 * time.Hour})
		s.BeginRun(controller.ActiveRun{WorkflowID: "retire/contoso", RunID: "t1", Retirement: true, Since: epoch})
		s.EndRetirement(epoch, farm.RotationResult{Report: farm.Report{Outcome: farm.Partial}}, "")
		if want := epoch.Add(6 * time.Hour); !s.Retention.Until.Equal(want) {
			t.Errorf("it ends at %s, want %s", s.Retention.Until, want)
		}
	})
}

// TestNextInspectionAt_KeepsItsWord asserts that what was said to be done at a moment is done
// then.
func TestNextInspectionAt_KeepsItsWord(t *testing.T) {
	s := idle(released, func(s *controller.State) { s.Next.At = epoch.Add(time.Hour) })
	if got := s.NextInspectionAt(); !got.Equal(s.Next.At) {
		t.Errorf("the next inspection is at %s, want %s", got, s.Next.At)
	}
	s.Inspected.At = s.Next.At
	if got := s.NextInspectionAt(); !got.After(s.Next.At.Add(5 * time.Hour)) {
		t.Errorf("the one after is at %s", got)
	}
}
