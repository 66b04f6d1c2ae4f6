package report

import (
	"fmt"
	"slices"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// fewServers is up to how many servers each step of each server is shown; above
// it, counts, the servers that are not finished, and what warned.
const fewServers = 12

// stepBlocks show what was done on each server.
func stepBlocks(r farm.Report) []Block {
	var page Page
	if len(r.Servers) <= fewServers {
		page.add(Block{Title: "servers", Table: stepTable(r.Servers)})
		return page.Blocks
	}
	page.add(Block{Title: countThings(len(r.Servers), "server"), Table: countTable(r.Servers)})
	unfinished := unfinishedServers(r.Servers)
	title := "unfinished servers"
	if slices.ContainsFunc(unfinished, hasWarnings) {
		title += ", and warnings"
	}
	page.add(Block{Title: title, Table: stepTable(unfinished)})
	return page.Blocks
}

func hasWarnings(s farm.ServerReport) bool {
	return slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool { return len(step.Warnings) > 0 })
}

// stepTable has a group for each server that has begun, and in it a row for
// each step.
func stepTable(servers []farm.ServerReport) Table {
	t := Table{Header: []string{"step", "state", "took", "detail"}}
	for _, s := range servers {
		if len(s.Steps) == 0 {
			continue
		}
		g := Group{Title: fmt.Sprintf("%s (%s)", s.Host, s.Role)}
		for _, step := range s.Steps {
			row := makeRow(string(step.Step), string(step.State), formatMilliseconds(step.DurationMS), step.Detail)
			row[1].Alert = step.State == farm.StateFailed
			if step.State == farm.StateRunning {
				row[2].Text = "-"
			}
			g.Rows = append(g.Rows, row)
			for _, text := range step.Warnings {
				g.Rows = append(g.Rows, makeRow("", "warned", "", text))
			}
		}
		t.Groups = append(t.Groups, g)
	}
	return t
}

// stepStates are the columns of a count, in order.
func stepStates() []farm.State {
	return []farm.State{farm.StateChanged, farm.StateUnchanged, farm.StateObserved, farm.StateSkipped, farm.StateRunning, farm.StateFailed}
}

// countTable has a row for each step that was reached, and in it on how many
// servers the step is in which state.
func countTable(servers []farm.ServerReport) Table {
	t := Table{Header: []string{"step"}, Groups: []Group{{}}}
	for _, state := range stepStates() {
		t.Header = append(t.Header, string(state))
	}
	for _, step := range farm.AllSteps() {
		counts := countStates(servers, step)
		if len(counts) == 0 {
			continue
		}
		row := makeRow(string(step))
		for _, state := range stepStates() {
			row = append(row, Cell{Text: fmt.Sprint(counts[state]), Alert: state == farm.StateFailed && counts[state] > 0})
		}
		t.Groups[0].Rows = append(t.Groups[0].Rows, row)
	}
	return t
}

// countStates counts the servers by the state of a step.
func countStates(servers []farm.ServerReport, step farm.Step) map[farm.State]int {
	counts := map[farm.State]int{}
	for _, server := range servers {
		for _, s := range server.Steps {
			if s.Step == step {
				counts[s.State]++
			}
		}
	}
	return counts
}

// unfinishedServers are the servers where a step failed, still runs or warned, with
// only those steps.
func unfinishedServers(servers []farm.ServerReport) []farm.ServerReport {
	var unfinished []farm.ServerReport
	for _, server := range servers {
		rest := farm.ServerReport{Host: server.Host, Role: server.Role}
		for _, step := range server.Steps {
			if step.State == farm.StateFailed || step.State == farm.StateRunning || len(step.Warnings) > 0 {
				rest.Steps = append(rest.Steps, step)
			}
		}
		if len(rest.Steps) > 0 {
			unfinished = append(unfinished, rest)
		}
	}
	return unfinished
}
