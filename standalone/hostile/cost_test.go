package hostile

import (
	"fmt"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/farmtrust/farmtrust/workflows"
)

// eventsOfALook is what docs/operating.md says that a look costs: those of an activity and
// of timers, and of the two workflow tasks that they cause.
const eventsOfALook = 13

// testCost measures what a look at what SharePoint trusts costs in events of the
// controller's history, of which Temporal keeps some ten thousand.
func testCost(t *testing.T, w *world) {
	f := w.newFarm(t, "tailspin", "site: watched")
	f.config.Farms[0].Rotation.WatchInterval = 200 * time.Millisecond
	w.startWorker(t, f)
	var looks []int64
	await(t, "five looks", func() error {
		looks = nil
		history := w.temporal.GetWorkflowHistory(t.Context(), workflows.ControllerID(f.name), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			e, err := history.Next()
			if err != nil {
				return err
			}
			if a := e.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == "LookForForeignTrust" {
				looks = append(looks, e.EventId)
			}
		}
		if len(looks) < 5 {
			return fmt.Errorf("%d so far", len(looks))
		}
		return nil
	})
	least := looks[1] - looks[0] // others may be interrupted by something else
	for i := range looks[1:] {
		least = min(least, looks[i+1]-looks[i])
	}
	if least != eventsOfALook {
		t.Errorf("a look costs %d events, want %d: correct docs/operating.md", least, eventsOfALook)
	}
}
