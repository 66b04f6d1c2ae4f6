package controller_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// rotationRecord is what Temporal says of a rotation that the controller started and
// that goes on.
func rotationRecord(changes ...func(*controller.RunRecord)) controller.RunRecord {
	r := controller.RunRecord{
		WorkflowID: "rotate/contoso", RunID: "r1", OriginalRunID: "r1", ByController: true, Reason: "renewal", StartedAt: epoch,
	}
	for _, change := range changes {
		change(&r)
	}
	return r
}

func hasTaken(s *farm.Snapshot) func(*controller.RunRecord) {
	return func(r *controller.RunRecord) { r.Snapshot = s }
}

// wasReset is what a reset makes of a run.
func wasReset(r *controller.RunRecord) { r.RunID = "r2" }

func byHand(r *controller.RunRecord) { r.ByController = false }

func another(r *controller.RunRecord) { r.RunID, r.OriginalRunID = "x1", "x1" }

// ended has a run end an hour later; one that was terminated left no report.
func ended(outcome farm.Outcome) func(*controller.RunRecord) {
	return func(r *controller.RunRecord) {
		r.EndedAt = epoch.Add(time.Hour)
		if r.Result.Outcome = outcome; outcome == "" {
			r.Problem = "it was terminated"
			return
		}
		r.Result.Snapshot = r.Snapshot
	}
}

// known is what a controller knows of its runs.
type known struct {
	Active, Kept, Unfinished, ActiveSnapshot string
	Suspended                                bool
	Outcome                                  farm.Outcome
}

func knownOf(s controller.State) known {
	k := known{Suspended: s.Suspended != "", Outcome: s.Last.Outcome}
	if s.Active != nil {
		k.Active = s.Active.RunID
		if taken := s.Active.Snapshot; taken != nil {
			k.ActiveSnapshot = string(taken.Previous.Thumbprint)
		}
	}
	if kept := s.Retention.Snapshot; kept != nil {
		k.Kept = string(kept.Previous.Thumbprint)
	}
	if last := s.LastUnfinished(); last != nil {
		k.Unfinished = string(last.Previous.Thumbprint)
	}
	return k
}

func TestNoteRun(t *testing.T) {
	for _, c := range []struct {
		name string
		from controller.State
		run  controller.RunRecord
		want known
	}{
		{"the active run: its snapshot is known", idle(rotating), rotationRecord(hasTaken(snapshot("B", "C"))), known{Active: "r1", ActiveSnapshot: "B"}},
		{"the active run after a reset", idle(rotating), rotationRecord(wasReset), known{Active: "r2"}},
		{
			"the active run was terminated: its snapshot is kept, and the farm is suspended", idle(rotating),
			rotationRecord(hasTaken(snapshot("B", "C")), ended("")),
			known{Unfinished: "B", Suspended: true},
		},
		{
			"the active run has ended", idle(rotating),
			rotationRecord(hasTaken(snapshot("B", "C")), ended(farm.Verified)),
			known{Kept: "B", Outcome: farm.Verified},
		},
		{"a run that the controller has forgotten is its child again", idle(), rotationRecord(), known{Active: "r1"}},
		{"a run that was started by hand is not", idle(), rotationRecord(byHand), known{}},
		{"another run beside the active one", idle(rotating), rotationRecord(another), known{Active: "r1"}},
		{
			"a run that ended while no controller ran: a rollback suspends", idle(),
			rotationRecord(hasTaken(snapshot("B", "C")), ended(farm.RolledBack)),
			known{Suspended: true, Outcome: farm.RolledBack},
		},
		{
			"a run by hand that ended while no controller ran", idle(),
			rotationRecord(byHand, hasTaken(snapshot("B", "C")), ended(farm.Verified)),
			known{},
		},
		{
			"the reset of a run that had ended", idle(suspended, func(s *controller.State) { s.Last = controller.LastRun{At: epoch, RunID: "r1"} }),
			rotationRecord(wasReset),
			known{Suspended: true},
		},
		{
			"the active run does not answer: what is known of it stays", idle(rotating, func(s *controller.State) { s.Active.Snapshot = snapshot("B", "C") }),
			rotationRecord(func(r *controller.RunRecord) { r.Problem = "it does not answer" }),
			known{Active: "r1", ActiveSnapshot: "B"},
		},
		{
			"the active run continues an unfinished rotation, whose snapshot counts",
			idle(rotating, unfinished("A", "C")),
			rotationRecord(hasTaken(snapshot("B", "C"))),
			known{Active: "r1", ActiveSnapshot: "A", Unfinished: "A"},
		},
		{
			"one that nobody approved begins again", idle(rotating),
			rotationRecord(ended(farm.RolledBack), func(r *controller.RunRecord) { r.Result.NotApproved = true }),
			known{Outcome: farm.RolledBack},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := clone(t, c.from)
			s.NoteRun(epoch.Add(2*time.Hour), c.run)
			if diff := cmp.Diff(c.want, knownOf(s)); diff != "" {
				t.Fatalf("-want +got:\n%s", diff)
			}
			t.Run("read again, nothing changes", func(t *testing.T) {
				before := clone(t, s)
				s.NoteRun(epoch.Add(2*time.Hour), c.run)
				if diff := cmp.Diff(before, s); diff != "" {
					t.Errorf("-before +after:\n%s", diff)
				}
			})
		})
	}
}

