package controller_test

import (
	stdcmp "cmp"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// recordOf is what Temporal says of the active run.
func (h *history) recordOf() controller.RunRecord {
	return controller.RunRecord{
		WorkflowID: h.Active.WorkflowID, RunID: h.Active.RunID, OriginalRunID: h.Active.OriginalID(), ByController: true,
		Retirement: h.Active.Retirement, Reason: h.Active.Reason, StartedAt: h.Active.Since,
	}
}

// read reads the active run.
func (h *history) read(change func(*controller.RunRecord)) {
	if h.Active == nil {
		return
	}
	r := h.recordOf()
	change(&r)
	h.NoteRun(h.now, r)
}

// terminate ends the active run from outside, after its first change: it leaves no
// report, but what it had taken before.
func (h *history) terminate() {
	if h.Active == nil {
		return
	}
	r := h.recordOf()
	r.EndedAt, r.Problem = h.now, "it was terminated"
	if h.goesBack == "" && !h.RunsRetirement() {
		h.issued++
		r.Snapshot = snapshot(h.Inspected.Current.Thumbprint, farm.Thumbprint(fmt.Sprintf("C%d", h.issued)))
		h.unfinished = append(h.unfinished, h.Inspected.Current.Thumbprint)
	}
	h.goesBack = ""
	h.NoteRun(h.now, r)
}

// forge has runs read that are none of the controller's: they change nothing, and are
// not admitted.
func (h *history) forge(t *rapid.T) {
	forged := controller.RunRecord{
		WorkflowID: rapid.SampledFrom([]string{"rotate/contoso", "retire/contoso", "x"}).Draw(t, "ID"), RunID: "forged",
		OriginalRunID: "forged", StartedAt: h.now, Snapshot: snapshot("X", "Y"), Result: result(farm.Verified, snapshot("X", "Y")),
	}
	if rapid.Bool().Draw(t, "has ended") {
		forged.EndedAt = h.now
	}
	if last := h.Last; h.Active == nil && last.RunID != "" && rapid.Bool().Draw(t, "is a reset of the last run") {
		forged.WorkflowID, forged.OriginalRunID, forged.ByController, forged.EndedAt = "rotate/contoso", stdcmp.Or(last.OriginalRunID, last.RunID), true, time.Time{}
	}
	before := clone(t, h.State)
	h.NoteRun(h.now, forged)
	if diff := cmp.Diff(before, clone(t, h.State)); diff != "" {
		t.Fatalf("a run that is none of the controller's has changed something:\n%s", diff)
	}
	if err := h.CheckAdmission(controller.Admission{WorkflowID: forged.WorkflowID, RunID: forged.RunID}, &forged); err == nil {
		t.Fatalf("%+v is admitted", forged)
	}
}

// recall ends the controller; the next one recalls what this one knew.
func (h *history) recall(t *rapid.T) {
	recalled := clone(t, h.State)
	var records []controller.RunRecord
	if h.Active != nil {
		records = append(records, h.recordOf())
	}
	recalled.Recall(h.now, records)
	next := controller.State{Farm: h.Farm}
	next.BeginRecall()
	next.Adopt(h.now, recalled)
	h.State = next
}
