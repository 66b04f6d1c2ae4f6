package report_test

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

const approvedDigest = "1a2b3c4d5e6f708192a3b4c5d6e7f809"

// cutoverApproval is of a cutover on a farm of four servers.
func cutoverApproval() *farm.Approval {
	restart := func(order int, server, services string) farm.PlannedRestart {
		return farm.PlannedRestart{Server: server, Order: order, Services: services, Why: "its settings change", EstimateMS: 300_000}
	}
	canary, master := restart(2, "oos-02.contoso.com", "WACSM and IIS"), restart(3, "oos-01.contoso.com", "WACSM and IIS")
	canary.Canary, master.Master = true, true
	return &farm.Approval{
		Run: "019b1c5e-7d3a-7c11-a0f4-3c1f6f0a9a01", Nth: 1, What: "the cutover", Target: newThumbprint, Previous: oldThumbprint,
		Steps:      renewalInspection().Plan[2:5],
		Restarts:   []farm.PlannedRestart{restart(1, "sp-01.contoso.com", "IIS and SPTimerV4"), canary, master},
		EstimateMS: (25 * time.Minute).Milliseconds(),
	}
}

// approvalWait waits for the approval of a cutover.
func approvalWait(a *farm.Approval) farm.Wait {
	return farm.Wait{
		For: farm.ForApproval, Digest: approvedDigest, Approval: a, Text: a.What + " begins once an operator approves " + approvedDigest,
		Until: now.Add(7 * 24 * time.Hour),
		Then:  "the rotation is rolled back, and the next inspection plans it again: removes the certificate from oos-01.contoso.com and oos-02.contoso.com; no restart",
		Options: []farm.Option{
			{Choice: farm.Approve, Effect: "begins the cutover now; restarts sp-01.contoso.com, oos-02.contoso.com and oos-01.contoso.com; takes about 25 minutes"},
			{Choice: farm.RollBack, Effect: "removes the certificate from oos-01.contoso.com and oos-02.contoso.com; no restart; the farm is then suspended"},
			{Choice: farm.Abort, Effect: "leaves everything as it is now: certificate imported on oos-01.contoso.com and oos-02.contoso.com; the farm is then suspended"},
		},
	}
}

// waitingRuns are runs that wait, by name.
func waitingRuns() map[string]farm.Status {
	restart := cutoverApproval()
	restart.Steps, restart.Restarts, restart.Nth, restart.EstimateMS = nil, restart.Restarts[1:2], 2, 300_000
	restart.LeftOut, restart.Opening = []string{"oos-03.contoso.com"}, farm.Opening{From: now.Add(20 * time.Hour), To: now.Add(24 * time.Hour)}
	restart.Accepted = []farm.Acceptance{*acceptedReboot().Accepted}
	restart.NoWayBack = "oos-02.contoso.com: the previous certificate 99887766 is not in the Personal store: the rotation cannot be rolled back"
	return map[string]farm.Status{
		"run-waits-approval": waitingStatus(farm.PhaseWaiting, approvalWait(cutoverApproval())),
		"run-waits-restart":  waitingStatus(farm.PhaseWaiting, approvalWait(restart)),
		"run-waits-window": waitingStatus(farm.PhaseWaiting, farm.Wait{
			For: farm.ForWindow, Until: now.Add(72 * time.Hour), Text: "the window Sat 22:00-04:00 Europe/Zurich opens; the cutover takes about 25m0s", Then: "the cutover begins",
			Options: approvalWait(cutoverApproval()).Options[1:],
		}),
		"run-blocked": blockedRun(),
		"run-blocked-recheck": waitingStatus(farm.PhaseWaiting, farm.Wait{
			For: farm.ForDecision, Text: "decide about each blocked step", Until: now.Add(24 * time.Hour), Then: "the rotation is rolled back",
			Blocked: []farm.Blocked{{
				Server: "oos-01.contoso.com", Step: farm.StepRecheck, Text: "since the rotation was planned: oos-02.contoso.com: a reboot of Windows is pending: reboot it before the rotation",
			}},
			Options: []farm.Option{
				{Choice: farm.Retry, Effect: `tries "recheck" on oos-01.contoso.com again`},
				{Choice: farm.Retry, Accept: []string{"pending-reboot@oos-02.contoso.com"}, Effect: "goes on in spite of pending-reboot@oos-02.contoso.com; what was approved is to be approved again"},
			},
		}),
		"run-blocked-rollback": waitingStatus(farm.PhaseRollingBack, farm.Wait{
			For: farm.ForDecision, Text: "decide about each blocked step", Then: "it is not tried again by itself",
			Blocked: []farm.Blocked{{Server: "sp-01.contoso.com", Step: farm.StepRestoreIssuers, Text: "the issuer holds 11223344: set it, then retry"}},
			Options: []farm.Option{{Choice: farm.Retry, Effect: `tries "restore issuers" on sp-01.contoso.com again`}, {Choice: farm.Abort, Effect: "leaves everything as it is now"}},
		}),
		"run-waits-deletion": waitingDeletion(),
	}
}

