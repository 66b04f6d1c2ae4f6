package controller

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Notice is something that operators are told without asking.
type Notice struct {
	// ID is the same whenever the notice is delivered again, and no other notice of the
	// farm has it.
	ID   string     `json:"id"`
	Kind NoticeKind `json:"kind"`
	At   time.Time  `json:"at"`
	// Text says what happened, and what to do.
	Text string `json:"text"`
	// NeedsOperator reports whether an operator is needed.
	NeedsOperator bool `json:"needsOperator"`
	// Thumbprint is of the certificate in use, and NotAfter its end; empty and zero where
	// none is known.
	Thumbprint farm.Thumbprint `json:"thumbprint,omitempty"`
	NotAfter   time.Time       `json:"notAfter,omitzero"`
	// WorkflowID, RunID and Outcome are of the run that has ended; empty where none has.
	// A run that was terminated has no outcome.
	WorkflowID string       `json:"workflowId,omitempty"`
	RunID      string       `json:"runId,omitempty"`
	Outcome    farm.Outcome `json:"outcome,omitempty"`
}

// NoticeKind is what a notice is about.
type NoticeKind string

const (
	// OperatorNeeded means that nothing goes on until an operator acts, for a reason that was not
	// told yet.
	OperatorNeeded NoticeKind = "operator-needed"
	// NoOperatorNeeded means that what an operator was needed for is over.
	NoOperatorNeeded NoticeKind = "no-operator-needed"
	// CertificateEnds means that the end of the certificate in use has become more urgent.
	CertificateEnds NoticeKind = "certificate-ends"
	// RunEnded means that a rotation, a way back or a retirement has ended.
	RunEnded NoticeKind = "run-ended"
)

// NoticeKinds lists the kinds of notices.
func NoticeKinds() []NoticeKind {
	return []NoticeKind{OperatorNeeded, NoOperatorNeeded, CertificateEnds, RunEnded}
}

// Notices are what operators are told.
type Notices struct {
	// Made counts the notices that were made.
	Made int `json:"made,omitempty"`
	// Waiting are not delivered yet, oldest first.
	Waiting []Notice `json:"waiting,omitempty"`
	// Problem says why the last one was given up; empty where it was delivered.
	Problem string `json:"problem,omitempty"`
	// Cause is what operators were last told that one of them is needed for; empty where
	// none is.
	Cause string `json:"cause,omitempty"`
}

const (
	// maxNotices is how many notices wait at most, of a receiver that is away for days:
	// the newest say how the farm is.
	maxNotices = 20
	// maxNoticeText bounds a notice's text, in bytes.
	maxNoticeText = 4000
)

// NoteUrgency reports whether the end of the certificate in use has become more
// urgent than it was when this was last asked.
func (s *State) NoteUrgency(now time.Time) (raised bool) {
	before := s.Warned
	s.Warned = s.Urgency(now)
	return s.Warned > before
}

// DescribeUrgency says how urgent the end of the certificate in use was when
// [State.NoteUrgency] was last asked; empty where it was not.
func (s *State) DescribeUrgency() string { return s.Warned.Describe(s.lifeInUse()) }

// NoteNeed makes a notice where an operator is needed for another reason than was told, or
// is not any more, or where the end of the certificate in use has become more urgent.
// Text says in words how the farm is.
func (s *State) NoteNeed(now time.Time, urgencyRaised bool, text string) {
	if s.Format < formatNotices || s.Recalling && s.RecallProblem == "" {
		return
	}
	cause := s.needCause(now)
	told := s.Notices.Cause
	s.Notices.Cause = cause
	switch {
	case urgencyRaised:
		s.addNotice(now, Notice{Kind: CertificateEnds, Text: joinSentences("the certificate in use "+s.DescribeUrgency(), text)})
	case cause == told:
	case cause == "":
		s.addNotice(now, Notice{Kind: NoOperatorNeeded, Text: joinSentences("what an operator was needed for is over", text)})
	default:
		s.addNotice(now, Notice{Kind: OperatorNeeded, Text: text})
	}
}

// needCause tells apart what an operator is needed for; empty where none is. It is not the
// words that a page has for it: those change with the time, and an operator who is told
// each time soon reads none of it.
func (s *State) needCause(now time.Time) string {
	run := s.Active
	switch {
	case !s.NeedsOperator(now):
		return ""
	case s.Unmanaged != "":
		return "unmanaged"
	case len(s.Watch.Incidents) > 0:
		return "incident" + joinThumbprints(s.Watch.Incidents)
	case s.RecallProblem != "":
		return "not recalled"
	case run != nil && len(run.Paused) > 0:
		return run.WorkflowID + " is paused: " + run.RunID
	case run != nil && run.Wait.NeedsOperator():
		return waitCause(run)
	case run != nil && run.Unread != "":
		return run.WorkflowID + " does not answer: " + run.RunID
	case s.Suspended != "":
		return "suspended: " + s.Suspended
	case s.Next.NeedsOperator:
		return string(s.Next.Code)
	}
	return "the certificate ends"
}

func joinThumbprints(incidents []farm.Incident) string {
	var text strings.Builder
	for _, i := range incidents {
		text.WriteString(" " + i.FrontEnd + " " + string(i.Thumbprint))
	}
	return text.String()
}

// waitCause tells apart what a run waits for.
func waitCause(run *ActiveRun) string {
	parts := []string{fmt.Sprintf("%s (%s) waits for %s %s", run.WorkflowID, run.RunID, run.Wait.For, run.Wait.Digest)}
	for _, b := range run.Wait.Blocked {
		parts = append(parts, fmt.Sprintf("%s on %s", b.Step, b.Server))
	}
	return strings.Join(parts, ", ")
}

// noteEnd makes a notice of a run that has ended.
func (s *State) noteEnd(now time.Time, run *ActiveRun) {
	if s.Format < formatNotices || run == nil {
		return
	}
	s.addNotice(now, Notice{
		Kind: RunEnded, WorkflowID: run.WorkflowID, RunID: run.RunID, Outcome: s.Last.Outcome,
		Text: joinSentences(fmt.Sprintf("%s has ended: %s", run.WorkflowID, cmp.Or(string(s.Last.Outcome), "without a report")), s.Last.Statement),
	})
}

func joinSentences(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

// addNotice adds a notice to those that wait. Where too many do, the oldest goes.
func (s *State) addNotice(now time.Time, n Notice) {
	all := &s.Notices
	all.Made++
	n.ID, n.At, n.NeedsOperator = fmt.Sprintf("%s-%d", now.UTC().Format("20060102T150405Z"), all.Made), now, s.NeedsOperator(now)
	n.Thumbprint, n.NotAfter = s.Inspected.Current.Thumbprint, s.Inspected.Current.NotAfter
	if len(n.Text) > maxNoticeText {
		n.Text = strings.ToValidUTF8(n.Text[:maxNoticeText], "") + "..."
	}
	all.Waiting = append(slices.Clone(all.Waiting), n)
	all.Waiting = all.Waiting[max(0, len(all.Waiting)-maxNotices):]
}

// EndNotice drops a notice that was delivered, or given up for a reason.
func (s *State) EndNotice(id, problem string) {
	s.Notices.Problem = problem
	s.Notices.Waiting = slices.DeleteFunc(slices.Clone(s.Notices.Waiting), func(n Notice) bool { return n.ID == id })
}
