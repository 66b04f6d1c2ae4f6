package console_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/console"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// decided is a rotation that two people decided about.
func decided() farm.Report {
	r := incomplete()
	r.Outcome, r.Statement = farm.Partial, "left as it is by decision; what differs is listed"
	r.Servers[0].Steps[2].State = farm.StateSkipped
	r.Decisions = []farm.RecordedDecision{
		{At: now.Add(time.Minute), Decision: farm.Decision{Choice: farm.Approve, Digest: "1a2b3c4d5e6f", By: "ada on desk-1", Reason: "change 4711"}},
		{At: now.Add(time.Hour), Decision: farm.Decision{Choice: farm.Skip, Server: "oos-01.contoso.com", Force: true, By: "bob on desk-2", Reason: "it is scrapped tomorrow"}},
	}
	return r
}

func TestReportSaysWhoDecidedWhatAndWhatDiffers(t *testing.T) {
	golden(t, "report-decided", func(w io.Writer) error { return console.Report(w, decided()) })
}

func TestAReportIsOnePageOfHTML(t *testing.T) {
	r := decided()
	r.Servers[0].Steps[0].Detail = `<script>alert("x")</script>`
	r.Findings = renewal().Findings
	golden(t, "report-decided.html", func(w io.Writer) error { return console.HTML(w, r) })
	var page bytes.Buffer
	if err := console.HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"<script", "src=", "href=", "url("} {
		if strings.Contains(page.String(), unwanted) {
			t.Errorf("the page runs or loads something: it has %q", unwanted)
		}
	}
}

// waits is a rotation that waits for a person.
func waits(w farm.Wait, phase farm.Phase) farm.Status {
	s := farm.Status{Phase: phase, Report: report(), Wait: &w}
	s.Report.Outcome, s.Report.Statement, s.Report.DurationMS = "", "", 0
	s.Report.Differences = renewal().Plan
	return s
}

func TestStatusSaysWhatIsWaitedForAndHowToDecide(t *testing.T) {
	parked := []farm.Blocked{
		{
			Server: "oos-01.contoso.com", Step: farm.StepS2SName, Text: "set S2S certificate: access denied: the account must be a local administrator of the server",
			Until: now.Add(24 * time.Hour), Then: "then the rotation is rolled back",
		},
		{
			Server: "sp-01.contoso.com", Step: farm.StepIssuer, Text: "no answer in time (StartToClose)",
			Until: now.Add(25 * time.Hour), Then: "then the rotation is rolled back",
		},
	}
	forEver := []farm.Blocked{{Server: "sp-01.contoso.com", Step: farm.StepRestoreIssuers, Text: "the issuer holds 11223344: set it, then retry", Then: "it waits until somebody decides"}}
	for name, s := range map[string]farm.Status{
		"status-approval": waits(farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Text: "approve 1a2b3c4d5e6f, or roll back what is staged"}, farm.PhaseWaiting),
		"status-window": waits(farm.Wait{
			For: farm.ForWindow, Until: now.Add(72 * time.Hour),
			Text: "the window Sat 22:00-04:00 Europe/Zurich opens; the switch takes about 25m0s",
		}, farm.PhaseWaiting),
		"status-parked": waits(farm.Wait{
			For: farm.ForDecision, Until: now.Add(24 * time.Hour),
			Text: "decide about each: retry, skip, roll back or abort", Blocked: parked,
		}, farm.PhaseCutover),
		"status-parked-on-the-way-back": waits(farm.Wait{
			For:  farm.ForDecision,
			Text: "decide about each: retry, skip, roll back or abort", Blocked: forEver,
		}, farm.PhaseRollingBack),
		"status-deletion": waits(farm.Wait{
			For: farm.ForApproval, Digest: "0f0e0d0c0b0a",
			Text: "approve 0f0e0d0c0b0a to delete certificate 99887766 and its key on every office server",
		}, farm.PhaseRetiring),
	} {
		t.Run(name, func(t *testing.T) {
			if s.Phase == farm.PhaseRetiring {
				s.Report.Differences = nil
			}
			golden(t, name, func(w io.Writer) error { return console.Status(w, s, now.Add(time.Minute)) })
		})
	}
}

// resting is a keeper whose farm was rotated an hour ago.
func resting() controller.State {
	journal := &farm.Snapshot{Target: target(), Previous: current()}
	k := controller.State{
		Farm: "contoso", Current: farm.StoreCertificate{Thumbprint: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: now.AddDate(1, 0, 0)},
		InspectedAt: now.Add(-time.Hour), InspectionInterval: 6 * time.Hour, Snapshot: journal, RetainOldUntil: now.AddDate(0, 0, 14),
		SeenEventIDs: []string{"1"}, LastRun: controller.LastRun{At: now.Add(-time.Hour), Outcome: farm.Verified, Statement: "configured as desired, key usable on every server"},
	}
	k.Next = farm.Next{Reason: "trusted until 2027-01-05 06:00 UTC"}
	return k
}

func TestAKeepersPageSaysWhatItDoesAndWhatAPersonShouldDo(t *testing.T) {
	held, atWork, expired, paused := resting(), resting(), resting(), resting()
	held.Suspended, held.Snapshot, held.RetainOldUntil = "the rotation was undone", nil, time.Time{}
	held.Next = farm.Next{NeedsOperator: true, Reason: "held: the rotation was undone; it would rotate: drift"}
	atWork.ActiveRun = &controller.ActiveRun{WorkflowID: "rotate/contoso", Reason: "near expiry of s2s", Since: now.Add(-time.Minute)}
	atWork.PendingEvents = []controller.Event{{ID: "2"}, {ID: "3"}}
	expired.Current.NotAfter, expired.Snapshot, expired.RetainOldUntil = now.AddDate(0, 0, -3), nil, time.Time{}
	expired.Next = farm.Next{Action: farm.ActionAwaitCertificate, NeedsOperator: true, Reason: "waits for a newer certificate: DB0FEA9B ends on 2026-01-02 06:00 UTC"}
	paused.Unmanaged = "no longer configured on worker w-1"
	young := controller.State{Farm: "contoso", InspectionInterval: 6 * time.Hour}
	for name, k := range map[string]controller.State{
		"keeper-resting": resting(), "keeper-held": held, "keeper-at-work": atWork, "keeper-expired": expired, "keeper-paused": paused, "keeper-young": young,
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, func(w io.Writer) error { return console.Keeper(w, k, now) })
		})
	}
}

func TestAKeepersPageForProgramsLeavesOutWhatIsOnlyForTheKeeper(t *testing.T) {
	known := resting()
	page := console.PageOf(known)
	if page.Snapshot != nil || page.SeenEventIDs != nil {
		t.Error("the page holds the journal, or events of the past")
	}
	if !page.CanBeUndone || page.NeedsPerson || page.State != "resting" || !page.NextLook.Equal(known.NextInspectionAt()) {
		t.Errorf("got %+v", page)
	}
}
