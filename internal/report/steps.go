package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// fewServers is up to how many servers each step of each server is shown; above
// it, counts, the servers that are not finished, and what warned.
const fewServers = 12

// stepBlocks show what was done on each server.
func stepBlocks(r farm.Report) []Block {
	var page Page
	if len(r.Servers) <= fewServers {
		page.add(Block{Title: "servers", Table: stepTable(r.Servers, r.StartedAt)})
		return page.Blocks
	}
	page.add(Block{Title: countThings(len(r.Servers), "server"), Table: countTable(r.Servers, r.StartedAt)})
	page.add(unfinishedBlock(r))
	return page.Blocks
}

// unfinishedBlock shows the steps that are not done, and those that warned or were
// retried.
func unfinishedBlock(r farm.Report) Block {
	unfinished := unfinishedServers(r.Servers)
	var titles []string
	if slices.ContainsFunc(unfinished, isUnfinished) {
		titles = append(titles, "unfinished servers")
	}
	if slices.ContainsFunc(unfinished, wasNotSmooth) {
		titles = append(titles, "what warned or was retried")
	}
	title := strings.Join(titles, ", and ")
	return Block{Title: title, Table: stepTable(unfinished, r.StartedAt)}
}

// isUnfinished reports whether a step has failed or still runs.
func isUnfinished(s farm.ServerReport) bool {
	return slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool {
		return step.State == farm.StateFailed || step.State == farm.StateRunning
	})
}

// wasNotSmooth reports whether a step warned, or was tried more than once.
func wasNotSmooth(s farm.ServerReport) bool {
	return slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool { return len(step.Warnings) > 0 || step.Attempts > 1 })
}

// fewHosts is up to how many servers are named where a change is the same on many.
const fewHosts = 4

// changesBlock lists the values that were changed.
func changesBlock(r farm.Report) Block {
	var g Group
	for _, c := range r.ChangesMade() {
		g.Rows = append(g.Rows, makeRow(c.Name, c.Before, c.After, joinHosts(c.Hosts)))
	}
	return Block{Title: "what was changed", Table: Table{Header: []string{"what", "before", "after", "on"}, Groups: []Group{g}}}
}

func joinHosts(hosts []string) string {
	if more := len(hosts) - fewHosts; more > 0 {
		return strings.Join(hosts[:fewHosts], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(hosts, ", ")
}

// stepTable has a group for each server that has begun, and in it a row for
// each step.
func stepTable(servers []farm.ServerReport, began time.Time) Table {
	t := Table{Header: []string{"step", "state", "at", "took", "detail"}}
	for _, s := range servers {
		if len(s.Steps) == 0 || s.Host == "" {
			continue
		}
		g := Group{Title: fmt.Sprintf("%s (%s)", s.Host, s.Role)}
		for _, step := range s.Steps {
			row := makeRow(string(step.Step), string(step.State), formatMoment(step.StartedAt, began), formatMilliseconds(step.DurationMS), farm.TrimHost(step.Detail, s.Host))
			row[1].Alert = step.State == farm.StateFailed
			if step.State == farm.StateRunning {
				row[3].Text = "-"
			}
			g.Rows = append(g.Rows, row)
			if step.Attempts > 1 || step.LastError != "" {
				g.Rows = append(g.Rows, makeRow("", "retried", "", "", describeAttempts(step, s.Host)))
			}
			for _, text := range step.Warnings {
				g.Rows = append(g.Rows, makeRow("", "warned", "", "", text))
			}
		}
		t.Groups = append(t.Groups, g)
	}
	return t
}

// describeAttempts says how often a step was tried, and why the last attempt failed that
// did.
func describeAttempts(step farm.StepReport, host string) string {
	text := countThings(max(step.Attempts, 2), "attempt")
	if step.LastError != "" {
		text += "; one failed: " + farm.TrimHost(step.LastError, host)
	}
	return text
}

// stepStates are the columns of a count, in order.
func stepStates() []farm.State {
	return []farm.State{farm.StateChanged, farm.StateUnchanged, farm.StateObserved, farm.StateSkipped, farm.StateRunning, farm.StateFailed}
}

// countTable has a row for each step that was reached, and in it on how many
// servers the step is in which state.
func countTable(servers []farm.ServerReport, began time.Time) Table {
	t := Table{Header: []string{"step"}, Groups: []Group{{}}}
	for _, state := range stepStates() {
		t.Header = append(t.Header, string(state))
	}
	t.Header = append(t.Header, "began")
	for _, step := range farm.AllSteps() {
		counts := countStates(servers, step)
		if len(counts) == 0 {
			continue
		}
		row := makeRow(string(step))
		for _, state := range stepStates() {
			row = append(row, Cell{Text: fmt.Sprint(counts[state]), Alert: state == farm.StateFailed && counts[state] > 0})
		}
		row = append(row, Cell{Text: formatMoment(firstStart(servers, step), began)})
		t.Groups[0].Rows = append(t.Groups[0].Rows, row)
	}
	return t
}

// firstStart is when a step first began on any server; zero where that is not known.
func firstStart(servers []farm.ServerReport, step farm.Step) time.Time {
	var first time.Time
	for _, s := range servers {
		for _, row := range s.Steps {
			if at := row.StartedAt; row.Step == step && !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
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

// unfinishedServers are the servers where a step failed, still runs, warned or was
// retried, with only those steps.
func unfinishedServers(servers []farm.ServerReport) []farm.ServerReport {
	var unfinished []farm.ServerReport
	for _, server := range servers {
		rest := farm.ServerReport{Host: server.Host, Role: server.Role}
		for _, step := range server.Steps {
			if step.State == farm.StateFailed || step.State == farm.StateRunning || len(step.Warnings) > 0 || step.Attempts > 1 {
				rest.Steps = append(rest.Steps, step)
			}
		}
		if len(rest.Steps) > 0 {
			unfinished = append(unfinished, rest)
		}
	}
	return unfinished
}
