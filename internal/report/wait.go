package report

import (
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// WaitLines is what a run waits for, in a few lines for those who watch it;
// [DecisionCommands] are what they can do. It is nil while the run waits for
// nothing.
func WaitLines(s farm.Status) []string {
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
	return lines
}

func joinCells(row []Cell) string {
	texts := make([]string, len(row))
	for i, cell := range row {
		texts[i] = cell.Text
	}
	return joinNonEmpty(": ", texts...)
}

// waitBlocks are what a run waits for, and the steps that are blocked.
func waitBlocks(s farm.Status) []Block {
	if s.Wait == nil || s.Report.Outcome != "" {
		return nil
	}
	var page Page
	page.add(Block{Title: "waits for " + waitName(s.Wait.For) + formatUntil(s.Wait.Until), Text: s.Wait.Text})
	page.add(Block{Title: "blocked", Table: blockedTable(s.Wait.Blocked)})
	return page.Blocks
}

func waitName(f farm.WaitFor) string {
	switch f {
	case farm.ForApproval:
		return "an approval"
	case farm.ForWindow:
		return "the window"
	case farm.ForController:
		return "the farm's controller"
	case farm.ForPostponement:
		return "the time that it is postponed to"
	default:
		return "a decision"
	}
}

func blockedTable(blocked []farm.Blocked) Table {
	var g Group
	for _, one := range blocked {
		then := one.Then
		if !one.Until.IsZero() {
			then = "waits" + formatUntil(one.Until) + ", " + one.Then
		}
		row := makeRow(one.Server, string(one.Step), joinNonEmpty("; ", one.Text, then))
		row[0].Alert = true
		g.Rows = append(g.Rows, row)
	}
	return Table{Header: []string{"server", "step", "what happened, and what follows"}, Groups: []Group{g}}
}

// approvalBlock is what an approval stands for.
func approvalBlock(s farm.Status) Block {
	if s.Wait == nil || s.Report.Outcome != "" || s.Wait.For != farm.ForApproval {
		return Block{}
	}
	return Block{Title: "what is approved", Table: differenceTable(farm.CutoverDifferences(s.Report.Differences))}
}

// fewSkips is up to how many servers the command that skips is shown for.
// Beyond it something is wrong that skipping servers does not cure.
const fewSkips = 5

// DecisionCommands are the decisions that a run accepts now; nil while it waits
// for nothing.
func DecisionCommands(s farm.Status) []Command {
	if s.Wait == nil || s.Report.Outcome != "" {
		return nil
	}
	name, retires := s.Report.Farm, isRetirement(s)
	var all []Command
	switch s.Wait.For {
	case farm.ForApproval:
		all = append(all, ApproveCommand(approvalEffect(retires), name, s.Wait.Digest))
	case farm.ForDecision:
		all = append(all, RetryCommand(name))
		if refs := blockedRefs(s.Wait.Blocked); len(refs) > 0 {
			all = append(all, RetryAcceptingCommand(name, refs...))
		}
		all = append(all, skipCommands(s)...)
	}
	if s.Wait.RollbackBlocked == "" && s.Phase != farm.PhaseRollingBack && s.Report.Intent == farm.Renew && !retires {
		all = append(all, RollBackCommand("roll back the changes, and suspend the farm", name))
	}
	if s.Wait.CanPostpone() && !retires {
		all = append(all, PostponeCommand(name, "18h"))
	}
	effect := "stop, leave everything as it is now, and suspend the farm"
	if retires {
		effect = "keep the old certificate for now"
	}
	return append(all, AbortCommand(effect, name))
}

// blockedRefs names what a retry can accept.
func blockedRefs(blocked []farm.Blocked) []string {
	var refs []string
	for _, b := range blocked {
		refs = append(refs, b.Accept...)
	}
	return shortenRefs(refs)
}

// skipCommands leave out the blocked servers that the run can go on without.
func skipCommands(s farm.Status) []Command {
	var all []Command
	for _, server := range s.Report.Servers {
		i := slices.IndexFunc(s.Wait.Blocked, func(b farm.Blocked) bool { return b.Server == server.Host && b.Skippable })
		if i >= 0 && len(all) < fewSkips {
			all = append(all, SkipCommand(s.Report.Farm, server.Host, s.Wait.Blocked[i].Serving))
		}
	}
	return all
}

// approvalEffect is what follows an approval.
func approvalEffect(retires bool) string {
	if retires {
		return "delete the old certificate"
	}
	return "begin the cutover"
}

// cancelCommands stop a run that is at work; nil where it waits, which other commands
// decide about, and where it already puts back what was changed.
func cancelCommands(s farm.Status) []Command {
	if s.Wait != nil || s.Report.Outcome != "" || s.Phase == farm.PhaseRollingBack || s.Report.Intent == farm.Rollback {
		return nil
	}
	return []Command{CancelCommand(s.Report.Farm)}
}
