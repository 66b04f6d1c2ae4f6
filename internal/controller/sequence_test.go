package controller_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// clone is the state as it comes out of continue-as-new.
func clone(t fataler, s controller.State) controller.State {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatalf("encode the state: %v", err)
	}
	var copied controller.State
	if err := json.Unmarshal(data, &copied); err != nil {
		t.Fatalf("decode the state: %v", err)
	}
	return copied
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// history is a controller that runs, with what the test expects of it.
type history struct {
	controller.State

	now    time.Time
	events int
	// results has the first result of each event.
	results map[string]controller.EventResult
	// kept is the certificate that an undo goes back to: that before the last verified
	// rotation, until it is retired, or the rotation undone. It is empty otherwise.
	kept farm.Thumbprint
	// unfinished are the certificates before the rotations since then that were not
	// finished: a rollback goes back to the last.
	unfinished []farm.Thumbprint
	// deleting reports whether the deletion of kept has begun.
	deleting bool
	// replaced are certificates that rotations replaced, until they are retired
	// or in use again.
	replaced map[farm.Thumbprint]bool
	// goesBack is what was asked for, while what runs is a rollback or an undo.
	goesBack controller.RequestKind
	issued   int
}

// drawStep lets one thing happen that can happen now, in the order in which the
// loop does things.
func (h *history) drawStep(t *rapid.T) {
	h.now = h.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "hours")) * time.Hour)
	switch what := rapid.SampledFrom([]string{
		"event", "again", "resume", "configure", "inspect", "inspect", "end", "end", "request", "retire", "read", "reset", "terminate", "forge", "recall", "consent",
	}).Draw(t, "what"); what {
	case "event":
		h.events++
		h.ReceiveEvent(h.now, controller.Event{ID: strconv.Itoa(h.events), Summary: "s"})
	case "again":
		id := rapid.IntRange(1, max(h.events, 1)).Draw(t, "event")
		h.events = max(h.events, id)
		h.ReceiveEvent(h.now, controller.Event{ID: strconv.Itoa(id), Summary: "again"})
	case "resume":
		h.Resume()
	case "configure":
		h.ApplyConfiguration(h.now, controller.Configuration{Unmanaged: rapid.SampledFrom([]string{"", "", "gone"}).Draw(t, "unmanaged")})
	case "inspect":
		h.drawInspection(t)
	case "request":
		h.drawRequest(t)
	case "retire":
		if h.Unmanaged == "" && h.Active == nil && h.RetirementDue(h.now) {
			h.ForgetOlderInUse()
			h.BeginRun(controller.ActiveRun{WorkflowID: "retire/contoso", RunID: h.runID(), Retirement: true, Since: h.now})
		}
	case "end":
		h.drawEnd(t)
	case "read":
		h.read(func(*controller.RunRecord) {})
	case "reset":
		h.read(func(r *controller.RunRecord) { r.RunID = h.runID() })
	case "terminate":
		h.terminate()
	case "forge":
		h.forge(t)
	case "recall":
		h.recall(t)
	case "consent":
		h.drawConsent(t)
	}
}

func (h *history) runID() string { h.issued++; return fmt.Sprintf("run-%d", h.issued) }

func (h *history) begin(reason string) {
	h.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: h.runID(), Reason: reason, Since: h.now})
}

// drawInspection inspects, decides by [farm.Decide], and does what is decided.
func (h *history) drawInspection(t *rapid.T) {
	if h.Unmanaged != "" || h.Active != nil {
		return
	}
	h.BeginInspection()
	n := farm.Inspection{
		Config:  farm.Farm{Rotation: farm.RotationPolicy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * day}},
		Current: farm.StoreCertificate{Thumbprint: h.Inspected.Current.Thumbprint, NotAfter: h.now.Add(day)},
		Target:  farm.Certificate{Thumbprint: h.Inspected.Current.Thumbprint, NotAfter: h.now.Add(400 * day)},
	}
	unobserved := ""
	switch rapid.SampledFrom([]string{"in order", "renewal", "unreachable"}).Draw(t, "found") {
	case "renewal":
		n.Target.Thumbprint, n.Plan = "NEXT", []farm.Difference{{Step: farm.StepImport, Server: "oos-01", Text: "x"}}
	case "unreachable":
		unobserved = "oos-01: no route"
	}
	next := farm.Decide(h.DecisionInput(h.now, n, unobserved))
	if (h.Suspended != "" || h.IsUnreleased() || h.PostponedUntil(h.now).After(h.now)) && next.Action == farm.ActionRotate {
		t.Fatalf("suspended (%s), released (%+v), postponed (%+v), and it rotates: %s", h.Suspended, h.Released, h.Postponed, next.Reason)
	}
	h.ApplyInspection(h.now, n, unobserved, next)
	if last := len(h.unfinished); last > 0 && len(h.Unfinished) == 0 {
		h.kept, h.deleting, h.unfinished = h.unfinished[last-1], false, nil // settled by hand
	}
	if next.Action == farm.ActionRotate {
		h.begin(next.Reason)
	} else {
		h.AnswerEvents(controller.EventResult{At: h.now, Reason: next.Reason, NeedsOperator: next.NeedsOperator})
	}
}

