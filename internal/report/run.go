package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Run is the page of a rotation, a rollback or a retirement, while it runs and
// after it has ended. Days are counted from its start while it runs, and from
// its end afterwards, so that a report reads the same whenever it is shown.
func Run(s farm.Status) Page { return RunAt(s, time.Time{}) }

// RunAt is [Run] for somebody who looks at it now: deadlines say how far away they are.
func RunAt(s farm.Status, now time.Time) Page {
	r := s.Report
	page := newRunPage(s)
	page.add(Block{Text: r.Statement})
	page.addPressing(decideBlocks(s, now)...)
	page.add(Block{Title: "what you can do", Commands: cancelCommands(s)})
	page.Blocks = append(page.Blocks, approvalBlocks(s)...)
	page.add(runCertificates(s))
	page.add(runFacts(s))
	page.add(listBlock("what was verified", r.Proofs))
	page.add(waitsBlock(r))
	page.add(decisionsBlock(r.Decisions))
	page.add(findingsBlock(r.Findings))
	page.Blocks = append(page.Blocks, leftBlocks(r)...)
	page.add(changesBlock(r))
	page.add(listBlock("what was done", r.Done))
	page.Blocks = append(page.Blocks, stepBlocks(r)...)
	return page
}

func newRunPage(s farm.Status) Page {
	r := s.Report
	return Page{Title: r.Farm, State: runState(s), Good: isGood(r.Outcome), NeedsOperator: r.Outcome == "" && s.Wait.NeedsOperator()}
}

// decideBlocks are what a run waits for, how to decide, and what follows without.
func decideBlocks(s farm.Status, now time.Time) []Block {
	return append(waitBlocks(s), Block{Title: "to decide", Commands: DecisionCommands(s)}, thenBlock(s, now))
}

// leftBlocks are what keeps a run that was refused, and what one has left to do.
func leftBlocks(r farm.Report) []Block {
	var page Page
	if r.Outcome == farm.Refused {
		page.add(acceptBlock(r.Farm, r.Findings, r.Intent == farm.ReplaceCompromised))
	}
	if leavesDifferences(r.Outcome) {
		page.add(differencesBlock(r))
	}
	return page.Blocks
}

// isGood reports whether a run that ended so ended as wanted.
func isGood(o farm.Outcome) bool {
	return o == farm.Verified || o == farm.NoChange || o == farm.RolledBack
}

// runState is how far a run is, or how it ended, in a word or two.
func runState(s farm.Status) string {
	switch {
	case s.Phase == farm.PhaseRollingBack && isWaiting(s) && s.Wait.For != farm.ForDecision:
		return string(farm.PhaseWaiting) // an undo has not begun yet
	case s.Report.Outcome == "":
		return string(s.Phase)
	case s.Report.Outcome == farm.Verified && isRetirement(s):
		return "retired"
	case s.Report.Outcome == farm.RolledBack && s.Report.Intent == farm.Undo:
		return "undone"
	}
	return string(s.Report.Outcome)
}

// leavesDifferences reports whether a run that ended so may have left
// differences.
func leavesDifferences(o farm.Outcome) bool {
	return o == farm.Incomplete || o == farm.Refused || o == farm.Partial
}

// differencesBlock lists what was left, and says as of when.
func differencesBlock(r farm.Report) Block {
	b := Block{Title: countThings(len(r.Differences), "difference") + " left", Table: differenceTable(r.Differences)}
	if len(r.Differences) == 0 {
		b.Title = "no difference is known"
	}
	switch at := r.ComparedAt; {
	case r.Unseen != "":
		b.Text = joinNonEmpty("; ", "as last compared on "+farm.FormatTime(at), r.Unseen)
	case !at.IsZero():
		b.Text = "as compared on " + farm.FormatTime(at)
	}
	return b
}

// runCertificates says which certificate the farm has, then what the run was about.
func runCertificates(s farm.Status) Block {
	r := s.Report
	b := Block{Title: "certificates"}
	switch use := r.InUse; {
	case use == nil && r.Outcome != "" && !r.EndedAt.IsZero():
		b.addFact("in use", "not known: it was set, and not seen since")
	case use == nil:
	case use.Thumbprint == "":
		b.addFact("in use", "no S2S certificate")
	default:
		text := describeCertificate(use.Thumbprint, use.FriendlyName, use.NotAfter, r.End())
		if r.End().Sub(use.At) > staleUse {
			text += ", as observed on " + farm.FormatTime(use.At)
		}
		b.Facts = append(b.Facts, Fact{"in use", Cell{text, !use.NotAfter.After(r.End())}})
	}
	isInUse := func(t farm.Thumbprint) bool { return r.InUse != nil && r.InUse.Thumbprint == t }
	if r.Target != "" && !isInUse(r.Target) {
		b.addFact(targetName(s), describeCertificate(r.Target, r.FriendlyName, r.NotAfter, r.End()))
	}
	if r.Previous != "" && r.Previous != r.Target && !isInUse(r.Previous) {
		name := "before"
		if r.Outcome == farm.Verified {
			name = "replaced"
		}
		b.addFact(name, describeCertificate(r.Previous, r.PreviousName, r.PreviousNotAfter, r.End()))
	}
	return b
}

