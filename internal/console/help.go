package console

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/report"
)

// WriteHelp writes the help of a program. On a terminal that is narrower than it was
// written for, its paragraphs and the descriptions of its flags are wrapped again. An
// example stays on its line.
func WriteHelp(w io.Writer, text string) error {
	if size := findTerminal(w).size(); size.isTerminal() {
		text = wrapHelp(text, size.width-1)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write help: %w", err)
	}
	return nil
}

// column matches what stands before the description of a flag or a command, example a
// line that is there to be pasted.
var (
	column  = regexp.MustCompile(`^ +\S.*?\s{2,}|^ +`)
	example = regexp.MustCompile(`^ +(?:[A-Z_]+=\S+ )*(?:farmtrust|go run|cat|curl)\b`)
)

func wrapHelp(text string, width int) string {
	var lines, paragraph []string
	endParagraph := func() {
		if slices.ContainsFunc(paragraph, func(line string) bool { return utf8.RuneCountInString(line) > width }) {
			paragraph = report.WrapText(strings.Join(paragraph, " "), width)
		}
		lines = append(lines, paragraph...)
		paragraph = nil
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		// The flags of Go's own package have a tab before their descriptions.
		line = strings.ReplaceAll(line, "\t", "    ")
		if line != "" && line[0] != ' ' {
			paragraph = append(paragraph, line)
			continue
		}
		endParagraph()
		lines = append(lines, wrapDescription(line, width)...)
	}
	endParagraph()
	return strings.Join(lines, "\n") + "\n"
}

// wrapDescription wraps an indented line below its last column.
func wrapDescription(line string, width int) []string {
	begin := column.FindString(line)
	if utf8.RuneCountInString(line) <= width || example.MatchString(line) || len(begin) > width/2 {
		return []string{line}
	}
	var lines []string
	for _, part := range report.WrapText(line[len(begin):], width-len(begin)) {
		lines = append(lines, begin+part)
		begin = strings.Repeat(" ", len(begin))
	}
	return lines
}
