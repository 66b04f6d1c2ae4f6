package farm

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a report that is kept for long.
const (
	// fewRows is up to how many rows of each kind a report has that had to be shortened
	// as far as possible.
	fewRows = 20
	// shortText is up to how many bytes a text of such a report has.
	shortText = 300
)

// Compact returns a report that takes about limit bytes as JSON at most, to be kept after
// Temporal has deleted the run. What it leaves out, it says in Shortened: first what
// changed nothing, then the details of what went well, and then the steps.
func (r Report) Compact(limit int) Report {
	done := r.summarizeSteps()
	for _, shorten := range []struct {
		by   func(*Report)
		says string
	}{
		{leaveOutUnchanged, "steps that observed or changed nothing are left out"},
		{leaveOutDetails, "steps that changed nothing and details are left out"},
		{leaveOutSteps, "what was done on each server is left out"},
	} {
		if SizeOf(r) <= limit {
			return r
		}
		if shorten.by(&r); r.Servers == nil {
			r.Done = shortenTexts(done)
		}
		r.Shortened = shorten.says
	}
	return r
}

// keepSteps returns the servers with the steps that are wanted, changed by change.
func keepSteps(servers []ServerReport, wanted func(StepReport) bool, change func(*StepReport)) []ServerReport {
	kept := slices.Clone(servers)
	for i := range kept {
		kept[i].Steps = nil
		for _, step := range servers[i].Steps {
			if !wanted(step) {
				continue
			}
			change(&step)
			kept[i].Steps = append(kept[i].Steps, step)
		}
	}
	return kept
}

func leaveOutUnchanged(r *Report) {
	wanted := func(s StepReport) bool {
		return s.Changed || s.Attempts > 1 || s.State == StateFailed || s.State == StateSkipped
	}
	r.Servers = keepSteps(r.Servers, wanted, func(*StepReport) {})
}

func leaveOutDetails(r *Report) {
	r.Servers = keepSteps(r.Servers, func(StepReport) bool { return true }, func(s *StepReport) {
		if s.Warnings, s.Changes = nil, nil; s.State != StateFailed {
			s.Detail = ""
		}
		s.Detail, s.LastError = shortenText(s.Detail), shortenText(s.LastError)
	})
}

// leaveOutSteps puts a summary in the place of the steps.
func leaveOutSteps(r *Report) {
	r.Servers = nil
	r.Differences, r.Findings = firstOf(r.Differences), firstOf(r.Findings)
	r.Decisions, r.Waits = firstOf(r.Decisions), firstOf(r.Waits)
	for i := range r.Differences {
		r.Differences[i].Text = shortenText(r.Differences[i].Text)
	}
	for i := range r.Findings {
		r.Findings[i].Text, r.Findings[i].Remedy = shortenText(r.Findings[i].Text), shortenText(r.Findings[i].Remedy)
	}
	r.Proofs = shortenTexts(r.Proofs)
	r.Statement, r.Reason, r.Unseen = shortenText(r.Statement), shortenText(r.Reason), shortenText(r.Unseen)
}

// summarizeSteps says on how many servers each step ended how, and what was changed.
func (r Report) summarizeSteps() []string {
	var lines []string
	for _, step := range AllSteps() {
		counts := map[State]int{}
		for _, s := range r.Servers {
			if row := r.Row(s.Host, step); row != nil {
				counts[row.State]++
			}
		}
		var states []string
		for _, state := range []State{StateChanged, StateUnchanged, StateObserved, StateSkipped, StateFailed} {
			if n := counts[state]; n > 0 {
				states = append(states, fmt.Sprintf("%s on %s", state, countOf(n, "server")))
			}
		}
		if len(states) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", step, strings.Join(states, ", ")))
		}
	}
	for _, c := range r.ChangesMade() {
		lines = append(lines, fmt.Sprintf("%s: from %s to %s, on %s", c.Name, c.Before, c.After, countOf(len(c.Hosts), "server")))
	}
	return lines
}

func firstOf[T any](all []T) []T { return slices.Clone(all[:min(len(all), fewRows)]) }

// maxTexts is how many lines a list of them has in a report that had to be shortened: a
// line for each step, and for each value that was changed.
const maxTexts = 50

func shortenTexts(texts []string) []string {
	var short []string
	for _, text := range texts[:min(len(texts), maxTexts)] {
		short = append(short, shortenText(text))
	}
	return short
}

func shortenText(s string) string {
	if len(s) <= shortText {
		return s
	}
	return strings.ToValidUTF8(s[:shortText], "") + "..."
}
