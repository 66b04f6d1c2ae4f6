package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// TextStyle is how a page is laid out as text.
type TextStyle struct {
	// Width is what lines are wrapped to, in characters. Commands are never
	// wrapped: they are there to be pasted.
	Width int
	// Alert sets a text off; nil leaves it as it is. It must not change how wide
	// the text is.
	Alert func(string) string
}

// WriteText writes a page as text, in ASCII apart from what servers, events and
// operators said.
func (p Page) WriteText(w io.Writer, style TextStyle) error {
	t := textWriter{TextStyle: style}
	t.writeHeadline(p)
	for _, b := range p.Blocks {
		t.writeBlock(b, p.program())
	}
	if _, err := io.WriteString(w, t.text.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// textWriter collects a text, so that it is written at once.
type textWriter struct {
	TextStyle
	text strings.Builder
}

func (t *textWriter) writeHeadline(p Page) {
	t.text.WriteString(CleanText(joinNonEmpty(": ", p.Title, p.State)))
	if p.NeedsOperator {
		t.text.WriteString(", " + t.setOff(needsOperator, true))
	}
	t.text.WriteString("\n")
}

func (t *textWriter) writeBlock(b Block, program string) {
	t.text.WriteString("\n")
	if b.Title != "" {
		t.text.WriteString(CleanText(b.Title) + "\n")
	}
	if b.Text != "" {
		t.writeRow("  ", nil, Cell{Text: b.Text}, nil)
	}
	t.writeFacts(b.Facts)
	t.writeTable(b.Table)
	for _, c := range b.Commands {
		heading := c.Heading()
		if c.Name == "" {
			heading += ":"
		}
		t.writeRow("  ", nil, Cell{Text: heading}, nil)
		t.text.WriteString("    " + c.Line(program) + "\n")
	}
}

func (t *textWriter) writeFacts(facts []Fact) {
	var rows [][]Cell
	for _, f := range facts {
		rows = append(rows, []Cell{{Text: f.Name}, f.Value})
	}
	widths := columnWidths(rows)
	for _, row := range rows {
		t.writeCells("  ", row, widths)
	}
}

func (t *textWriter) writeTable(table Table) {
	var header []Cell
	for _, name := range table.Header {
		header = append(header, Cell{Text: strings.ToUpper(name)})
	}
	var rows [][]Cell
	for _, g := range table.Groups {
		rows = append(rows, g.Rows...)
	}
	if len(rows) == 0 {
		return
	}
	widths := columnWidths(append(rows, header))
	grouped := len(table.Groups) > 1 || table.Groups[0].Title != ""
	indent := "  "
	if grouped {
		indent = "    "
	}
	if len(header) > 0 {
		t.writeCells(indent, header, widths)
	}
	for _, g := range table.Groups {
		if grouped {
			t.text.WriteString("  " + CleanText(g.Title) + "\n")
		}
		for _, row := range g.Rows {
			t.writeCells(indent, row, widths)
		}
	}
}

// columnWidths are the widths of all columns but the last.
func columnWidths(rows [][]Cell) []int {
	var widths []int
	for _, row := range rows {
		for i := range max(len(row)-1, 0) {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(CleanText(row[i].Text)))
		}
	}
	return widths
}

func (t *textWriter) writeCells(indent string, row []Cell, widths []int) {
	if len(row) > 0 {
		t.writeRow(indent, row[:len(row)-1], row[len(row)-1], widths)
	}
}

// narrow is the least room in which a last column is comfortable to read.
const narrow = 28

// writeRow writes aligned cells and after them the last one, wrapped below
// itself, or below the others where it would get too narrow.
func (t *textWriter) writeRow(indent string, row []Cell, last Cell, widths []int) {
	line, used := indent, utf8.RuneCountInString(indent)
	for i, cell := range row {
		text := CleanText(cell.Text)
		gap := widths[i] - utf8.RuneCountInString(text) + 2
		line += t.setOff(text, cell.Alert) + strings.Repeat(" ", gap)
		used += widths[i] + 2
	}
	if t.Width-used < narrow && len(row) > 0 && utf8.RuneCountInString(last.Text) > t.Width-used {
		t.text.WriteString(strings.TrimRight(line, " ") + "\n")
		used = len(indent) + 4
		line = strings.Repeat(" ", used)
	}
	for i, part := range WrapText(last.Text, max(t.Width-used, narrow)) {
		if i > 0 {
			line = strings.Repeat(" ", used)
		}
		t.text.WriteString(strings.TrimRight(line+t.setOff(part, last.Alert), " ") + "\n")
	}
}

func (t *textWriter) setOff(text string, alert bool) string {
	if !alert || t.Alert == nil || text == "" {
		return text
	}
	return t.Alert(text)
}

// WrapText breaks a text between words into lines of at most limit characters;
// a longer word has a line of its own. There is always one line.
func WrapText(s string, limit int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(CleanText(s)) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= limit:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
