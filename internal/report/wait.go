package report

import (
	"fmt"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// WaitLines is what a run waits for, what each decision does and what follows without
// one, in a few lines for those who watch it; [DecisionCommands] are what they can do.
// It is nil while the run waits for nothing. A zero now leaves out how far away the
// deadline is.
func WaitLines(s farm.Status, now time.Time) []string {
	var lines []string
	for _, b := range waitBlocks(s) {
		if b.Text != "" {
			lines = append(lines, b.Title+": "+b.Text)
		}
		for _, g := range b.Table.Groups {
			for _, row := range g.Rows {
				lines = append(lines, joinCells(row))
			}
		}
	}
	for _, c := range DecisionCommands(s) {
		lines = append(lines, c.Heading())
	}
	if then := thenBlock(s, now); then.Text != "" {
		lines = append(lines, then.Title+": "+then.Text)
	}
	return lines
}

func joinCells(row []Cell) string {
	texts := make([]string, len(row))
	for i, cell := range row {
		texts[i] = cell.Text
	}
	return joinNonEmpty(": ", texts...)
}

// isWaiting reports whether a run waits for anything.
func isWaiting(s farm.Status) bool { return s.Wait != nil && s.Report.Outcome == "" }

// waitBlocks are what a run waits for, and the steps that are blocked.
func waitBlocks(s farm.Status) []Block {
	if !isWaiting(s) {
		return nil
	}
	var page Page
	page.add(Block{Title: "waits for " + s.Wait.For.Name() + formatUntil(s.Wait.Until), Text: s.Wait.Text})
	page.add(Block{Title: "blocked", Table: blockedTable(s.Wait.Blocked)})
	return page.Blocks
}

func blockedTable(blocked []farm.Blocked) Table {
	var g Group
	for _, one := range blocked {
		row := makeRow(one.Server, string(one.Step), farm.TrimHost(one.Text, one.Server))
		row[0].Alert = true
		g.Rows = append(g.Rows, row)
	}
	return Table{Header: []string{"server", "step", "what happened"}, Groups: []Group{g}}
}

// thenBlock is what follows if nobody decides.
func thenBlock(s farm.Status, now time.Time) Block {
	switch {
	case !isWaiting(s) || s.Wait.Then == "":
		return Block{}
	case s.Wait.Until.IsZero():
		return Block{Title: "if nobody decides", Text: s.Wait.Then}
	}
	return Block{Title: "if nobody decides by " + farm.FormatTime(s.Wait.Until) + formatIn(s.Wait.Until, now), Text: s.Wait.Then}
}

// formatIn is how far away a moment is, in parentheses; nothing without a now, and once
// the moment has come.
func formatIn(moment, now time.Time) string {
	left := moment.Sub(now)
	switch {
	case now.IsZero() || left <= 0:
		return ""
	case left < time.Minute:
		return " (in " + farm.FormatDuration(left) + ")"
	case left < 2*time.Hour:
		return " (in " + countThings(int(left.Minutes()), "minute") + ")"
	case left < 48*time.Hour:
		return " (in " + countThings(int(left.Hours()), "hour") + ")"
	}
	return " (in " + countThings(int(left.Hours()/24), "day") + ")"
}

// approvalBlocks are what an approval stands for.
func approvalBlocks(s farm.Status) []Block {
	if !isWaiting(s) || s.Wait.Approval == nil {
		return nil
	}
	var page Page
	a := *s.Wait.Approval
	page.add(approvalFacts(a, s.Wait.Digest))
	page.add(Block{Title: "changes that are approved", Table: differenceTable(a.Steps)})
	page.add(Block{Title: "restarts that are approved, in this order", Table: RestartTable(a.Restarts)})
	return page.Blocks
}

func approvalFacts(a farm.Approval, digest string) Block {
	b := Block{Title: "what is approved: " + a.What}
	b.addFact("digest", digest+", which stands for all that is listed here")
	b.addFact("run", a.Run)
	b.addFact("certificate", string(a.Target))
	if a.Previous != "" && a.Previous != a.Target {
		b.addFact("instead of", string(a.Previous))
	}
	if !a.Opening.From.IsZero() {
		b.addFact("window", farm.FormatTime(a.Opening.From)+" to "+farm.FormatTime(a.Opening.To))
	}
	b.addImpact(a.Steps, a.Restarts, a.Estimate())
	for _, host := range a.LeftOut {
		b.addAlert("left out", host)
	}
	for _, accepted := range a.Accepted {
		b.addAlert("accepted", accepted.Ref()+" by "+accepted.By+": "+accepted.Reason)
	}
	if a.NoWayBack != "" {
		b.addAlert("no way back", a.NoWayBack)
	}
	for _, note := range a.Notes {
		b.addFact("before you approve", note)
	}
	return b
}

// addImpact adds what users notice of changes and restarts, and for how long.
func (b *Block) addImpact(steps []farm.Difference, restarts []farm.PlannedRestart, estimate time.Duration) {
	if len(restarts) == 0 {
		b.addFact("restarts", "none")
		return
	}
	text := "requests to a server fail while it restarts"
	if len(steps) > 0 {
		text += "; data refreshes may fail from the first change to the last restart"
	}
	b.addFact("restarts", countThings(len(restarts), "server")+", listed below")
	b.addFact("users notice", text)
	b.addFact("takes about", farm.FormatEstimate(estimate)+", a guess on the safe side")
}

// RestartTable lists planned restarts in their order.
func RestartTable(restarts []farm.PlannedRestart) Table {
	g := Group{}
	for _, r := range restarts {
		role := ""
		switch {
		case r.Canary && r.Master:
			role = "canary and master"
		case r.Canary:
			role = "canary: no other office server before it is healthy"
		case r.Master:
			role = "master"
		}
		estimate := farm.FormatEstimate(time.Duration(r.EstimateMS) * time.Millisecond)
		g.Rows = append(g.Rows, makeRow(fmt.Sprint(r.Order), r.Server, r.Services, estimate, joinNonEmpty("; ", role, r.Why)))
	}
	return Table{Header: []string{"order", "server", "restarts", "about", "why"}, Groups: []Group{g}}
}

// DecisionCommands are the decisions that a run accepts now; nil while it waits
// for nothing.
func DecisionCommands(s farm.Status) []Command {
	if !isWaiting(s) {
		return nil
	}
	var all []Command
	for _, o := range s.Wait.Options {
		if c, ok := decisionCommand(s.Report.Farm, s.Wait.Digest, o); ok {
			all = append(all, c)
		}
	}
	return all
}

// cancelCommands stop a run that is at work; nil where it waits, which other commands
// decide about, and where it already puts back what was changed.
func cancelCommands(s farm.Status) []Command {
	if s.Wait != nil || s.Report.Outcome != "" || s.Phase == farm.PhaseRollingBack || s.Report.Intent.GoesBack() {
		return nil
	}
	return []Command{CancelCommand(s.Report.Farm)}
}