func TestNoteRun_Retirement(t *testing.T) {
	terminated := controller.RunRecord{
		WorkflowID: "retire/contoso", RunID: "t1", OriginalRunID: "t1", Retirement: true, ByController: true,
		StartedAt: epoch, EndedAt: epoch.Add(time.Hour), Problem: "it was terminated",
	}
	s := idle(retaining, retiring)
	s.NoteRun(epoch.Add(2*time.Hour), terminated)
	if s.Active != nil || !s.WillRetire() || s.RetirementDue(epoch.Add(2*time.Hour)) || s.UndoBlocked() != "" {
		t.Errorf("the old certificate is not retired later, or cannot be gone back to: %+v", s.Retention)
	}
	t.Run("whose deletion had begun", func(t *testing.T) {
		s := idle(retaining, retiring)
		terminated.Result.Report = farm.Report{Target: "A", Servers: []farm.ServerReport{{Host: "oos-01", Steps: []farm.StepReport{{Step: farm.StepDelete, State: farm.StateRunning}}}}}
		s.NoteRun(epoch.Add(2*time.Hour), terminated)
		if s.UndoBlocked() == "" {
			t.Error("it can be undone")
		}
	})
}

func TestCheckAdmission(t *testing.T) {
	for _, c := range []struct {
		name    string
		from    controller.State
		run     controller.RunRecord
		refused string
	}{
		{"the active run", idle(rotating), rotationRecord(), ""},
		{"what a reset made of it", idle(rotating), rotationRecord(wasReset), ""},
		{"a run of another workflow", idle(rotating), rotationRecord(another, func(r *controller.RunRecord) { r.WorkflowID = "by-hand" }), "cancel this one"},
		{"a run by hand", idle(), rotationRecord(another, byHand), "farmtrust rotate contoso"},
		{"the reset of a run that was rolled back", idle(suspended), rotationRecord(wasReset), "the farm is suspended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.from
			err := s.CheckAdmission(controller.Admission{WorkflowID: c.run.WorkflowID, RunID: c.run.RunID}, &c.run)
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want it refused: %q", err, c.refused)
			}
		})
	}
}

