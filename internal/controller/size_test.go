package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// A farm that is renewed again and again, and whose retirements never begin, must not fill
// the state either.
func TestFinish_BoundsOlderCertificates(t *testing.T) {
	t.Parallel()
	for name, subject := range map[string]string{"many": "CN=oos", "large ones": strings.Repeat("x", 16<<10)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &controller.State{Farm: "contoso", Suspended: "by an operator"}
			now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
			for i := range 200 {
				now = now.Add(time.Hour)
				s.BeginRun(controller.ActiveRun{WorkflowID: "rotate/contoso", RunID: fmt.Sprint(i)})
				s.EndRotation(now, farm.RotationResult{Report: farm.Report{Outcome: farm.Verified}, Snapshot: &farm.Snapshot{
					TakenAt: now, Target: farm.Certificate{Thumbprint: farm.Thumbprint(fmt.Sprint(i + 1))},
					Previous: farm.StoreCertificate{Thumbprint: farm.Thumbprint(fmt.Sprint(i)), Subject: subject},
				}}, "")
			}
			older := s.Retention.Older
			if size := farm.SizeOf(s); size > 128<<10 || len(older) == 0 {
				t.Fatalf("the state has %d KiB, and %d older certificates", size>>10, len(older))
			}
			oldest, latest := fmt.Sprint(198-len(older)), older[len(older)-1].Thumbprint
			if s.Retention.LeftBehind != farm.Thumbprint(oldest) || latest != "198" {
				t.Errorf("%q was left behind, and %q is the latest", s.Retention.LeftBehind, latest)
			}
		})
	}
}

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
