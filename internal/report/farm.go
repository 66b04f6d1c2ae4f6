package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/controller"
	"github.com/farmtrust/farmtrust/internal/farm"
)

// nextInspection is when the next inspection is due; zero while none is.
func nextInspection(s controller.State) time.Time {
	if s.Unmanaged != "" || s.Inspected.At.IsZero() || !s.MayInspect() {
		return time.Time{}
	}
	return s.NextInspectionAt()
}

// isAccepted reports whether a controller would accept a request now, so that
// no page offers what is then refused.
func isAccepted(s controller.State, now time.Time, kind controller.RequestKind) bool {
	return s.CheckRequest(now, controller.Request{Kind: kind, By: "operator", Reason: "page"}, "") == nil
}

// canUndo reports whether an undo is offered: it would be accepted, and could restore
// what was in use when the farm was last observed.
func canUndo(s controller.State, now time.Time) bool {
	return isAccepted(s, now, controller.RequestUndo) && s.Retention.NoWayBack == ""
}

// Farm is the page of a farm: until when it is trusted, what its controller
// does, and what an operator can do. Days are counted from now.
func Farm(s controller.State, now time.Time) Page {
	page := Page{Title: s.Farm, State: farmState(s), NeedsOperator: s.NeedsOperator(now)}
	page.add(farmFacts(s, now))
	page.add(Block{Title: "what you can do", Commands: farmCommands(s, now)})
	return page
}

func farmFacts(s controller.State, now time.Time) Block {
	var b Block
	for _, i := range s.Watch.Incidents {
		b.addAlert("INCIDENT", fmt.Sprintf("since %s, %s; who holds its key may be any user of SharePoint: see docs/incidents.md", farm.FormatTime(i.Since), i.Describe()))
	}
	if s.Unmanaged != "" {
		b.addAlert("unmanaged", s.Unmanaged)
	}
	if s.Recalling {
		b.addFact("recalling", "what ran before this controller is being read; nothing is started meanwhile")
	}
	if s.RecallProblem != "" {
		b.addAlert("recalling", s.RecallProblem+"; it is tried again")
	}
	if s.Suspended != "" {
		b.addAlert("suspended", s.Suspended+"; nothing starts by itself until it is resumed")
	}
	addConsent(&b, s, now)
	addCurrent(&b, s, now)
	if doubt := s.Inspected.RefreshDoubt; doubt != "" && !s.AwaitsInspection() {
		b.addAlert("data refresh", "fails, or may fail: "+doubt)
	}
	addInspections(&b, s, now)
	addWatch(&b, s.Watch)
	b.addFact("next", strings.TrimPrefix(s.WhatNext(now).Sentence(now), "next: "))
	addRuns(&b, s)
	addRetention(&b, s, now)
	addNotices(&b, s.Notices)
	addConfiguration(&b, s.Configured)
	return b
}

// addNotices says that operators may not know what they need to.
func addNotices(b *Block, n controller.Notices) {
	switch waiting := len(n.Waiting); {
	case n.Problem != "":
		b.addFact("notices", "the last was not delivered: "+n.Problem)
	case waiting > 1:
		b.addFact("notices", fmt.Sprintf("%d are not delivered yet", waiting))
	}
}

// addWatch says when it was last looked for foreign trust.
func addWatch(b *Block, w controller.Watch) {
	switch {
	case w.At.IsZero():
	case w.Problem != "":
		b.addFact("looked for foreign trust", farm.FormatTime(w.At)+", but not everywhere: "+w.Problem)
	case len(w.Incidents) == 0:
		b.addFact("looked for foreign trust", farm.FormatTime(w.At)+": none")
	default:
		b.addFact("looked for foreign trust", farm.FormatTime(w.At))
	}
}

// trustCommands accept what is trusted in each certificate that there is an incident about.
func trustCommands(s controller.State) []Command {
	var all []Command
	for _, i := range s.Watch.Incidents {
		command := AcceptCommand(s.Farm, i.Thumbprint)
		if !slices.ContainsFunc(all, func(c Command) bool { return c.Line(Program) == command.Line(Program) }) {
			all = append(all, command)
		}
	}
	return all
}

