package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// frame is one picture of a rotation that fits the screen: a line on the
// rotation, what it waits for, then a line for each server, those first that
// are at work or failed when there is not room for all.
func frame(s farm.Status, waits []string, now time.Time, size screen) []string {
	lines := []string{fmt.Sprintf("%s: %s, %s", s.Report.Farm, s.Phase, seconds(now.Sub(s.Report.StartedAt)))}
	for _, text := range waits {
		for _, part := range wrap(text, max(size.width-4, 1)) {
			// A server and the cursor's own line take room, too.
			if len(lines) < size.height-2 {
				lines = append(lines, "  "+part)
			}
		}
	}
	shown := s.Report.Servers
	room := max(size.height-1-len(lines), 1)
	hidden := len(shown) - room
	if hidden > 0 {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b farm.ServerReport) int { return urgency(a) - urgency(b) })
		shown = shown[:room-1]
	}
	// As wide as the steps of a rotation, so that the words keep their column.
	longest, marks := 0, len(farm.Steps())
	for _, server := range shown {
		longest, marks = max(longest, utf8.RuneCountInString(server.Host)), max(marks, len(server.Steps))
	}
	for _, server := range shown {
		lines = append(lines, fmt.Sprintf("  %-*s  %s", longest, server.Host, latest(server, marks)))
	}
	if hidden > 0 {
		lines = append(lines, "  and "+count(hidden+1, "other server"))
	}
	for i, l := range lines {
		lines[i] = cut(ascii(l), size.width-1)
	}
	return lines
}

// ascii replaces what is not: some characters are two columns wide or none,
// and a line that wraps would spoil the next repaint.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, flat(s))
}

// urgency sorts failed servers first, then those at work, then the rest.
func urgency(s farm.ServerReport) int {
	switch state(s) {
	case farm.StateFailed:
		return 0
	case farm.StateRunning:
		return 1
	default:
		return 2
	}
}

func state(s farm.ServerReport) farm.State {
	for _, wanted := range []farm.State{farm.StateFailed, farm.StateRunning} {
		if slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool { return step.State == wanted }) {
			return wanted
		}
	}
	return ""
}

// latest is a mark for each step so far, in a column of that width, and words
// for the last one.
func latest(s farm.ServerReport, width int) string {
	if len(s.Steps) == 0 {
		return "."
	}
	var marks strings.Builder
	current := s.Steps[len(s.Steps)-1]
	for _, step := range s.Steps {
		marks.WriteByte(mark(step.State))
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

// mark is + changed, = found as wanted or only looked, > running, ! failed,
// - left out.
func mark(s farm.State) byte {
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

// cut shortens a line to limit characters.
func cut(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	if limit <= 3 {
		return string(runes[:max(limit, 0)])
	}
	return string(runes[:limit-3]) + "..."
}
