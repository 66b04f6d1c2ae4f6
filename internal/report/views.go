package report

import (
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// What programs read is made of the types in this file, of [FarmList], and of
// [farm.Report], [farm.Wait] and what these hold. Their schemas are in docs/schema, made of
// these types and their comments. A duration is an integer of milliseconds, whose name
// ends in Ms.

// FarmStatus is a farm for programs: its row in the list of farms, what its controller
// knows, and what runs or ran last.
type FarmStatus struct {
	FarmRow

	// Controller is left out where no worker answers for it.
	Controller *FarmState `json:"controller,omitempty"`
	// Phase, Report and Wait are of what runs, or of the last rotation that ended; left
	// out where there is none, or no worker answers for it.
	Phase  farm.Phase   `json:"phase,omitempty"`
	Report *farm.Report `json:"report,omitempty"`
	Wait   *farm.Wait   `json:"wait,omitempty"`
}

// FarmState is what the controller of a farm knows, and what follows from it, without
// what only the controller needs.
type FarmState struct {
	Phase         controller.Phase `json:"phase"`
	NeedsOperator bool             `json:"needsOperator"`
	// Unmanaged and Suspended say why the farm is; left out where it is not.
	Unmanaged string `json:"unmanaged,omitempty"`
	Suspended string `json:"suspended,omitempty"`
	// Recalling reports whether what ran before the controller is being read, and
	// RecallProblem why it could not be so far.
	Recalling     bool   `json:"recalling,omitempty"`
	RecallProblem string `json:"recallProblem,omitempty"`
	// Current is the certificate in use.
	Current *CertificateSummary `json:"current,omitempty"`
	// InspectedAt is left out before the first inspection, and NextInspectionAt while none
	// is planned. Unreachable reports whether the last one did not reach every server.
	InspectedAt      time.Time `json:"inspectedAt,omitzero"`
	NextInspectionAt time.Time `json:"nextInspectionAt,omitzero"`
	Unreachable      bool      `json:"unreachable,omitempty"`
	// Next is what was decided then. Upcoming is what will be done by itself, of all that
	// the controller knows, and UpcomingSentence says it in words.
	Next             farm.Next `json:"next"`
	Upcoming         farm.Next `json:"upcoming"`
	UpcomingSentence string    `json:"upcomingSentence"`
	// Incidents are certificates that SharePoint trusts and that are none of the farm's, as
	// of WatchedAt; WatchProblem says what could not be seen then.
	Incidents    []farm.Incident `json:"incidents,omitempty"`
	WatchedAt    time.Time       `json:"watchedAt,omitzero"`
	WatchProblem string          `json:"watchProblem,omitempty"`
	// ObserveOnly reports whether the configuration lets nothing be changed. Released
	// says who lets the farm be rotated by itself, left out where nobody does, and
	// Postponed until when nothing starts by itself.
	ObserveOnly bool                     `json:"observeOnly"`
	Released    *controller.Release      `json:"released,omitempty"`
	Postponed   *controller.Postponement `json:"postponed,omitempty"`
	// Configuration is the worker's that counts, and since when.
	Configuration controller.Configured `json:"configuration,omitzero"`
	// Active is what runs; left out where nothing does.
	Active *ActiveState `json:"active,omitempty"`
	// Last is how the last run ended; left out before the first.
	Last *controller.LastRun `json:"last,omitempty"`
	// Request is what an operator asked for and was not started yet, PendingEvents are the
	// expiry events that nothing came of yet.
	Request       *controller.Request `json:"request,omitempty"`
	PendingEvents []controller.Event  `json:"pendingEvents,omitempty"`
	// CanRollBack reports whether a request to roll back is accepted now. CanUndo reports
	// the same of an undo, which was possible when the farm was last observed; NoWayBack
	// says why it was not.
	CanRollBack bool   `json:"canRollBack"`
	CanUndo     bool   `json:"canUndo"`
	NoWayBack   string `json:"noWayBack,omitempty"`
	// Previous is the certificate that an undo restores. It is retired at RetireAt.
	Previous *CertificateSummary `json:"previous,omitempty"`
	RetireAt time.Time           `json:"retireAt,omitzero"`
	// InspectionIntervalMS and KeepOldForMS are the farm's policy as of the last
	// inspection, in milliseconds.
	InspectionIntervalMS int64 `json:"inspectionIntervalMs"`
	KeepOldForMS         int64 `json:"keepOldForMs"`
}

// ActiveState is what runs for a farm.
type ActiveState struct {
	WorkflowID string `json:"workflowId"`
	RunID      string `json:"runId"`
	// Retirement is false for a rotation and for a rollback.
	Retirement bool      `json:"retirement"`
	Reason     string    `json:"reason"`
	StartedAt  time.Time `json:"startedAt"`
	// Wait is what it waits for; left out where it waits for nothing.
	Wait *farm.Wait `json:"wait,omitempty"`
	// Paused are its activities that are paused in Temporal, in words.
	Paused []string `json:"paused,omitempty"`
}

// CertificateSummary is a certificate.
type CertificateSummary struct {
	Thumbprint   farm.Thumbprint `json:"thumbprint"`
	FriendlyName string          `json:"friendlyName,omitempty"`
	Subject      string          `json:"subject,omitempty"`
	ValidFrom    time.Time       `json:"validFrom,omitzero"`
	ExpiresAt    time.Time       `json:"expiresAt,omitzero"`
}

// NewFarmState returns the state of a farm for programs.
func NewFarmState(s controller.State, now time.Time) FarmState {
	f := FarmState{
		Phase: s.Phase(), NeedsOperator: s.NeedsOperator(now), Unmanaged: s.Unmanaged, Suspended: s.Suspended,
		Recalling: s.Recalling, RecallProblem: s.RecallProblem, Current: summarizeCertificate(s.Inspected.Current),
		InspectedAt: s.Inspected.At.UTC(), NextInspectionAt: nextInspection(s).UTC(), Unreachable: s.Inspected.Unreachable,
		Next: s.Next, Request: s.Mailbox.Request, PendingEvents: s.Mailbox.Pending,
		CanRollBack: isAccepted(s, now, controller.RequestRollback), CanUndo: canUndo(s, now), NoWayBack: s.Retention.NoWayBack,
		InspectionIntervalMS: s.Policy.InspectionInterval.Milliseconds(), KeepOldForMS: s.Policy.KeepOldFor.Milliseconds(),
	}
	f.Upcoming = s.WhatNext(now)
	f.UpcomingSentence = f.Upcoming.Sentence(now)
	f.Incidents, f.WatchedAt, f.WatchProblem = s.Watch.Incidents, s.Watch.At.UTC(), s.Watch.Problem
	f.ObserveOnly, f.Released, f.Configuration = s.Policy.Mode == farm.ModeObserve, s.Released, s.Configured
	if !s.PostponedUntil(now).IsZero() {
		f.Postponed = s.Postponed
	}
	if f.Next.Code == farm.CodeTrusted && !s.IsTrusted(now) {
		f.Next = farm.Next{Code: farm.CodeOutdated, Reason: describeInspected(s, now)}
	}
	if run := s.Active; run != nil {
		f.Active = &ActiveState{
			WorkflowID: run.WorkflowID, RunID: run.RunID, Retirement: run.Retirement, Reason: run.Reason,
			StartedAt: run.Since.UTC(), Wait: run.Wait, Paused: run.Paused,
		}
	}
	if !s.Last.At.IsZero() {
		f.Last = &s.Last
	}
	if s.Retention.Snapshot != nil {
		f.Previous = summarizeCertificate(s.Retention.Snapshot.Previous)
	}
	if s.WillRetire() {
		f.RetireAt = s.RetirementAt(now).UTC()
	}
	return f
}

func summarizeCertificate(c farm.StoreCertificate) *CertificateSummary {
	if c.Thumbprint == "" {
		return nil
	}
	return &CertificateSummary{
		Thumbprint: c.Thumbprint, FriendlyName: c.FriendlyName, Subject: c.Subject, ValidFrom: c.NotBefore.UTC(), ExpiresAt: c.NotAfter.UTC(),
	}
}

// Inspection is what was found on a farm, for programs, and what a rotation would do
// about it.
type Inspection struct {
	Farm string `json:"farm"`
	// InspectedAt is when the servers were observed, on the worker's clock.
	InspectedAt time.Time `json:"inspectedAt"`
	// Assessment is what it comes to.
	Assessment Assessment `json:"assessment"`
	// Current is the certificate in use; left out before the first set-up. Target is the
	// one that a rotation would work towards.
	Current *CertificateSummary `json:"current,omitempty"`
	Target  *CertificateSummary `json:"target,omitempty"`
	Servers []InspectedServer   `json:"servers"`
	// Differences are what a rotation would remove, one step on one server each; Findings
	// what it would not.
	Differences []farm.Difference `json:"differences"`
	Findings    []farm.Finding    `json:"findings"`
	// Restarts are the restarts among the differences, in the order in which they are
	// made, and EstimateMS is how long it takes from the first change that users notice to
	// the last restart, in milliseconds: a guess on the safe side.
	Restarts   []farm.PlannedRestart `json:"restarts,omitempty"`
	EstimateMS int64                 `json:"estimateMs,omitempty"`
	// Preview is what was asked for instead of what a rotation would do; left out where
	// nothing else was.
	Preview *farm.Preview `json:"preview,omitempty"`
}

// InspectedServer is what one server answered.
type InspectedServer struct {
	Host string    `json:"host"`
	Role farm.Role `json:"role"`
	// Problem says what happened and what to do where the server did not answer; the
	// fields below are then left out.
	Problem string `json:"problem,omitempty"`
	// Elevated reports whether the account has administrator rights.
	Elevated bool `json:"elevated"`
	// WindowsBuild is 14393 for Server 2016, 17763 for 2019, 20348 for 2022.
	WindowsBuild int    `json:"windowsBuild,omitempty"`
	PowerShell   string `json:"powerShell,omitempty"`
	// ClockSkewMS is how far the server's clock was ahead of the worker's, in
	// milliseconds.
	ClockSkewMS   int64 `json:"clockSkewMs"`
	PendingReboot bool  `json:"pendingReboot"`
	// Product describes the product on the server: its version and health.
	Product string `json:"product,omitempty"`
}

// NewInspection returns an inspection for programs.
func NewInspection(n farm.Inspection) Inspection {
	view := Inspection{
		Farm: n.Farm, InspectedAt: n.At.UTC(), Assessment: AssessInspection(n), Current: summarizeCertificate(n.Current),
		Servers: []InspectedServer{}, Differences: append([]farm.Difference{}, n.Plan...), Findings: append([]farm.Finding{}, n.Findings...),
	}
	p := n.Preview("a rotation")
	view.Restarts, view.EstimateMS, view.Preview = p.Restarts, p.EstimateMS, n.Previewed
	if t := n.Target; t.Thumbprint != "" {
		view.Target = &CertificateSummary{
			Thumbprint: t.Thumbprint, FriendlyName: t.FriendlyName, Subject: t.Subject, ValidFrom: t.NotBefore.UTC(), ExpiresAt: t.NotAfter.UTC(),
		}
	}
	for _, s := range n.Servers {
		m := s.Machine
		view.Servers = append(view.Servers, InspectedServer{
			Host: s.Host, Role: s.Role, Problem: s.Problem, Elevated: m.Elevated, WindowsBuild: m.WindowsBuild, PowerShell: m.PowerShell,
			ClockSkewMS: m.Skew.Milliseconds(), PendingReboot: m.PendingReboot, Product: s.Detail,
		})
	}
	return view
}

// CheckResult is what was found on several farms, for programs.
type CheckResult struct {
	// Problems are what the file names and cannot be opened on this machine.
	Problems []string `json:"problems,omitempty"`
	// Warnings are what the configuration file could say better.
	Warnings []string    `json:"warnings,omitempty"`
	Farms    []FarmCheck `json:"farms"`
}

// FarmCheck is what was found on one farm, or why it could not be inspected.
type FarmCheck struct {
	Farm       string      `json:"farm"`
	Inspection *Inspection `json:"inspection,omitempty"`
	// Troubles are what an operator has to do something about although every server
	// answered; left out where there is none.
	Troubles []string `json:"troubles,omitempty"`
	// Differs are the settings in which the worker's configuration is not the file's.
	Differs []string `json:"differs,omitempty"`
	// Error says why the farm could not be inspected.
	Error string `json:"error,omitempty"`
}
