package report_test

import (
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// now is when the pages of these tests are made.
var now = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

const (
	oldThumbprint = farm.Thumbprint("99887766554433221100FFEEDDCCBBAA99887766")
	newThumbprint = farm.Thumbprint("DB0FEA9B641F3814FC5168AE83EF7839AF1BB012")
)

func oldCertificate() farm.StoreCertificate {
	return farm.StoreCertificate{Thumbprint: oldThumbprint, FriendlyName: "OOS S2S 2025", NotAfter: now.AddDate(0, 0, 30).Add(-time.Hour)}
}

func newCertificate() farm.Certificate {
	return farm.Certificate{Thumbprint: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: now.AddDate(1, 0, 0)}
}

// inspectedServers are three servers that answered.
func inspectedServers() []farm.InspectedServer {
	machine := farm.Machine{Elevated: true, WindowsBuild: 17763, PowerShell: "5.1.17763.1"}
	late := machine
	late.WindowsBuild, late.Skew = 20348, -95*time.Second
	return []farm.InspectedServer{
		{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Machine: machine, Detail: "Office Online Server, Healthy, master, /hosting/discovery 200"},
		{Host: "oos-02.contoso.com", Role: farm.OfficeRole, Machine: late, Detail: "Office Online Server, Unhealthy, /hosting/discovery 200"},
		{Host: "sp-01.contoso.com", Role: farm.SharePointRole, Machine: machine, Detail: "SharePoint 16.0.4456.1000, front end"},
	}
}

// renewalInspection is of a farm that a rotation would renew.
func renewalInspection() farm.Inspection {
	return farm.Inspection{
		Farm: "contoso", At: now, Target: newCertificate(), Current: oldCertificate(), Servers: inspectedServers(),
		Config: farm.Farm{
			Name:       "contoso",
			Office:     farm.Office{Servers: []farm.Server{{Host: "oos-01.contoso.com"}, {Host: "oos-02.contoso.com"}}},
			SharePoint: []farm.SharePoint{{FrontEnd: farm.Server{Host: "sp-01.contoso.com"}, Servers: []farm.Server{{Host: "sp-01.contoso.com"}}}},
			Rotation:   farm.RotationPolicy{HealthyFor: 2 * time.Minute},
		},
		Findings: []farm.Finding{{
			Code: "clear-text", Severity: farm.Warn, Server: "oos-01.contoso.com",
			Text: "AllowHttpSecureStoreConnections sends the contents of ODC files in clear text", Remedy: "use HTTPS where ODC files hold passwords",
		}},
		Plan: []farm.Difference{
			{Step: farm.StepImport, Server: "oos-01.contoso.com", Text: `import "OOS S2S 2026" (DB0FEA9B): the Personal store does not hold it`},
			{Step: farm.StepImport, Server: "oos-02.contoso.com", Text: `import "OOS S2S 2026" (DB0FEA9B): the Personal store does not hold it`},
			{Step: farm.StepS2SName, Server: "oos-01.contoso.com", Text: `set S2SCertificateName to "OOS S2S 2026" on the master: it is OOS S2S 2025`},
			{Step: farm.StepIssuer, Server: "sp-01.contoso.com", Text: `update trusted token issuer "OOS SharePoint Server" (SharePoint Server) in place from 99887766 to DB0FEA9B`},
			{Step: farm.StepIssuer, Server: "sp-01.contoso.com", Text: `update trusted token issuer "OOS SQL Server" (SQL Server) in place from 99887766 to DB0FEA9B`},
			{Step: farm.StepRestart, Server: "oos-01.contoso.com", Text: "restart WACSM and IIS: its settings change"},
		},
	}
}

// pendingReboot is a finding that can be accepted.
func pendingReboot() farm.Finding {
	return farm.Finding{
		Code: "pending-reboot", Severity: farm.Stop, Server: "oos-02.contoso.com",
		Text: "a reboot of Windows is pending", Remedy: "reboot it before the rotation",
	}
}

// acceptedReboot is that finding once it was accepted.
func acceptedReboot() farm.Finding {
	f := pendingReboot()
	f.Severity, f.Accepted = farm.Warn, &farm.Acceptance{Code: f.Code, Server: f.Server, By: "ada@desk-1", Reason: "the update is installed on Sunday", At: now}
	return f
}

// verifiedReport is of a rotation that ended well.
func verifiedReport() farm.Report {
	step := func(s farm.Step, state farm.State, ms int64, detail string) farm.StepReport {
		return farm.StepReport{Step: s, State: state, Changed: state == farm.StateChanged, DurationMS: ms, Detail: detail}
	}
	servers := []farm.ServerReport{
		{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Steps: []farm.StepReport{
			step(farm.StepObserve, farm.StateObserved, 412, ""),
			step(farm.StepImport, farm.StateChanged, 934, "added to Personal, provider Microsoft Enhanced RSA and AES Cryptographic Provider"),
			step(farm.StepGrant, farm.StateUnchanged, 120, `NETWORK SERVICE may read the key; it signs as NT AUTHORITY\NETWORK SERVICE`),
		}},
		{Host: "sp-01.contoso.com", Role: farm.SharePointRole, Steps: []farm.StepReport{
			step(farm.StepIssuer, farm.StateChanged, 62_051, `SharePoint Server: updated "OOS SharePoint Server"; SQL Server: updated "OOS SQL Server"`),
		}},
	}
	servers[0].Steps[1].Changes = []farm.Change{{Name: "certificate in store My", Before: "absent", After: "present"}}
	servers[1].Steps[0].Changes = []farm.Change{
		{Name: "issuer for SharePoint Server", Before: "99887766", After: "DB0FEA9B"},
		{Name: "issuer for SQL Server", Before: "99887766", After: "DB0FEA9B"},
	}
	servers[1].Steps[0].Attempts, servers[1].Steps[0].LastError = 3, "SQL Server does not answer: a failover takes minutes"
	for i := range servers {
		for j := range servers[i].Steps {
			servers[i].Steps[j].StartedAt = now.Add(time.Duration(i+1) * time.Duration(j+1) * 17 * time.Second)
		}
	}
	return farm.Report{
		WorkflowID: "rotate/contoso", RunID: "3f0c1c9e-7a5e-4d7e-9c55-0d3a5c0c1b11", Version: "v1.2.0",
		InUse:        farm.UseOf(farm.StoreCertificate{Thumbprint: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: newCertificate().NotAfter}, now.Add(220*time.Second)),
		PreviousName: "OOS S2S 2025", PreviousNotAfter: oldCertificate().NotAfter, EndedAt: now.Add(222_100 * time.Millisecond), ComparedAt: now.Add(220 * time.Second),
		Waits: []farm.WaitReport{{For: "an approval", From: now.Add(20 * time.Second), To: now.Add(203 * time.Second), By: "ada@desk-1: approve"}},
		Proofs: []string{
			"on 1 office server the key of DB0FEA9B signed as NETWORK SERVICE, in a one-shot scheduled task, and the signature verified",
			"both trusted token issuers of the SharePoint farm hold DB0FEA9B, and their app principals have app-only full control on each configured site",
			"not verified: no token was requested from SharePoint; whether it accepts one shows when a user refreshes data",
		},
		Farm: "contoso", Outcome: farm.Verified, Reason: "near expiry of mycert10 in contoso-kv-001 (event f36c5d73-a559-480d-b131-202c16c1c024)",
		Target: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: newCertificate().NotAfter, Previous: oldThumbprint,
		StartedAt: now, DurationMS: 222_100, Statement: "configured as desired, key usable on every server",
		Servers: servers,
	}
}

// incompleteReport is of a rotation whose retries on one server ran out.
func incompleteReport() farm.Report {
	r := verifiedReport()
	r.Outcome, r.Statement = farm.Incomplete, "not finished, rotate again to continue: grant key on oos-01.contoso.com: access denied"
	r.Servers[0].Steps[2].State = farm.StateFailed
	r.Servers[0].Steps[2].Detail = "access denied: the account must be a local administrator of the server"
	r.Differences, r.Proofs = renewalInspection().Plan[3:], nil
	r.Unseen, r.InUse = "the farm could not be observed at the end: no worker took it in time", nil
	return r
}

// restartWarning is what a cmdlet of the product warned of.
const restartWarning = "The following settings have been changed: S2SCertificateName. For this to take effect, every machine in the farm must be restarted."

// decidedReport is of a rotation that two operators decided about.
func decidedReport() farm.Report {
	r := incompleteReport()
	r.Outcome, r.Statement = farm.Partial, "not finished: oos-01.contoso.com left out by bob@desk-2; 3 differences are left"
	r.Unseen, r.InUse = "", farm.UseOf(oldCertificate(), now.Add(222*time.Second))
	r.Waits = append(r.Waits, farm.WaitReport{For: "a decision", From: now.Add(30 * time.Minute), To: now.Add(time.Hour), By: "bob@desk-2: skip"})
	r.DurationMS, r.EndedAt = 3_701_000, now.Add(3_701*time.Second)
	r.Servers[0].Steps[2].StartedAt = now.AddDate(0, 0, 1)
	r.Servers[0].Steps[2].State = farm.StateSkipped
	r.Servers[1].Steps[0].Warnings = []string{restartWarning}
	r.Findings = renewalInspection().Findings
	r.Decisions = []farm.RecordedDecision{
		{At: now.Add(time.Minute), Decision: farm.Decision{Choice: farm.Approve, Digest: "1a2b3c4d5e6f", By: "ada@desk-1", Reason: "change 4711"}, Verified: "SSH key: SHA256:FTSnB2UxOY2aR7vWg3gkbEF3RzRk9VvYvGqiXWl2jZQ"},
		{At: now.Add(time.Hour), Decision: farm.Decision{Choice: farm.Skip, Server: "oos-01.contoso.com", Force: true, By: "bob@desk-2", Reason: "it is scrapped tomorrow"}},
	}
	return r
}

// largeReport is of a rotation of many servers, one of which failed.
func largeReport() farm.Report {
	r := incompleteReport()
	failed := r.Servers[0]
	failed.Host = "oos-99.contoso.com"
	r.Servers, r.Differences = nil, nil
	for i := range 40 {
		servers := verifiedReport().Servers
		servers[0].Host, servers[1].Host = fmt.Sprintf("oos-%02d.contoso.com", i+1), fmt.Sprintf("sp-%02d.contoso.com", i+1)
		if i > 0 {
			servers[1].Steps[0].Attempts, servers[1].Steps[0].LastError = 0, ""
		}
		r.Servers = append(r.Servers, servers...)
	}
	r.Servers[4].Steps[0].Warnings = []string{restartWarning}
	r.Servers = append(r.Servers, failed)
	return r
}

// runningStatus is of a rotation that runs.
func runningStatus(phase farm.Phase) farm.Status {
	s := farm.Status{Phase: phase, Report: verifiedReport()}
	s.Report.Outcome, s.Report.Statement, s.Report.DurationMS, s.Report.EndedAt, s.Report.Proofs = "", "", 0, time.Time{}, nil
	s.Report.InUse = farm.UseOf(oldCertificate(), now)
	s.Report.Servers[1].Steps[0].State = farm.StateRunning
	s.Report.Differences = renewalInspection().Plan
	return s
}

// waitingStatus is of a run that waits.
func waitingStatus(phase farm.Phase, w farm.Wait) farm.Status {
	s := runningStatus(phase)
	s.Report.Servers[1].Steps[0].State = farm.StateChanged
	s.Wait = &w
	return s
}

// endedStatus is of a run that has ended.
func endedStatus(r farm.Report) farm.Status { return farm.Status{Phase: farm.PhaseDone, Report: r} }

// idleState is of a farm that was rotated an hour ago.
func idleState() controller.State {
	return controller.State{
		Farm:      "contoso",
		Mailbox:   controller.Mailbox{Results: []controller.EventResult{{EventID: "1"}}},
		Last:      controller.LastRun{At: now.Add(-time.Hour), Outcome: farm.Verified, Statement: "configured as desired, key usable on every server"},
		Retention: controller.Retention{Snapshot: &farm.Snapshot{Target: newCertificate(), Previous: oldCertificate()}, Until: now.AddDate(0, 0, 14)},
		Inspected: controller.Inspected{
			At:      now.Add(-time.Hour),
			Current: farm.StoreCertificate{Thumbprint: newThumbprint, FriendlyName: "OOS S2S 2026", NotAfter: now.AddDate(1, 0, 0)},
		},
		Next:   farm.Next{Code: farm.CodeTrusted, Reason: "trusted until 2027-01-05 06:00 UTC"},
		Policy: controller.Policy{InspectionInterval: 6 * time.Hour, KeepOldFor: 14 * 24 * time.Hour},
	}
}

// farmStates are states of farms, by name.
func farmStates() map[string]controller.State {
	suspended, rotating, retiring, expired := idleState(), idleState(), idleState(), idleState()
	unmanaged, notSetUp, requested, terminated := idleState(), idleState(), idleState(), idleState()
	suspended.Suspended, suspended.Retention = "the rotation was rolled back", controller.Retention{}
	suspended.Next = farm.Next{Code: farm.CodeSuspended, NeedsOperator: true, Reason: "suspended: the rotation was rolled back; it would rotate: drift"}
	rotating.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso", Reason: "near expiry of s2s", Since: now.Add(-time.Minute)}
	for i := range 5 {
		rotating.Mailbox.Pending = append(rotating.Mailbox.Pending, controller.Event{ID: fmt.Sprint(i + 2), Summary: "near expiry of mycert10 in contoso-kv-001"})
	}
	retiring.Active = &controller.ActiveRun{WorkflowID: "retire/contoso", Retirement: true, Reason: "99887766 is no longer kept", Since: now.Add(-time.Hour)}
	retiring.Retention.Older = []farm.StoreCertificate{{Thumbprint: "11223344556677889900"}}
	expired.Inspected.Current.NotAfter, expired.Retention = now.AddDate(0, 0, -3), controller.Retention{}
	expired.Next = farm.Next{Action: farm.ActionAwaitCertificate, Code: farm.CodeNoNewer, NeedsOperator: true, Reason: "waiting for a newer certificate: DB0FEA9B expires on 2026-01-02 06:00 UTC"}
	unmanaged.Unmanaged = "no longer configured on worker w-1"
	notSetUp.Inspected.Current, notSetUp.Retention, notSetUp.Last = farm.StoreCertificate{}, controller.Retention{}, controller.LastRun{}
	notSetUp.Next = farm.Next{Code: farm.CodeNotSetUp, NeedsOperator: true, Reason: "the trust is not set up: rotate once by hand, or send an event"}
	requested.Mailbox.Request = &controller.Request{Kind: controller.RequestRollback, By: "ada@desk-1", Reason: "data refresh fails"}
	terminated.Last = controller.LastRun{At: now.Add(-time.Hour), Statement: "it ended without a result (terminated?); see its history"}
	terminated.Inspected.Outdated = true
	inspecting, rollingBack, overdue := idleState(), idleState(), idleState()
	inspecting.Last = controller.LastRun{At: now.Add(-5 * time.Second), Outcome: farm.Verified, Statement: "configured as desired, key usable on every server"}
	inspecting.Inspected.Outdated, inspecting.Next.NeedsOperator = true, true
	rollingBack.Active = &controller.ActiveRun{WorkflowID: "rotate/contoso", Intent: farm.Rollback, Reason: "data refresh fails", Since: now.Add(-time.Minute)}
	overdue.Inspected.At = now.AddDate(0, 0, -2)
	stopped, accepting := idleState(), idleState()
	stopped.Next = farm.Next{Code: farm.CodeStopped, NeedsOperator: true, Reason: "a reboot of Windows is pending: reboot it before the rotation"}
	outside := acceptedReboot()
	outside.Code, outside.Server, outside.Accepted.Reason = "machine-not-configured", "OOS-09", "it is dead and will be replaced"
	stopped.Last.Accepted = []farm.Finding{outside, acceptedReboot(), acceptedReboot(), acceptedReboot()}
	accepting.Mailbox.Request = &controller.Request{Kind: controller.RequestRotate, Accept: []string{"pending-reboot"}, By: "ada@desk-1", Reason: "change 4711"}
	waiting, paused := idleState(), idleState()
	waiting.Inspected.Current.NotAfter = now.AddDate(0, 0, 2)
	waiting.Active = &controller.ActiveRun{
		WorkflowID: "rotate/contoso", Reason: "near expiry of s2s", Since: now.AddDate(0, 0, -5),
		Wait: &farm.Wait{For: farm.ForApproval, Digest: "1a2b3c4d5e6f", Text: "approve 1a2b3c4d5e6f, or roll back what is staged", Until: now.AddDate(0, 0, 2)},
	}
	paused.Active = &controller.ActiveRun{
		WorkflowID: "rotate/contoso", Reason: "near expiry of s2s", Since: now.Add(-time.Hour),
		Paused: []string{"RestartOffice, attempt 1, since 2026-01-05 05:10 UTC"},
	}
	unreleased, postponed, observed := idleState(), idleState(), idleState()
	unreleased.Format, unreleased.Retention, unreleased.Last = controller.Format, controller.Retention{}, controller.LastRun{}
	unreleased.Next.Because = "not released: farmtrust only looks; otherwise it would rotate, if the source then holds a newer certificate, at 2026-12-06 06:00 UTC: trusted until 2027-01-05 06:00 UTC"
	unreleased.Next.Unless = "an operator releases the farm, or rotates"
	unreleased.Configured = controller.Configured{Worker: "w-1, process 7 (configuration 0123456789ab)", Hash: "ba9876543210", Since: now.Add(-time.Hour)}
	postponed.Format, postponed.Released = controller.Format, &controller.Release{At: now.AddDate(0, -1, 0), By: "ada@desk-1", Reason: "change 4711"}
	postponed.Postponed = &controller.Postponement{Until: now.AddDate(0, 0, 20), By: "bob@desk-2", Reason: "change freeze"}
	observed.Format, observed.Policy.Mode = controller.Format, farm.ModeObserve
	return map[string]controller.State{
		"farm-not-released": unreleased, "farm-postponed": postponed, "farm-observed-only": observed,
		"farm-inspecting": inspecting, "farm-rolling-back": rollingBack, "farm-overdue": overdue,
		"farm-waiting": waiting, "farm-paused": paused,
		"farm-stopped": stopped, "farm-accepting": accepting, "farm-idle": idleState(), "farm-suspended": suspended, "farm-rotating": rotating, "farm-retiring": retiring, "farm-expired": expired,
		"farm-unmanaged": unmanaged, "farm-not-set-up": notSetUp, "farm-requested": requested, "farm-terminated": terminated,
		"farm-new": {Farm: "contoso", Policy: idleState().Policy},
	}
}

// farmPages are pages of farms, by name.
func farmPages() map[string]report.Page {
	pages := map[string]report.Page{}
	for name, s := range farmStates() {
		pages[name] = report.Farm(s, now)
	}
	return pages
}

// inspectionPages are plans and checks, by name.
func inspectionPages() map[string]report.Page {
	firstSetUp, inOrder, stopped, unobserved, check := renewalInspection(), renewalInspection(), renewalInspection(), renewalInspection(), renewalInspection()
	acceptable, accepted := renewalInspection(), renewalInspection()
	acceptable.Findings = append(acceptable.Findings, pendingReboot())
	accepted.Findings = append(accepted.Findings, acceptedReboot())
	firstSetUp.Current = farm.StoreCertificate{}
	inOrder.Current.Thumbprint, inOrder.Plan, inOrder.Findings = newThumbprint, nil, nil
	stopped.Findings = append(stopped.Findings, pendingReboot(), farm.Finding{
		Code: "not-joined", Severity: farm.Stop, Server: "oos-02.contoso.com",
		Text: "is in no Office Online Server farm", Remedy: "join it, or take it out of the configuration",
	})
	unobserved.Servers[1].Problem = "connect to oos-02.contoso.com:5986: connection refused: start WinRM there"
	unobserved.Plan, unobserved.Current, unobserved.Findings = nil, farm.StoreCertificate{}, nil
	check.Servers[0].Machine.Elevated = false
	check.Servers[2] = farm.InspectedServer{Host: "sp-01.contoso.com", Problem: "sign in to sp-01.contoso.com: access denied: check the connection's user, password and auth"}
	undo, stuck, unseen := previewOfUndo(), previewOfUndo(), unobserved
	stuck.Previewed.Findings = append(stuck.Previewed.Findings, farm.Finding{
		Code: "changed-since", Severity: farm.Stop, Server: "sp-01.contoso.com", Text: "the issuer of SQL Server holds 11223344: neither the new certificate DB0FEA9B nor the one before, 99887766", Remedy: "decide which value is right, set it, then retry",
	})
	return map[string]report.Page{
		"preview-undo": report.Preview(undo, report.UndoCommand("undo", "contoso")), "preview-stopped": report.Preview(stuck, report.UndoCommand("undo", "contoso")),
		"preview-unobserved": report.Preview(unseen, report.UndoCommand("undo", "contoso")),
		"plan-renewal":       report.Plan(renewalInspection()), "plan-first-set-up": report.Plan(firstSetUp), "plan-in-order": report.Plan(inOrder),
		"plan-acceptable": report.Plan(acceptable), "plan-accepted": report.Plan(accepted), "plan-stopped": report.Plan(stopped), "plan-unobserved": report.Plan(unobserved), "check": report.Check(check, nil), "check-stopped": report.Check(stopped, nil),
		"check-troubles": report.Check(check, []string{"certificate 99887766, in use, expires on 2026-01-14 06:00 UTC: 9 days left", "suspended: the rotation was rolled back"}),
	}
}

// runPages are runs that ended, run and wait, by name.
func runPages() map[string]report.Page {
	unchanged, rolledBack, retired := verifiedReport(), incompleteReport(), verifiedReport()
	unchanged.Outcome, unchanged.Statement, unchanged.Previous = farm.NoChange, "nothing to do: configured as desired, key usable on every server", newThumbprint
	unchanged.Servers[0].Steps, unchanged.Servers[1].Steps = unchanged.Servers[0].Steps[:1], nil
	unchanged.InUse, unchanged.Waits = verifiedReport().InUse, nil
	rolledBack.Outcome, rolledBack.Intent, rolledBack.Statement = farm.RolledBack, farm.Rollback, "everything is as it was before"
	rolledBack.InUse, rolledBack.Unseen, rolledBack.Differences = farm.UseOf(oldCertificate(), rolledBack.EndedAt), "", nil
	retired.Target, retired.Previous, retired.FriendlyName, retired.NotAfter = oldThumbprint, "", "OOS S2S 2025", oldCertificate().NotAfter
	retired.Statement = "nothing used the old certificate; it is deleted on every office server, with its key"
	retired.InUse.At, retired.Proofs = now.Add(-time.Hour), nil
	retired.Servers = []farm.ServerReport{{Host: "oos-01.contoso.com", Role: farm.OfficeRole, Steps: []farm.StepReport{{Step: farm.StepFindUse, State: farm.StateObserved}, {Step: farm.StepDelete, State: farm.StateChanged, DurationMS: 1234}}}}
	pages := map[string]report.Page{}
	for name, s := range waitingRuns() {
		pages[name] = report.Run(s)
	}
	refused, accepting := verifiedReport(), decidedReport()
	refused.Outcome, refused.Statement = farm.Refused, "not started, nothing was changed: oos-02.contoso.com: a reboot of Windows is pending: reboot it before the rotation"
	refused.Intent, refused.Findings, refused.Servers, refused.Waits, refused.Proofs = farm.ReplaceCompromised, []farm.Finding{pendingReboot()}, nil, nil, nil
	refused.InUse = farm.UseOf(oldCertificate(), now)
	accepting.Findings = append(accepting.Findings, acceptedReboot())
	accepting.Decisions[0].Verified = ""
	accepting.Decisions = append(accepting.Decisions, farm.RecordedDecision{At: now.Add(2 * time.Hour), Decision: farm.Decision{
		Choice: farm.Retry, Accept: []string{"pending-reboot@oos-02.contoso.com"}, By: "ada@desk-1", Reason: "the update is installed on Sunday",
	}})
	for name, r := range map[string]farm.Report{
		"run-refused": refused, "run-accepted": accepting,
		"run-verified": verifiedReport(), "run-unchanged": unchanged, "run-incomplete": incompleteReport(), "run-many": largeReport(),
		"run-decided": decidedReport(), "run-rolled-back": rolledBack, "run-retired": retired,
	} {
		pages[name] = report.Run(endedStatus(r))
	}
	pages["run-cutover"] = report.Run(runningStatus(farm.PhaseCutover))
	return pages
}

// summaries are what is known of farms, in all kinds of trouble and in none.
func summaries() []controller.Summary {
	known := func(name string, days int) controller.Summary {
		return controller.Summary{
			Farm: name, Managed: true, Phase: controller.Idle, Thumbprint: newThumbprint, NotAfter: now.AddDate(0, 0, days),
			Inspected: now.Add(-time.Hour), Worker: controller.WorkerAnswers,
		}
	}
	calm, waits, approval, blocked, expired, suspended := known("contoso", 365), known("adatum", 25), known("fabrikam", 12), known("litware", 40), known("tailspin", -2), known("northwind", 200)
	calm.Answer(idleState(), now)
	waits.Answer(controller.State{
		Farm: "adatum", Inspected: controller.Inspected{At: now.Add(-time.Hour), Current: farm.StoreCertificate{Thumbprint: newThumbprint, NotAfter: now.AddDate(0, 0, 25)}},
		Next: farm.Next{Action: farm.ActionAwaitCertificate, Reason: "within the lead time, and the source has no newer certificate"},
	}, now)
	approval.Run = controller.RunSummary{WorkflowID: "rotate/fabrikam", Phase: farm.PhaseWaiting, NeedsOperator: true, StartedAt: now.Add(-time.Hour)}
	blocked.Run = controller.RunSummary{WorkflowID: "rotate/litware", Phase: farm.PhaseRestarting, NeedsOperator: true, StartedAt: now.Add(-time.Hour)}
	suspended.Phase, suspended.NeedsOperator, suspended.Worker = controller.Suspended, true, controller.WorkerNone
	return []controller.Summary{
		calm, waits, approval, blocked, expired, suspended,
		{Farm: "wingtip", Managed: true, Worker: controller.WorkerSilent},
		{Farm: "woodgrove"},
	}
}

// twoWeeks is how long before its end a certificate needs an operator.
const twoWeeks = 14 * 24 * time.Hour

// overviewPages are lists of farms, by name.
func overviewPages() map[string]report.Page {
	sites := summaries()[:2]
	sites[1].Site = "berlin"
	return map[string]report.Page{
		"overview":       report.Overview(report.NewFarmList(summaries(), now, twoWeeks)),
		"overview-sites": report.Overview(report.NewFarmList(sites, now, twoWeeks)),
		"overview-empty": report.Overview(report.NewFarmList(nil, now, twoWeeks)),
	}
}
