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
const legend = "+ changed  = unchanged  > running  ! failed  - skipped"

// drawFrame draws a picture of a run that fits the screen: a line on the run,
// what it waits for, then a line for each server and, where there is room, what
// the marks mean.
func drawFrame(s farm.Status, program string, now time.Time, size screen) []string {
	lines := []string{fmt.Sprintf("%s: %s, %s", s.Report.Farm, s.Phase, farm.FormatDuration(now.Sub(s.Report.StartedAt)))}
	for _, line := range waitLines(s, program, now, size.width) {
		// A server and the cursor's own line take room, too.
		if len(lines) < size.height-2 {
			lines = append(lines, line)
		}
	}
	lines = append(lines, drawServers(s.Report.Servers, max(size.height-1-len(lines), 1))...)
	if len(s.Report.Servers) > 0 && len(lines) < size.height-1 {
		lines = append(lines, "  "+legend)
	}
	for i, line := range lines {
		lines[i] = cutLine(replaceWide(line), size.width-1)
	}
	return lines
}

// waitLines is what is waited for, wrapped, and the commands that decide. A
// command that does not fit on a line could not be pasted: then there is only
// the one that shows them elsewhere.
func waitLines(s farm.Status, program string, now time.Time, width int) []string {
	var lines []string
	for _, text := range report.WaitLines(s, now) {
		for _, part := range report.WrapText(text, max(width-4, 1)) {
			lines = append(lines, "  "+part)
		}
	}
	var commands []string
	for _, c := range report.DecisionCommands(s) {
		commands = append(commands, "  "+c.Line(program))
	}
	if slices.ContainsFunc(commands, func(line string) bool { return utf8.RuneCountInString(line) >= width }) {
		commands = []string{"  to decide, run: " + report.StatusCommand(s.Report.Farm).Line(program)}
	}
	return append(lines, commands...)
}

// drawServers draws a line for each server. When there is not room for all,
// those that failed or run come first, and the last line counts the others.
func drawServers(servers []farm.ServerReport, room int) []string {
	hidden := len(servers) - room
	if hidden > 0 {
		servers = slices.Clone(servers)
		slices.SortStableFunc(servers, func(a, b farm.ServerReport) int { return urgencyOf(a) - urgencyOf(b) })
		servers = servers[:room-1]
	}
	// As wide as the steps of a rotation, so that the words keep their column.
	longest, marks := 0, len(farm.Steps())
	for _, server := range servers {
		longest, marks = max(longest, utf8.RuneCountInString(server.Host)), max(marks, len(server.Steps))
	}
	var lines []string
	for _, server := range servers {
		lines = append(lines, fmt.Sprintf("  %-*s  %s", longest, server.Host, drawSteps(server, marks)))
	}
	if hidden > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", hidden+1))
	}
	return lines
}

// urgencyOf sorts failed servers first, then those that run, then the rest.
func urgencyOf(s farm.ServerReport) int {
	for i, state := range []farm.State{farm.StateFailed, farm.StateRunning} {
		if slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool { return step.State == state }) {
			return i
		}
	}
	return 2
}

// drawSteps draws a mark for each step so far, in a column of that width, and
// words for the last one that runs or failed, else for the last.
func drawSteps(s farm.ServerReport, width int) string {
	if len(s.Steps) == 0 {
		return "."
	}
	var marks strings.Builder
	current := s.Steps[len(s.Steps)-1]
	for _, step := range s.Steps {
		marks.WriteByte(markOf(step.State))
		if step.State == farm.StateRunning || step.State == farm.StateFailed {
			current = step
		}
	}
	text := fmt.Sprintf("%-*s  %s: %s", width, marks.String(), current.Step, current.State)
	if current.State == farm.StateFailed && current.Detail != "" {
		text += ", " + current.Detail
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