func TestKeptFor(t *testing.T) {
	s := idle(rotating, unfinished("A", "C"))
	if got := s.KeptFor(snapshot("B", "C")); got == nil || got.Previous.Thumbprint != "A" {
		t.Errorf("the snapshot of the unfinished rotation does not count: %+v", got)
	}
	for name, s := range map[string]controller.State{
		"nothing is kept":            idle(rotating),
		"one towards another target": idle(rotating, unfinished("A", "B")),
		"one whose rotation is ended": idle(rotating, func(s *controller.State) {
			s.Retention = controller.Retention{Snapshot: snapshot("A", "C"), Until: epoch}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.KeptFor(snapshot("B", "C")); got != nil {
				t.Errorf("got %+v, want the run's own", got)
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	recalled := idle(suspended, retaining, func(s *controller.State) {
		s.Mailbox.Results = []controller.EventResult{{EventID: "1", Reason: "trusted"}}
	})
	s := controller.State{Farm: "contoso", Recalling: true}
	pending(&s)
	s.Adopt(epoch, clone(t, recalled))
	want := clone(t, recalled)
	want.Mailbox.Pending = []controller.Event{{ID: "2", Summary: "expired"}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRecall is about what ran while no controller heard of it.
func TestRecall(t *testing.T) {
	at := func(hours int, changes ...func(*controller.RunRecord)) controller.RunRecord {
		r := rotationRecord(changes...)
		r.RunID = "at " + strconv.Itoa(hours)
		r.OriginalRunID = r.RunID
		if !r.Running() {
			r.EndedAt = epoch.Add(time.Duration(hours) * time.Hour)
		}
		return r
	}
	for _, c := range []struct {
		name    string
		from    controller.State
		records []controller.RunRecord
		want    known
	}{
		{"nothing", idle(suspended), nil, known{Suspended: true}},
		{
			"runs in the order of their ends: a refusal does not hide the rotation before it", idle(),
			[]controller.RunRecord{at(3, ended(farm.Refused)), at(2, hasTaken(snapshot("B", "C")), ended(farm.Verified))},
			known{Kept: "B", Outcome: farm.Refused},
		},
		{
			"what goes on comes last", idle(),
			[]controller.RunRecord{at(9), at(2, hasTaken(snapshot("B", "C")), ended(farm.RolledBack))},
			known{Active: "at 9", Suspended: true, Outcome: farm.RolledBack},
		},
		{
			"what the controller before had heard of does not count twice", idle(suspended, func(s *controller.State) { s.Last.At = epoch.Add(5 * time.Hour) }),
			[]controller.RunRecord{at(2, hasTaken(snapshot("B", "C")), ended(farm.Verified))},
			known{Suspended: true},
		},
		{
			"the run of the controller before goes on", idle(rotating),
			[]controller.RunRecord{rotationRecord(hasTaken(snapshot("B", "C")))},
			known{Active: "r1", ActiveSnapshot: "B"},
		},
		{
			"the run of the controller before is not known any more: its snapshot is",
			idle(rotating, func(s *controller.State) { s.Active.Snapshot = snapshot("B", "C") }), nil,
			known{Unfinished: "B", Suspended: true},
		},
		{
			"what an earlier version kept of an unfinished rotation is that", idle(func(s *controller.State) {
				s.Shared, s.Retention.Snapshot = true, snapshot("A", "B")
			}), nil,
			known{Unfinished: "A"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := clone(t, c.from)
			s.BeginRecall()
			s.FailRecall("nobody answers")
			s.Recall(epoch.Add(10*time.Hour), c.records)
			if diff := cmp.Diff(c.want, knownOf(s)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if s.Recalling || s.RecallProblem != "" || !s.Inspected.Due {
				t.Errorf("it is still recalling, or does not inspect the farm: %+v", s)
			}
		})
	}
}

// TestSuspend suspends a farm while a rotation is at work: that it ends well is no
// reason to go on.
func TestSuspend(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*controller.State)
		want      bool
	}{
		"it stays suspended":           {func(s *controller.State) { s.Suspend("cancelled") }, true},
		"unless an operator resumes":   {func(s *controller.State) { s.Suspend("cancelled"); s.Resume() }, false},
		"or it was suspended before":   {func(s *controller.State) { s.Suspended = "rolled back" }, false},
		"the first reason is the one ": {func(s *controller.State) { s.Suspended = "rolled back"; s.Suspend("cancelled") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := idle(rotating)
			c.meanwhile(&s)
			s.EndRotation(epoch, result(farm.Verified, snapshot("B", "C")), "")
			if got := s.Suspended != ""; got != c.want {
				t.Errorf("it is suspended: %t (%s), want %t", got, s.Suspended, c.want)
			}
		})
	}
}

func TestTakeRequest(t *testing.T) {
	var m controller.Mailbox
	if !m.TakeRequest("1") || !m.TakeRequest("2") || m.TakeRequest("1") {
		t.Error("a request is not taken once")
	}
	for i := range 200 {
		m.TakeRequest(strings.Repeat("x", 10_000) + strconv.Itoa(i))
	}
	if n := len(strings.Join(m.Answered, "")); n > 5000 {
		t.Errorf("requests with long IDs take %d bytes", n)
	}
}

func TestMeetForeignRun_ThatStays(t *testing.T) {
	s := idle(pending)
	meet := func(at time.Time, runID string) {
		s.MeetForeignRun(at, controller.ActiveRun{WorkflowID: "rotate/contoso"}, runID)
	}
	meet(epoch, "x1")
	if s.Inspected.At = epoch; s.Next.NeedsOperator || s.NextInspectionAt().After(epoch.Add(5*time.Minute)) {
		t.Errorf("when it is met, next is %+v at %s", s.Next, s.NextInspectionAt())
	}
	if !s.DecisionInput(epoch, farm.Inspection{}, "").EventPending {
		t.Error("what its events asked for is forgotten")
	}
	meet(epoch.Add(20*time.Minute), "x1")
	if !s.Next.NeedsOperator {
		t.Error("it stays, and needs no operator")
	}
	meet(epoch.Add(21*time.Minute), "x2")
	if s.Next.NeedsOperator {
		t.Error("another one needs an operator at once")
	}
	s.ApplyInspection(epoch.Add(time.Hour), farm.Inspection{}, "", farm.Next{})
	if s.DecisionInput(epoch, farm.Inspection{}, "").EventPending {
		t.Error("what its events asked for is asked for again although nothing is to be done")
	}
}

func TestForget(t *testing.T) {
	forget := controller.Request{Kind: controller.RequestForget, By: "op", Reason: "decommissioned"}
	unmanaged := func(s *controller.State) { s.Unmanaged = "not configured" }
	for _, c := range []struct {
		name    string
		from    controller.State
		refused string
	}{
		{"a farm that is gone", idle(unmanaged, suspended, retaining), ""},
		{"one whose certificate is being retired", idle(unmanaged, retiring), ""},
		{"one that is configured", idle(), "remove it there"},
		{"one that is being rotated", idle(unmanaged, rotating), "rotate/contoso has been running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.from
			err := s.CheckRequest(epoch, forget, "")
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want it refused: %q", err, c.refused)
			}
		})
	}
}