// blockedRun is of a rotation that is blocked on four servers.
func blockedRun() farm.Status {
	s := waitingStatus(farm.PhaseCutover, farm.Wait{
		For: farm.ForDecision, Until: now.Add(24 * time.Hour), Text: "decide about each blocked step",
		Then: "the rotation is rolled back: restores the S2S certificate's name; restarts oos-01.contoso.com, oos-02.contoso.com and oos-03.contoso.com; the farm is then suspended",
		Blocked: []farm.Blocked{
			{Server: "oos-01.contoso.com", Step: farm.StepS2SName, Text: "access denied: the account must be a local administrator of the server", Until: now.Add(24 * time.Hour)},
			{Server: "oos-02.contoso.com", Step: farm.StepReplication, Text: "still sees OOS S2S 2025", Until: now.Add(24 * time.Hour), Skippable: true, Serving: true},
			{Server: "sp-01.contoso.com", Step: farm.StepIssuer, Text: "no answer in time", Until: now.Add(25 * time.Hour)},
		},
		Options: []farm.Option{
			{Choice: farm.Retry, Effect: "tries the 3 blocked steps again"},
			{Choice: farm.Skip, Server: "oos-02.contoso.com", Force: true, Effect: "goes on without oos-02.contoso.com, which keeps what it has; while it stays in the farm, its data refreshes fail unless it uses the certificate of the others; the farm is then suspended"},
			{Choice: farm.RollBack, Effect: "restores the S2S certificate's name; restarts oos-01.contoso.com, oos-02.contoso.com and oos-03.contoso.com; the farm is then suspended"},
			{Choice: farm.Abort, Effect: "leaves everything as it is now: settings changed on oos-01.contoso.com; the farm is then suspended"},
		},
	})
	s.Report.Servers = append(s.Report.Servers, farm.ServerReport{Host: "oos-02.contoso.com", Role: farm.OfficeRole})
	return s
}

// waitingDeletion is of a retirement that waits for its approval.
func waitingDeletion() farm.Status {
	a := farm.Approval{
		Run: "019b1c5e-7d3a-7c11-a0f4-3c1f6f0a9a02", Nth: 1, What: "the deletion of certificate 99887766", Target: oldThumbprint,
		Steps:     []farm.Difference{{Step: farm.StepDelete, Server: "oos-01.contoso.com", Text: "delete certificate 99887766 and its key"}},
		NoWayBack: "the key of 99887766 is deleted with it, so that no rollback and no undo can restore it",
		Notes:     []string{`sp-01.contoso.com: root authority "Old OOS", which farmtrust did not add, keeps trusting it`},
	}
	w := approvalWait(&a)
	w.Then = "the old certificate is unarchived, and kept for another retention"
	w.Options = []farm.Option{
		{Choice: farm.Approve, Effect: "begins the deletion of certificate 99887766 from oos-01.contoso.com, with its key; no restart"},
		{Choice: farm.Abort, Effect: "unarchives the old certificate, and keeps it until its retirement is due again"},
	}
	s := waitingStatus(farm.PhaseRetiring, w)
	s.Report.Differences = nil
	return s
}

// previewOfUndo is of an undo that restarts two servers.
func previewOfUndo() farm.Inspection {
	n := renewalInspection()
	n.Plan, n.Findings = nil, nil
	p := farm.NewPreview("an undo", n.Config, farm.Observed{}, []farm.Difference{
		{Step: farm.StepRestoreIssuers, Server: "sp-01.contoso.com", Text: `restore trusted token issuer "OOS SQL Server" (SQL Server) to 99887766`},
		{Step: farm.StepRestoreS2SName, Server: "oos-01.contoso.com", Text: `set S2SCertificateName back to "OOS S2S 2025"`},
		{Step: farm.StepReplicationAgain, Server: "oos-02.contoso.com", Subject: "S2SCertificateName", Text: "wait until its S2SCertificateName is OOS S2S 2025 again, which the master replicates: it is OOS S2S 2026"},
		{Step: farm.StepRestartAgain, Server: "sp-01.contoso.com", Text: "restart IIS and SPTimerV4: its settings change"},
		{Step: farm.StepRestartAgain, Server: "oos-01.contoso.com", Text: "restart WACSM and IIS: its settings change"},
		{Step: farm.StepRemoveCertificate, Server: "oos-01.contoso.com", Text: "remove certificate DB0FEA9B and its key: this rotation imported it"},
	})
	p.Findings = []farm.Finding{{Code: "friendly-name-stays", Severity: farm.Warn, Server: "oos-02.contoso.com", Text: `certificate DB0FEA9B keeps the friendly name "OOS S2S 2026"`, Remedy: "nothing needs to be done; it had no friendly name before"}}
	n.Previewed = &p
	return n
}
