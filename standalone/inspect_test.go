package main

import (
	"strconv"
	"testing"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/farmsim"
	"github.com/farmtrust/farmtrust/standalone/embedded"
	"github.com/farmtrust/farmtrust/workflows"
)

// TestInspection_Size checks what docs/operating.md says of the size of inspections
// of a farm in order: a large farm's takes as many events as a small one's.
func TestInspection_Size(t *testing.T) {
	for name, c := range map[string]struct {
		farm               farmsim.Options
		plan, ofController historySize
	}{
		"3 office servers and 2 SharePoint servers":  {farmsim.Options{OfficeServers: 3, SharePointServers: 2}, historySize{15, 20_000}, historySize{25, 20_000}},
		"30 office servers and 4 SharePoint servers": {farmsim.Options{OfficeServers: 30, SharePointFarms: 2, SharePointServers: 2}, historySize{15, 50_000}, historySize{25, 40_000}},
	} {
		t.Run(name, func(t *testing.T) {
			w := startTestWorkerOn(t, c.farm, embedded.Options{}, "approval: none")
			waitUntil(t, func() bool {
				state, err := w.farm.State(t.Context())
				return err == nil && state.Last.Outcome == farm.Verified && !state.Inspected.At.Before(state.Last.At)
			})
			if _, err := w.farm.Inspect(t.Context()); err != nil {
				t.Fatal(err)
			}
			assertSize(t, "an operator's plan", w.sizeOf(t, workflows.InspectID(farmsim.FarmName)), c.plan)

			const inspections = 5
			before := w.sizeOf(t, w.farm.ControllerID())
			for i := range inspections {
				w.sendEvent(t, strconv.Itoa(i))
			}
			after := w.sizeOf(t, w.farm.ControllerID())
			assertSize(t, "an inspection by the controller, with its event", historySize{
				(after.events - before.events) / inspections, (after.bytes - before.bytes) / inspections,
			}, c.ofController)
		})
	}
}

// historySize is the size of a workflow's history.
type historySize struct{ events, bytes int64 }

func (w *testWorker) sizeOf(t *testing.T, workflowID string) historySize {
	t.Helper()
	described, err := w.temporal.DescribeWorkflowExecution(t.Context(), workflowID, "")
	if err != nil {
		t.Fatal(err)
	}
	return historySize{described.WorkflowExecutionInfo.HistoryLength, described.WorkflowExecutionInfo.HistorySizeBytes}
}

// sendEvent sends an event, and waits until the controller has answered it.
func (w *testWorker) sendEvent(t *testing.T, id string) {
	t.Helper()
	d, err := w.farm.SendEvent(t.Context(), controller.Event{ID: id, Summary: "event " + id})
	if err == nil {
		_, err = d.Wait(t.Context(), func(controller.State) {})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func assertSize(t *testing.T, of string, got, most historySize) {
	t.Helper()
	t.Logf("%s takes %d events and %d bytes", of, got.events, got.bytes)
	if got.events > most.events || got.bytes > most.bytes {
		t.Errorf("%s takes %+v, want at most %+v", of, got, most)
	}
}
