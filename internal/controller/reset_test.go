package controller_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// takenLater is a snapshot that a run takes once it was reset, of what it had half
// changed itself.
func takenLater(from, to farm.Thumbprint) *farm.Snapshot {
	s := snapshot(from, to)
	s.TakenAt = epoch.Add(30 * time.Minute)
	return s
}

// resetInCutover is a controller whose rotation from B to C was reset in its cutover, to
// before it took its snapshot.
func resetInCutover(own *farm.Snapshot) controller.State {
	s := idle(rotating)
	s.NoteRun(epoch, rotationRecord(hasTaken(snapshot("B", "C"))))
	s.NoteRun(epoch, rotationRecord(wasReset, hasTaken(own)))
	return s
}

func TestNoteRun_ResetToItsBeginning(t *testing.T) {
	own := takenLater("C", "C")
	s := resetInCutover(own)
	if diff := cmp.Diff(known{Active: "r2", ActiveSnapshot: "B"}, knownOf(s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if kept := s.KeptFor(own); kept == nil || kept.Previous.Thumbprint != "B" {
		t.Errorf("the run is told that the snapshot that counts is %+v", kept)
	}
	t.Run("and chooses a newer certificate", func(t *testing.T) {
		s := resetInCutover(takenLater("C", "D"))
		if diff := cmp.Diff(known{Active: "r2", ActiveSnapshot: "C", Unfinished: "B"}, knownOf(s)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestEndRotation_ResetToItsBeginning ends a rotation before the controller could tell
// it which snapshot counts.
func TestEndRotation_ResetToItsBeginning(t *testing.T) {
	cancelled := result(farm.Refused, nil)
	cancelled.Cancelled = true
	for name, c := range map[string]struct {
		result farm.RotationResult
		want   known
	}{
		"nothing is left to do":            {result(farm.NoChange, takenLater("C", "C")), known{Unfinished: "B", Outcome: farm.NoChange}},
		"it is refused":                    {result(farm.Refused, takenLater("C", "C")), known{Unfinished: "B", Outcome: farm.Refused}},
		"it is refused before it observes": {result(farm.Refused, nil), known{Unfinished: "B", Outcome: farm.Refused}},
		"it is cancelled":                  {cancelled, known{Unfinished: "B", Suspended: true, Outcome: farm.Refused}},
	} {
		t.Run(name, func(t *testing.T) {
			s := idle(rotating)
			s.NoteRun(epoch, rotationRecord(hasTaken(snapshot("B", "C"))))
			s.EndRotation(epoch, c.result, "")
			if diff := cmp.Diff(c.want, knownOf(s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