// addConsent says what anybody has said about rotating by itself.
func addConsent(b *Block, s controller.State, now time.Time) {
	switch {
	case s.Policy.Mode == farm.ModeObserve:
		b.addFact("observed only", farm.ObservesOnly)
	case s.IsUnreleased():
		b.addFact("not released", "nothing starts by itself; "+ReleaseCommand(s.Farm).Line(Program)+" lets it rotate by itself")
	case s.Released != nil:
		b.addFact("released", joinNonEmpty(": ", joinNonEmpty(" by ", formatSince(s.Released.At), s.Released.By), s.Released.Reason))
	}
	if p := s.Postponed; !s.PostponedUntil(now).IsZero() {
		b.addFact("postponed", fmt.Sprintf("until %s by %s: %s; nothing starts by itself before that", farm.FormatTime(p.Until), p.By, p.Reason))
	}
}

// formatSince is a moment that may not be known.
func formatSince(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "since " + farm.FormatTime(at)
}

// addConfiguration says which configuration counts.
func addConfiguration(b *Block, c controller.Configured) {
	if c.Hash == "" {
		return
	}
	text := c.Hash + ", in force"
	if since := formatSince(c.Since); since != "" {
		text += " " + since
	}
	worker, _, _ := strings.Cut(c.Worker, " (") // the hash of its whole file is another one
	b.addFact("configuration", fmt.Sprintf("%s (worker %s)", text, worker))
}

// addRuns says what runs, what ran last, and what waits to be started.
func addRuns(b *Block, s controller.State) {
	if run := s.Active; run != nil {
		name := run.WorkflowID
		switch {
		case run.Intent == farm.Undo:
			name += ", which undoes the last rotation,"
		case run.GoesBack():
			name += ", which rolls back,"
		}
		b.addFact("running", fmt.Sprintf("%s since %s: %s", name, farm.FormatTime(run.Since), run.Reason))
		addWait(b, run)
	}
	if last := s.Last; last.Outcome != "" || last.Statement != "" {
		b.addFact("last run", farm.FormatTime(last.At)+": "+joinNonEmpty(": ", string(last.Outcome), last.Statement))
		addAccepted(b, last.Accepted)
	}
	if r := s.Mailbox.Request; r != nil {
		kind := string(r.Kind)
		if len(r.Accept) > 0 {
			kind += ", accepting " + strings.Join(r.Accept, ", ")
		}
		b.addFact("requested", fmt.Sprintf("%s, by %s: %s", kind, r.By, r.Reason))
	}
	addPendingEvents(b, s.Mailbox.Pending)
}

// addWait says what keeps a run from going on.
func addWait(b *Block, run *controller.ActiveRun) {
	if w := run.Wait; w != nil {
		cell := Cell{Text: w.For.Name() + formatUntil(w.Until) + ": " + w.Text, Alert: w.NeedsOperator()}
		b.Facts = append(b.Facts, Fact{"waits for", cell})
	}
	if run.Unread != "" {
		b.addAlert("not read", run.Unread+"; it is read again")
	}
	for _, paused := range run.Paused {
		b.addAlert("paused in Temporal", paused+": unpause it there")
	}
}

// fewEvents is up to how many pending events are shown; sources repeat them.
const fewEvents = 3

func addPendingEvents(b *Block, pending []controller.Event) {
	for _, e := range pending[:min(len(pending), fewEvents)] {
		b.addFact("pending event", joinNonEmpty(": ", e.ID, e.Summary))
	}
	if more := len(pending) - fewEvents; more > 0 {
		b.addFact("pending event", fmt.Sprintf("and %d more", more))
	}
}

// addRetention says what is unfinished, and what becomes of the old certificates.
func addRetention(b *Block, s controller.State, now time.Time) {
	if last := s.LastUnfinished(); last != nil {
		b.addAlert("not finished", "the rotation to "+last.Target.Thumbprint.Short())
	}
	if s.Retention.Snapshot != nil && s.Retention.NoWayBack != "" {
		b.addFact("undo", "not possible now: "+s.Retention.NoWayBack)
	}
	if c := s.Retention.LeftBehind; c != "" {
		b.addAlert("left behind", c.Short()+" and what is older: too many certificates waited for their retirement; delete them by hand where nothing uses them")
	}
	if !s.WillRetire() {
		if s.IsUnreleased() && s.Retention.Snapshot != nil && s.Retention.Snapshot.Replaces() {
			b.addFact("old certificate", s.Retention.Snapshot.Previous.Thumbprint.Short()+" stays until the farm is released")
		}
		return
	}
	order := "first"
	if s.RetiresCompromised() {
		order = "after the compromised one"
	}
	for _, c := range s.Retention.Older {
		b.addFact("older certificate", c.Thumbprint.Short()+" is retired "+order)
	}
	if s.Retention.Retired {
		return
	}
	b.addFact("old certificate", fmt.Sprintf("%s is retired after %s", s.Retention.Snapshot.Previous.Thumbprint.Short(), farm.FormatTime(s.RetirementAt(now))))
}

