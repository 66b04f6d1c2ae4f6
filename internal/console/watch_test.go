package console

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

func approval(digest string) *farm.Wait {
	return &farm.Wait{For: farm.ForApproval, Digest: digest, Text: "approve " + digest + ", or roll back what is staged"}
}

func TestWhoeverWatchesIsToldOnceWhatIsWaitedForAndHowToDecide(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, notATerminal)
	p.Starter = "TEMPORAL_ADDRESS=127.0.0.1:7233 starter"
	waits := status(farm.PhaseWaiting, "oos-01: observe=seen")
	waits.Wait = approval("1a2b3c4d5e6f")
	parked := status(farm.PhaseCutover, "oos-01: observe=seen, set S2S certificate=failed")
	parked.Report.Servers[0].Role = farm.OfficeRole
	parked.Wait = &farm.Wait{For: farm.ForDecision, Text: "decide about each", Blocked: []farm.Blocked{
		{Server: "oos-01", Step: farm.StepS2SName, Text: "access denied", Then: "then the rotation is rolled back"},
	}}
	for _, s := range []farm.Status{waits, waits, parked, parked, status(farm.PhaseCutover)} {
		if err := p.Show(s, began.Add(3*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	want := `   3.0s  waiting
   3.0s  oos-01  observe  seen
   3.0s  waits for approval: approve 1a2b3c4d5e6f, or roll back what is staged
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter approve contoso 1a2b3c4d5e6f --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter rollback contoso --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter abort contoso --reason WHY
   3.0s  switching
   3.0s  oos-01  set S2S certificate  failed
   3.0s  waits for decision: decide about each
         set S2S certificate on oos-01: access denied; then the rotation is rolled back
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter retry contoso --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter skip contoso --server oos-01 --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter rollback contoso --reason WHY
         TEMPORAL_ADDRESS=127.0.0.1:7233 starter abort contoso --reason WHY
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestATerminalShowsWhatIsWaitedForAboveTheServers(t *testing.T) {
	d := &display{t: t, size: screen{width: 60, height: 24}}
	p := newProgress(d, func() (screen, bool) { return d.size, true })
	s := status(farm.PhaseWaiting, "oos-01: observe=seen")
	s.Wait = approval("1a2b3c4d5e6f")
	if err := p.Show(s, began); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"contoso: waiting, 0.0s",
		"  waits for approval: approve 1a2b3c4d5e6f, or roll back",
		"  what is staged",
		"  starter approve contoso 1a2b3c4d5e6f --reason WHY",
		"  starter rollback contoso --reason WHY",
		"  starter abort contoso --reason WHY",
		"  oos-01  =             observe: seen",
	}
	if diff := cmp.Diff(want, d.lines); diff != "" {
		t.Error(diff)
	}
}