// drawConsent has an operator say whether anything may begin by itself.
func (h *history) drawConsent(t *rapid.T) {
	r := controller.Request{
		Kind:  rapid.SampledFrom([]controller.RequestKind{controller.RequestRelease, controller.RequestObserve, controller.RequestPostpone}).Draw(t, "consent"),
		Until: h.now.Add(300 * time.Hour), By: "op", Reason: "x",
	}
	if h.CheckRequest(h.now, r, "") == nil && !h.ApplyImmediate(h.now, r) {
		t.Fatalf("%s is accepted and not carried out", r.Kind)
	}
}

// drawRequest asks, and begins what is not refused.
func (h *history) drawRequest(t *rapid.T) {
	kind := rapid.SampledFrom([]controller.RequestKind{controller.RequestRotate, controller.RequestRollback, controller.RequestUndo}).Draw(t, "kind")
	r := controller.Request{Kind: kind, By: "op", Reason: "x"}
	if h.Active != nil || h.CheckRequest(h.now, r, "") != nil {
		return
	}
	if kind == controller.RequestUndo && (h.deleting || h.kept == "" || len(h.unfinished) > 0) {
		t.Fatalf("an undo is accepted: to %q, whose deletion has begun: %t, with %v unfinished", h.kept, h.deleting, h.unfinished)
	}
	if kind == controller.RequestRollback && len(h.unfinished) == 0 {
		t.Fatal("a rollback of nothing is accepted")
	}
	h.AcceptRequest(&r)
	h.begin(r.Reason)
	if h.goesBack = ""; kind != controller.RequestRotate {
		h.goesBack = kind
	}
	h.Mailbox.Request = nil
}

// drawEnd ends what runs.
func (h *history) drawEnd(t *rapid.T) {
	switch {
	case h.Active == nil:
	case h.RunsRetirement():
		h.drawRetirementEnd(t)
	case h.goesBack != "":
		h.drawWayBackEnd(t)
	default:
		h.drawRotationEnd(t)
	}
}

func (h *history) drawRetirementEnd(t *rapid.T) {
	old := h.NextToRetire().Thumbprint
	r := farm.Report{Target: old, Outcome: rapid.SampledFrom([]farm.Outcome{farm.Verified, farm.Partial, farm.Refused, farm.Incomplete, ""}).Draw(t, "retired")}
	deletes := r.Outcome == farm.Verified || r.Outcome == farm.Incomplete && rapid.Bool().Draw(t, "has begun to delete")
	if deletes {
		r.Servers = []farm.ServerReport{{Host: "oos-01", Steps: []farm.StepReport{{Step: farm.StepDelete}}}}
	}
	if old == h.kept {
		h.deleting = h.deleting || deletes
		if r.Outcome == farm.Verified {
			h.kept, h.deleting = "", false
		}
	}
	if r.Outcome == farm.Verified {
		delete(h.replaced, old)
	}
	h.EndRetirement(h.now, farm.RotationResult{Report: r}, "")
}

func (h *history) drawWayBackEnd(t *rapid.T) {
	snapshot := h.LastUnfinished()
	if h.goesBack == controller.RequestUndo {
		snapshot = h.Retention.Snapshot
	}
	restored := *snapshot
	r := result(rapid.SampledFrom([]farm.Outcome{farm.RolledBack, farm.Incomplete, farm.Partial, ""}).Draw(t, "went back"), &restored)
	isBack := r.Outcome == farm.RolledBack
	switch {
	case h.goesBack == controller.RequestUndo:
		if h.kept = ""; !isBack {
			h.unfinished = append(h.unfinished, restored.Previous.Thumbprint)
		}
	case isBack:
		h.unfinished = h.unfinished[:len(h.unfinished)-1]
	}
	if h.goesBack = ""; isBack {
		h.use(restored.Previous.Thumbprint)
	}
	h.EndRotation(h.now, r, "")
}

func (h *history) drawRotationEnd(t *rapid.T) {
	current := h.Inspected.Current.Thumbprint
	outcome := rapid.SampledFrom([]farm.Outcome{farm.Verified, farm.Verified, farm.NoChange, farm.RolledBack, farm.Refused, farm.Incomplete, farm.Partial, ""}).Draw(t, "rotated")
	var s *farm.Snapshot
	if outcome != farm.Refused && outcome != "" {
		h.issued++
		s = snapshot(current, farm.Thumbprint(fmt.Sprintf("C%d", h.issued)))
	}
	isRepair := outcome == farm.Verified && len(h.unfinished) == 0 && rapid.Bool().Draw(t, "it was a repair")
	switch {
	case isRepair:
		s = snapshot(current, current)
	case outcome == farm.Verified:
		h.kept, h.deleting, h.unfinished = current, false, nil
		h.use(s.Target.Thumbprint)
		h.replaced[current] = true
	case outcome == farm.Incomplete || outcome == farm.Partial:
		h.unfinished = append(h.unfinished, current)
		if rapid.Bool().Draw(t, "has cut over") {
			h.use(s.Target.Thumbprint)
			h.replaced[current] = true
		}
	}
	h.EndRotation(h.now, result(outcome, s), "")
}

