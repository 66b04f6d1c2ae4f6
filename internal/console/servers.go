package console

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// serverTable has a line for each server: its name, a mark for each step so far, and
// words for the step that matters.
type serverTable struct {
	width int
	// hosts is the width of the names, and marks that of the marks; zero where there is
	// no room for them.
	hosts, marks int
}

// leastWords is the least room in which words are comfortable to read.
const leastWords = 28

func newServerTable(servers []farm.ServerReport, width int) serverTable {
	t := serverTable{width: width}
	if len(servers) == 0 {
		return t
	}
	// As wide as the steps of a rotation, so that the words keep their column.
	t.marks = len(farm.Steps())
	for _, server := range servers {
		t.hosts, t.marks = max(t.hosts, utf8.RuneCountInString(server.Host)), max(t.marks, len(server.Steps))
	}
	if t.roomForWords() < leastWords {
		t.marks = 0
	}
	return t
}

// roomForWords is how wide the last column is.
func (t serverTable) roomForWords() int {
	used := 2 + t.hosts + 2
	if t.marks > 0 {
		used += t.marks + 2
	}
	return t.width - 1 - used
}

// draw draws the servers into some lines. When there is not room for all, the urgent
// ones come first, and the last line counts the others. When there is more, what went
// wrong is shown in full.
func (t serverTable) draw(servers []farm.ServerReport, room int) []frameLine {
	hidden := len(servers) - room
	if hidden > 0 {
		servers = slices.Clone(servers)
		slices.SortStableFunc(servers, func(a, b farm.ServerReport) int { return urgencyOf(a) - urgencyOf(b) })
		servers = servers[:room-1]
	}
	spare := room - len(servers) - 1 // the legend has a line, too
	var lines []frameLine
	for _, server := range servers {
		drawn := t.drawServer(server, max(spare, 0))
		spare -= len(drawn) - 1
		lines = append(lines, drawn...)
	}
	if hidden > 0 {
		lines = append(lines, frameLine{text: fmt.Sprintf("  and %d more", hidden+1)})
	}
	return lines
}

// drawServer draws a server: its words may take some lines more.
func (t serverTable) drawServer(server farm.ServerReport, more int) []frameLine {
	begin := fmt.Sprintf("  %-*s  ", t.hosts, server.Host)
	if len(server.Steps) == 0 {
		return []frameLine{{text: begin + "."}}
	}
	if t.marks > 0 {
		begin += fmt.Sprintf("%-*s  ", t.marks, marksOf(server))
	}
	parts := report.WrapText(describeStep(server.Host, currentStep(server)), max(t.roomForWords(), 1))
	if len(parts) > more+1 {
		parts = append(parts[:more], strings.Join(parts[more:], " "))
	}
	var lines []frameLine
	for _, part := range parts {
		lines = append(lines, frameLine{begin + part, urgencyOf(server) < 2})
		begin = strings.Repeat(" ", utf8.RuneCountInString(begin))
	}
	return lines
}

// marksOf are the marks of the steps so far; see [legend].
func marksOf(s farm.ServerReport) string {
	var marks strings.Builder
	for _, step := range s.Steps {
		marks.WriteByte(markOf(step.State))
	}
	return marks.String()
}