// staleUse is from how long before the end of a run on the report says when the
// certificate in use was seen.
const staleUse = 10 * time.Minute

// targetName is what became of a run's certificate that is not in use.
func targetName(s farm.Status) string {
	switch {
	case isRetirement(s) && s.Report.Outcome == farm.Verified:
		return "deleted"
	case isRetirement(s):
		return "to delete"
	case s.Report.Outcome == farm.RolledBack && s.Report.Intent == farm.Undo:
		return "undone"
	case s.Report.Outcome == farm.RolledBack:
		return "rolled back"
	}
	return "target"
}

func runFacts(s farm.Status) Block {
	r := s.Report
	b := Block{Title: runName(s)}
	if r.Intent != farm.Renew && !r.Intent.GoesBack() {
		b.addFact("intent", string(r.Intent))
	}
	if r.Reason != "" {
		b.addFact("reason", r.Reason)
	}
	b.addFact("started", farm.FormatTime(r.StartedAt))
	if r.Outcome != "" {
		b.addFact("ended", farm.FormatTime(r.End()))
		b.addFact("took", describeDuration(r))
	}
	if r.RunID != "" {
		b.addFact("in Temporal", r.WorkflowID+", run "+r.RunID)
	}
	if r.Version != "" {
		b.addFact("version", r.Version)
	}
	if r.Shortened != "" {
		b.addFact("shortened", r.Shortened)
	}
	return b
}

// describeDuration is how long a run took, and what of that it waited for what.
func describeDuration(r farm.Report) string {
	text := formatMilliseconds(r.DurationMS)
	var names []string
	waited := map[string]time.Duration{}
	for _, w := range r.Waits {
		if waited[w.For] == 0 {
			names = append(names, w.For)
		}
		waited[w.For] += w.To.Sub(w.From)
	}
	parts := []string{text}
	for i, name := range names {
		verb := ""
		if i == 0 {
			verb = "of it waiting "
		}
		parts = append(parts, fmt.Sprintf("%s %sfor %s", farm.FormatDuration(waited[name]), verb, name))
	}
	return strings.Join(parts, ", ")
}

// listBlock is a list of sentences.
func listBlock(title string, texts []string) Block {
	var g Group
	for _, text := range texts {
		g.Rows = append(g.Rows, makeRow(text))
	}
	return Block{Title: title, Table: Table{Groups: []Group{g}}}
}

// waitsBlock lists what the run waited for.
func waitsBlock(r farm.Report) Block {
	var g Group
	for _, w := range r.Waits {
		g.Rows = append(g.Rows, makeRow(farm.FormatTime(w.From), farm.FormatTime(w.To), farm.FormatDuration(w.To.Sub(w.From)), w.For, w.By))
	}
	return Block{Title: "waits", Table: Table{Header: []string{"from", "to", "took", "for", "ended by"}, Groups: []Group{g}}}
}

// runName is what a run is.
func runName(s farm.Status) string {
	switch {
	case isRetirement(s):
		return "retirement"
	case s.Report.Intent.GoesBack():
		return string(s.Report.Intent)
	}
	return "rotation"
}

// isRetirement reports whether a run is a retirement.
func isRetirement(s farm.Status) bool {
	return s.Phase == farm.PhaseRetiring || slices.ContainsFunc(farm.RetirementSteps(), s.Report.Reached)
}

// decisionsBlock lists who decided what, and why, and whether anything proves who it was.
func decisionsBlock(decisions []farm.RecordedDecision) Block {
	b := Block{Title: "decisions"}
	verified := slices.ContainsFunc(decisions, func(d farm.RecordedDecision) bool { return d.Verified != "" })
	if !verified {
		b.Title = "decisions, by names that are not verified"
	}
	var g Group
	for _, d := range decisions {
		by := d.By
		if verified {
			by = byWhom(d)
		}
		g.Rows = append(g.Rows, makeRow(farm.FormatTime(d.At), decisionName(d.Decision), by, d.Reason))
	}
	b.Table = Table{Header: []string{"when", "decision", "by", "reason"}, Groups: []Group{g}}
	return b
}

// byWhom names who decided, and says what kind of thing proves that; which key or provider
// it was stands in the JSON.
func byWhom(d farm.RecordedDecision) string {
	kind, _, _ := strings.Cut(d.Verified, ":")
	return fmt.Sprintf("%s (%s)", d.By, cmp.Or(kind, "not verified"))
}

// decisionName is a decision in a few words.
func decisionName(d farm.Decision) string {
	text := strings.TrimRight(fmt.Sprintf("%s %s%s", d.Choice, d.Digest, d.Server), " ")
	if d.Force {
		text += ", forced"
	}
	if len(d.Accept) > 0 {
		text += ", accepting " + strings.Join(d.Accept, ", ")
	}
	return text
}