// use has another certificate be in use.
func (h *history) use(thumbprint farm.Thumbprint) {
	h.Inspected.Current.Thumbprint = thumbprint
	delete(h.replaced, thumbprint)
}

// check asserts what holds at every moment.
func (h *history) check(t *rapid.T) {
	seen := map[string]bool{}
	for _, r := range h.Mailbox.Results {
		if seen[r.EventID] {
			t.Fatalf("event %s has two results", r.EventID)
		}
		seen[r.EventID] = true
		first, known := h.results[r.EventID]
		if !known {
			h.results[r.EventID] = r
		} else if diff := cmp.Diff(first, r); diff != "" {
			t.Fatalf("the result of event %s has changed:\n%s", r.EventID, diff)
		}
		if r.Reason == "" {
			t.Fatalf("event %s has no reason: %+v", r.EventID, r)
		}
	}
	for _, e := range h.Mailbox.Pending {
		if seen[e.ID] {
			t.Fatalf("event %s is pending and has a result", e.ID)
		}
	}
	if kept := h.Retention.Snapshot; h.kept != "" && (kept == nil || kept.Previous.Thumbprint != h.kept) {
		t.Fatalf("the certificate to go back to is %s, but the snapshot that is kept is %+v", h.kept, kept)
	}
	if h.deleting && h.UndoBlocked() == "" {
		t.Fatalf("%s, whose deletion has begun, can be gone back to", h.kept)
	}
	var unfinished []farm.Thumbprint
	for _, u := range h.Unfinished {
		unfinished = append(unfinished, u.Previous.Thumbprint)
	}
	if diff := cmp.Diff(h.unfinished, unfinished, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the certificates before what is unfinished (-want +got):\n%s", diff)
	}
	for thumbprint := range h.replaced {
		isOlder := slices.ContainsFunc(h.Retention.Older, func(c farm.StoreCertificate) bool { return c.Thumbprint == thumbprint })
		if kept := h.Retention.Snapshot; !isOlder && (kept == nil || kept.Previous.Thumbprint != thumbprint) && !slices.Contains(unfinished, thumbprint) {
			t.Fatalf("certificate %s was replaced and is never retired: %+v", thumbprint, h.Retention)
		}
	}
	if until := h.UntilNext(h.now); until < time.Second {
		t.Fatalf("the controller waits for %s", until)
	}
	if diff := cmp.Diff(h.State, clone(t, h.State), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("lost by continuing as new (-before +after):\n%s", diff)
	}
}

// TestState_AnySequence asserts, whatever happens in whatever order: a suspended
// farm rotates only when an operator asks, and so does one that is not released or is
// postponed; an event has one result, which stays;
// the certificate before a verified rotation can be gone back to until its deletion
// begins, whatever later rotations do, and what they leave unfinished can be rolled
// back; one that was replaced is retired in the end; nothing is lost by continuing
// as new, nor by ending the controller; and a run that it has not started, or that is
// a reset of one that has ended, changes nothing.
func TestState_AnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{State: idle(), now: epoch, results: map[string]controller.EventResult{}, replaced: map[farm.Thumbprint]bool{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			h.drawStep(t)
			h.check(t)
		}
	})
}

func TestReceiveEvent_Bounded(t *testing.T) {
	s := idle()
	for i := range 600 {
		s.ReceiveEvent(epoch, controller.Event{ID: strconv.Itoa(i)})
	}
	t.Run("the last 500 are pending", func(t *testing.T) {
		if got := len(s.Mailbox.Pending); got != 500 {
			t.Fatalf("%d events are pending, want 500", got)
		}
		if first, last := s.Mailbox.Pending[0].ID, s.Mailbox.Pending[499].ID; first != "100" || last != "599" {
			t.Errorf("events %s to %s are pending, want 100 to 599", first, last)
		}
	})
	t.Run("those before were superseded", func(t *testing.T) {
		for i := range 100 {
			want := controller.EventResult{EventID: strconv.Itoa(i), At: epoch, Reason: "superseded by later events"}
			if got, _ := s.Mailbox.ResultOf(want.EventID); got != want {
				t.Fatalf("event %d: %+v, want %+v", i, got, want)
			}
		}
	})
	t.Run("one without a result has none", func(t *testing.T) {
		for _, id := range []string{"599", "never received"} {
			if r, ok := s.Mailbox.ResultOf(id); ok {
				t.Errorf("event %s has the result %+v", id, r)
			}
		}
	})
	t.Run("the last 500 results are remembered", func(t *testing.T) {
		s.AnswerEvents(controller.EventResult{At: epoch, Reason: "trusted"})
		if got := len(s.Mailbox.Results); got != 500 {
			t.Fatalf("%d results are remembered, want 500", got)
		}
		if _, ok := s.Mailbox.ResultOf("99"); ok {
			t.Error("the result of event 99 is still remembered")
		}
	})
}
