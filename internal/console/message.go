package console

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/report"
)

// Messages writes what is said to operators, a sentence or more at a time.
type Messages struct {
	// Program is how the command line is called, in the commands of a message.
	Program string
}

// Write writes a message. A line that does not fit the terminal is wrapped between
// words, and a command at its end begins a line of its own, which is never wrapped: it
// is there to be pasted.
func (m Messages) Write(w io.Writer, text string) error {
	var b strings.Builder
	for line := range strings.Lines(text) {
		// What an event or a server says may be part of it.
		line = report.CleanText(strings.TrimRight(line, "\n"))
		for _, part := range m.wrap(line, findTerminal(w).size()) {
			b.WriteString(part + "\n")
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

func (m Messages) wrap(line string, size screen) []string {
	if !size.isTerminal() || utf8.RuneCountInString(line) < size.width {
		return []string{line}
	}
	// The variables that a shell sets belong to a command.
	command := regexp.MustCompile(`: ((?:[A-Z_]+=\S+ )*(?:` + regexp.QuoteMeta(m.Program) + `|farmtrust-worker) .*)$`)
	end := ""
	if at := command.FindStringSubmatchIndex(line); at != nil {
		line, end = line[:at[2]], line[at[2]:]
	}
	lines := report.WrapText(line, size.width-1)
	if end != "" {
		lines = append(lines, "  "+end)
	}
	return lines
}
