package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// legend explains the marks of [markOf].
const legend = "+ changed, = unchanged, > running, ! failed, - skipped"

// frameLine is a line of a picture; an alert is set off.
type frameLine struct {
	text  string
	alert bool
}

// drawFrame draws a picture of a run that fits the screen: a line on the run,
// what it waits for, then the servers and, where there is room, what the marks mean.
func drawFrame(s farm.Status, program string, now time.Time, size screen) []frameLine {
	lines := []frameLine{{text: headline(s, now)}}
	for _, line := range waitLines(s, program, now, size.width) {
		// A server and the cursor's own line take room, too.
		if len(lines) < size.height-2 {
			lines = append(lines, line)
		}
	}
	table := newServerTable(s.Report.Servers, size.width)
	lines = append(lines, table.draw(s.Report.Servers, max(size.height-1-len(lines), 1))...)
	if table.marks > 0 && len(lines) < size.height-1 {
		for _, part := range report.WrapText(legend, max(size.width-4, 1)) {
			lines = append(lines, frameLine{text: "  " + part})
		}
	}
	lines = lines[:min(len(lines), max(size.height-1, 2))]
	for i, line := range lines {
		lines[i].text = cutLine(replaceWide(line.text), size.width-1)
	}
	return lines
}

// headline says how far a run is, since when it runs and how long it may still take.
func headline(s farm.Status, now time.Time) string {
	text := fmt.Sprintf("%s: %s, %s", s.Report.Farm, s.Phase, farm.FormatDuration(now.Sub(s.Report.StartedAt)))
	cutover := time.Duration(s.CutoverMS) * time.Millisecond
	switch s.Phase {
	case farm.PhaseObserving, farm.PhaseStaging, farm.PhaseWaiting:
		if cutover > 0 {
			text += ", the cutover takes about " + farm.FormatEstimate(cutover)
		}
	case farm.PhaseCutover, farm.PhaseRestarting:
		if left := cutover - now.Sub(cutoverBegan(s, now)); left > 0 {
			text += ", about " + farm.FormatEstimate(left) + " left"
		}
	}
	return text
}

// cutoverBegan is when the first step that takes effect began; now before that.
func cutoverBegan(s farm.Status, now time.Time) time.Time {
	began := now
	for _, server := range s.Report.Servers {
		for _, step := range server.Steps {
			if step.Step == farm.StepS2SName && !step.StartedAt.IsZero() && step.StartedAt.Before(began) {
				began = step.StartedAt
			}
		}
	}
	return began
}

// waitLines is what is waited for, wrapped, and the commands that decide. A
// command that does not fit on a line could not be pasted: then there is only
// the one that shows them elsewhere.
func waitLines(s farm.Status, program string, now time.Time, width int) []frameLine {
	var lines []frameLine
	for i, text := range report.WaitLines(s, now) {
		for _, part := range report.WrapText(text, max(width-4, 1)) {
			lines = append(lines, frameLine{"  " + part, i == 0 && s.Wait.NeedsOperator()})
		}
	}
	var commands []frameLine
	for _, c := range report.DecisionCommands(s) {
		commands = append(commands, frameLine{text: "  " + c.Line(program)})
	}
	if slices.ContainsFunc(commands, func(line frameLine) bool { return utf8.RuneCountInString(line.text) >= width }) {
		commands = []frameLine{{text: "  to decide, run: " + report.StatusCommand(s.Report.Farm).Line(program)}}
	}
	return append(lines, commands...)
}

// urgencyOf sorts failed servers first, then those that are retried, those that run,
// and the rest.
func urgencyOf(s farm.ServerReport) int {
	switch step := currentStep(s); {
	case step.State == farm.StateFailed:
		return 0
	case step.State == farm.StateRunning && step.LastError != "":
		return 1
	case step.State == farm.StateRunning:
		return 2
	}
	return 3
}

// currentStep is the last step that runs or failed, else the last one; zero before the
// first.
func currentStep(s farm.ServerReport) farm.StepReport {
	var current farm.StepReport
	for _, step := range s.Steps {
		busy := current.State == farm.StateRunning || current.State == farm.StateFailed
		if !busy || step.State == farm.StateRunning || step.State == farm.StateFailed {
			current = step
		}
	}
	return current
}

// describeStep says how a step is doing: its attempt, and why the last one failed.
func describeStep(host string, s farm.StepReport) string {
	text := fmt.Sprintf("%s: %s", s.Step, s.State)
	switch {
	case s.State == farm.StateFailed && s.Detail != "":
		text += ", " + farm.TrimHost(s.Detail, host)
	case s.State == farm.StateRunning && s.LastError != "":
		text += fmt.Sprintf(", attempt %d, the last failed: %s", max(s.Attempts, 2), farm.TrimHost(s.LastError, host))
	}
	return text
}

// markOf is the mark of a state; see [legend].
func markOf(s farm.State) byte {
	switch s {
	case farm.StateChanged:
		return '+'
	case farm.StateRunning:
		return '>'
	case farm.StateFailed:
		return '!'
	case farm.StateSkipped:
		return '-'
	default:
		return '='
	}
}

// replaceWide replaces what is not ASCII: some characters are two columns wide
// or none, and a line that wraps would spoil the next repaint.
func replaceWide(s string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, report.CleanText(s))
}

// cutLine shortens a line to limit characters.
func cutLine(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	if limit <= 3 {
		return string(runes[:max(limit, 0)])
	}
	return string(runes[:limit-3]) + "..."
}
