package console

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/workflows"
)

// frame is one picture of a rotation that fits the screen: a line on the
// rotation, then one for each server, those first that are at work or failed
// when there is not room for all.
func frame(s workflows.Status, now time.Time, size screen) []string {
	lines := []string{fmt.Sprintf("%s: %s, %s", s.Report.Farm, s.Phase, seconds(now.Sub(s.Report.StartedAt)))}
	shown := s.Report.Servers
	// The cursor's own line and the first line take room, too.
	room := max(size.height-2, 1)
	hidden := len(shown) - room
	if hidden > 0 {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b farm.ServerReport) int { return urgency(a) - urgency(b) })
		shown = shown[:room-1]
	}
	longest := 0
	for _, server := range shown {
		longest = max(longest, utf8.RuneCountInString(server.Host))
	}
	for _, server := range shown {
		lines = append(lines, fmt.Sprintf("  %-*s  %s", longest, server.Host, latest(server)))
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
	case farm.Failed:
		return 0
	case farm.Running:
		return 1
	default:
		return 2
	}
}

func state(s farm.ServerReport) farm.State {
	for _, wanted := range []farm.State{farm.Failed, farm.Running} {
		if slices.ContainsFunc(s.Steps, func(step farm.StepReport) bool { return step.State == wanted }) {
			return wanted
		}
	}
	return ""
}

// latest is a mark for each step so far and words for the last one.
func latest(s farm.ServerReport) string {
	if len(s.Steps) == 0 {
		return "."
	}
	var marks strings.Builder
	current := s.Steps[len(s.Steps)-1]
	for _, step := range s.Steps {
		marks.WriteByte(mark(step.State))
		if step.State == farm.Running || step.State == farm.Failed {
			current = step
		}
	}
	// As wide as all steps there are, so that the words keep their column.
	text := fmt.Sprintf("%-*s  %s: %s", len(farm.Steps()), marks.String(), current.Step, current.State)
	if current.State == farm.Failed && current.Detail != "" {
		text += ", " + current.Detail
	}
	return text
}

// mark is + changed, = found as wanted or only looked, > running, ! failed.
func mark(s farm.State) byte {
	switch s {
	case farm.Changed:
		return '+'
	case farm.Running:
		return '>'
	case farm.Failed:
		return '!'
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