// farmCommands are the requests that make sense now and are accepted.
func farmCommands(s controller.State, now time.Time) []Command {
	all := append(trustCommands(s), activeCommands(s)...)
	if s.IsUnreleased() && isAccepted(s, now, controller.RequestRelease) {
		all = append(all, ReleaseCommand(s.Farm))
	}
	if s.Mailbox.Request != nil && isAccepted(s, now, controller.RequestWithdraw) {
		all = append(all, WithdrawCommand(s.Farm))
	}
	if s.Suspended != "" && isAccepted(s, now, controller.RequestResume) {
		all = append(all, ResumeCommand(s.Farm))
	}
	if s.Next.Code == farm.CodeStopped || s.Next.Code == farm.CodeRefused {
		all = append(all, PlanCommand(s.Farm))
	}
	if effect := rotateEffect(s, now); effect != "" && isAccepted(s, now, controller.RequestRotate) {
		all = append(all, RotateCommand(effect, s.Farm))
	}
	all = append(all, wayBackCommands(s, now)...)
	if isAccepted(s, now, controller.RequestForget) {
		all = append(all, ForgetCommand(s.Farm))
	}
	return all
}

// activeCommands watch, approve and cancel what runs; nil where nothing does.
func activeCommands(s controller.State) []Command {
	run := s.Active
	if run == nil {
		return nil
	}
	all := []Command{WatchCommand(s.Farm)}
	switch {
	case run.Wait != nil && run.Wait.Digest != "":
		all = append(all, ApproveCommand("approve exactly what is listed", s.Farm, run.Wait.Digest))
	case run.Wait == nil && !run.GoesBack():
		all = append(all, CancelCommand(s.Farm))
	}
	return all
}

// wayBackCommands roll back what was not finished, and undo what was verified.
func wayBackCommands(s controller.State, now time.Time) []Command {
	var all []Command
	if last := s.LastUnfinished(); last != nil && isAccepted(s, now, controller.RequestRollback) {
		all = append(all, RollBackCommand(rollbackEffect(*last), s.Farm))
	}
	if canUndo(s, now) {
		all = append(all, UndoCommand("go back to "+previousName(*s.Retention.Snapshot)+"; every server is restarted", s.Farm))
	}
	return all
}

// rotateEffect is what a rotation would be good for now; empty where it is not
// for an operator to start one.
func rotateEffect(s controller.State, now time.Time) string {
	c := s.Inspected.Current
	switch {
	case c.Thumbprint != "" && !c.NotAfter.After(now):
		return "rotate, once the source holds a newer certificate"
	case s.Next.Code == farm.CodeNotSetUp:
		return "set the trust up"
	case s.Next.Code == farm.CodeNameLost, s.Next.Code == farm.CodeNameDangling:
		return "set the S2S certificate's name again"
	case s.Next.Code == farm.CodeNeverSet:
		return "set up the office farm that was not set up yet"
	case s.Next.Code == farm.CodeCertificatesDiffer:
		return "give all office farms one certificate"
	case s.Next.Code == farm.CodeRestartPending:
		return "make the pending restart"
	case s.Next.Code == farm.CodeRefused:
		return "try the rotation again"
	case s.Next.Code == farm.CodeNotReleased:
		return "rotate once, without releasing the farm"
	}
	return ""
}

// rollbackEffect is what a rollback of an unfinished rotation does.
func rollbackEffect(snapshot farm.Snapshot) string {
	if snapshot.Staged {
		return "remove what the rotation staged; no server is restarted"
	}
	return "roll back to " + previousName(snapshot)
}

// previousName is what a way back restores.
func previousName(snapshot farm.Snapshot) string {
	if t := snapshot.Previous.Thumbprint; t != "" {
		return t.Short()
	}
	return "no S2S certificate"
}
