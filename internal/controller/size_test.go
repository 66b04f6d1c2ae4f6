package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// A controller that Temporal cannot continue as new would never do anything again.
func TestEndRotation_KeepsWhatTemporalTakes(t *testing.T) {
	t.Parallel()
	s := &controller.State{Farm: "contoso"}
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	for i := range 20 {
		now = now.Add(time.Hour)
		s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: fmt.Sprint(i)})
		s.EndRotation(now, farm.RotationResult{
			Report: farm.Report{Outcome: farm.Incomplete},
			Snapshot: &farm.Snapshot{TakenAt: now, Target: farm.Certificate{Thumbprint: farm.Thumbprint(fmt.Sprint(i))}, Before: farm.Observed{
				Office: []farm.OfficeServer{{Health: strings.Repeat("x", 300<<10)}},
			}},
		}, "")
	}
	if size := farm.SizeOf(s); size > 2*farm.MaxObserved+64<<10 {
		t.Errorf("the state has %d KiB", size>>10)
	}
	if last := s.LastUnfinished(); last == nil || last.Target.Thumbprint != "19" || len(s.Unfinished) < 2 {
		t.Errorf("%d snapshots are kept, the last %+v", len(s.Unfinished), last)
	}
}
