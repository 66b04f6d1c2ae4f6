package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Run is the page of a rotation, a rollback or a retirement, while it runs and
// after it has ended. Days are counted from its start while it runs, and from
// its end afterwards, so that a report reads the same whenever it is shown.
func Run(s farm.Status) Page {
	r := s.Report
	page := Page{Title: r.Farm, State: string(s.Phase)}
	if r.Outcome != "" {
		page.State = string(r.Outcome)
	}
	page.add(Block{Text: r.Statement})
	page.NeedsOperator = r.Outcome == "" && s.Wait.NeedsOperator()
	page.Blocks = append(page.Blocks, waitBlocks(s)...)
	page.add(Block{Title: "to decide", Commands: DecisionCommands(s)})
	page.add(Block{Title: "what you can do", Commands: cancelCommands(s)})
	page.add(approvalBlock(s))
	page.add(runFacts(s))
	page.add(decisionsBlock(r.Decisions))
	page.add(findingsBlock(r.Findings))
	if r.Outcome == farm.Refused {
		page.add(acceptBlock(r.Farm, r.Findings, r.Intent == farm.ReplaceCompromised))
	}
	if leavesDifferences(r.Outcome) {
		page.add(Block{Title: countThings(len(r.Differences), "difference") + " when last compared", Table: differenceTable(r.Differences)})
	}
	page.Blocks = append(page.Blocks, stepBlocks(r)...)
	return page
}

// EndedAt is when the run of a report ended.
func EndedAt(r farm.Report) time.Time {
	return r.StartedAt.Add(time.Duration(r.DurationMS) * time.Millisecond)
}

// leavesDifferences reports whether a run that ended so may have left
// differences.
func leavesDifferences(o farm.Outcome) bool {
	return o == farm.Incomplete || o == farm.Refused || o == farm.Partial
}

func runFacts(s farm.Status) Block {
	r := s.Report
	b := Block{Title: runName(s)}
	if r.Target != "" {
		name := "target"
		if isRetirement(s) {
			name = "certificate"
		}
		b.addCertificate(name, r.Target, r.FriendlyName, r.NotAfter, EndedAt(r))
	}
	if r.Previous != "" && r.Previous != r.Target {
		b.addFact("previous", string(r.Previous))
	}
	if r.Intent != farm.Renew && r.Intent != farm.Rollback {
		b.addFact("intent", string(r.Intent))
	}
	if r.Reason != "" {
		b.addFact("reason", r.Reason)
	}
	b.addFact("started", farm.FormatTime(r.StartedAt))
	if r.Outcome != "" {
		b.addFact("took", formatMilliseconds(r.DurationMS))
	}
	return b
}

// runName is what a run is.
func runName(s farm.Status) string {
	switch {
	case isRetirement(s):
		return "retirement"
	case s.Report.Intent == farm.Rollback:
		return "rollback"
	}
	return "rotation"
}

// isRetirement reports whether a run is a retirement.
func isRetirement(s farm.Status) bool {
	return s.Phase == farm.PhaseRetiring || slices.ContainsFunc(farm.RetirementSteps(), s.Report.Reached)
}

// decisionsBlock lists who decided what, and why.
func decisionsBlock(decisions []farm.RecordedDecision) Block {
	var g Group
	for _, d := range decisions {
		g.Rows = append(g.Rows, makeRow(farm.FormatTime(d.At), decisionName(d.Decision), d.By, d.Reason))
	}
	return Block{Title: "decisions", Table: Table{Header: []string{"when", "decision", "by", "reason"}, Groups: []Group{g}}}
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
