package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// BriefRun is [RunAt] for a terminal, where a page that is longer than the screen hides
// what matters. It counts the steps that are done, shows those that are not, or that
// failed, warned or were retried, and says once what is the same on many servers. What
// is to be approved stands above how to decide.
func BriefRun(s farm.Status, now time.Time) Page {
	r := s.Report
	page := newRunPage(s)
	page.add(Block{Text: r.Statement})
	if r.Outcome != "" {
		page.add(runCertificates(s))
		page.add(runFacts(s))
		page.add(listBlock("what was verified", r.Proofs))
	}
	page.add(decisionsBlock(r.Decisions))
	page.add(mergeServers(findingsBlock(r.Findings)))
	page.addMerged(leftBlocks(r))
	if r.Outcome != "" {
		page.add(changesBlock(r))
		page.add(listBlock("what was done", r.Done))
	}
	page.Blocks = append(page.Blocks, briefSteps(r)...)
	page.addMerged(approvalBlocks(s))
	page.addPressing(decideBlocks(s, now)...)
	return page
}

func (p *Page) addMerged(blocks []Block) {
	for _, b := range blocks {
		p.add(mergeServers(b))
	}
}

// mergeServers makes rows of a table that differ in their server alone one row.
func mergeServers(b Block) Block {
	column := slices.Index(b.Table.Header, "server")
	if column < 0 {
		return b
	}
	groups := slices.Clone(b.Table.Groups)
	for i, g := range groups {
		groups[i].Rows = mergeRows(g.Rows, column)
	}
	b.Table.Groups = groups
	return b
}

func mergeRows(rows [][]Cell, column int) [][]Cell {
	var merged [][]Cell
	var servers [][]string
	for _, row := range rows {
		i := slices.IndexFunc(merged, func(m []Cell) bool { return sameExcept(m, row, column) })
		if i < 0 {
			merged, servers = append(merged, slices.Clone(row)), append(servers, nil)
			i = len(merged) - 1
		}
		servers[i] = append(servers[i], row[column].Text)
	}
	for i := range merged {
		if more := len(servers[i]) - 1; more > 0 {
			merged[i][column].Text = fmt.Sprintf("%s and %d more", servers[i][0], more)
		}
	}
	return merged
}

// sameExcept reports whether two rows are the same in all columns but one.
func sameExcept(a, b []Cell, column int) bool {
	return len(a) == len(b) && len(a) > column &&
		slices.Equal(a[:column], b[:column]) && slices.Equal(a[column+1:], b[column+1:])
}

// briefSteps count the steps that are done, and show the others.
func briefSteps(r farm.Report) []Block {
	var page Page
	var texts []string
	for _, state := range stepStates() {
		n := 0
		for _, step := range farm.AllSteps() {
			n += countStates(r.Servers, step)[state]
		}
		if n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", n, state))
		}
	}
	page.add(unfinishedBlock(r))
	if len(texts) > 0 {
		page.add(Block{
			Title: "steps on " + countThings(len(r.Servers), "server"), Text: strings.Join(texts, ", "),
			Commands: []Command{EveryStepCommand(r.Farm, r.Outcome != "")},
		})
	}
	return page.Blocks
}
