package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// TextStyle is how a page is laid out as text.
type TextStyle struct {
	// Width is what lines are wrapped to, in characters; zero leaves them as long as
	// they are. Commands are never wrapped: they are there to be pasted.
	Width int
	// Alert and Good set a text off; nil leaves it as it is. They must not change how
	// wide the text is.
	Alert, Good func(string) string
	// PressingLast puts what presses, and the headline, below the rest of a page.
	PressingLast bool
}

// WriteText writes a page as text, in ASCII apart from what servers, events and
// operators said.
func (p Page) WriteText(w io.Writer, style TextStyle) error {
	t := textWriter{TextStyle: style}
	above, below := []Block(nil), p.Blocks
	if style.PressingLast {
		above, below = splitPressing(p.Blocks)
	}
	if len(below) == 0 {
		above, below = nil, above
	}
	for i, b := range above {
		if i > 0 {
			t.text.WriteString("\n")
		}
		t.writeBlock(b, p.program())
	}
	if len(above) > 0 {
		t.text.WriteString("\n")
	}
	t.writeHeadline(p)
	for _, b := range below {
		t.text.WriteString("\n")
		t.writeBlock(b, p.program())
	}
	if _, err := io.WriteString(w, t.text.String()); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// splitPressing returns the blocks that do not press, and those that do.
func splitPressing(blocks []Block) (others, pressing []Block) {
	for _, b := range blocks {
		if b.Pressing {
			pressing = append(pressing, b)
		} else {
			others = append(others, b)
		}
	}
	return others, pressing
}

// textWriter collects a text, so that it is written at once.
type textWriter struct {
	TextStyle
	text strings.Builder
}

// writeHeadline writes what a page is about and how it is doing. That an operator is
// needed stays together.
func (t *textWriter) writeHeadline(p Page) {
	state := CleanText(p.State)
	text, needed := joinNonEmpty(": ", CleanText(p.Title), state), ""
	if p.NeedsOperator {
		text, needed = text+",", t.setOff(needsOperator, true)
	}
	lines := t.wrap(text)
	last := &lines[len(lines)-1]
	if rest, found := strings.CutSuffix(*last, state); found && p.Good {
		*last = rest + t.praise(state)
	}
	switch fits := t.Width == 0 || utf8.RuneCountInString(*last)+1+len(needsOperator) <= t.Width; {
	case needed != "" && fits:
		*last += " " + needed
	case needed != "":
		lines = append(lines, needed)
	}
	t.text.WriteString(strings.Join(lines, "\n") + "\n")
}

// wrap wraps a text that begins at the left.
func (t *textWriter) wrap(text string) []string {
	if t.Width == 0 {
		return []string{CleanText(text)}
	}
	return WrapText(text, max(t.Width, narrow))
}

func (t *textWriter) writeBlock(b Block, program string) {
	if b.Title != "" {
		t.text.WriteString(strings.Join(t.wrap(b.Title), "\n") + "\n")
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
	fits := t.fits(indent, widths)
	if len(header) > 0 && fits {
		t.writeCells(indent, header, widths)
	}
	for _, g := range table.Groups {
		if grouped {
			t.text.WriteString("  " + CleanText(g.Title) + "\n")
		}
		for _, row := range g.Rows {
			if fits {
				t.writeCells(indent, row, widths)
			} else {
				t.writeStacked(indent, table.Header, row)
			}
		}
	}
}

// fits reports whether there is room for the columns beside each other, with a word or
// two of the last.
func (t *textWriter) fits(indent string, widths []int) bool {
	used := len(indent)
	for _, width := range widths {
		used += width + 2
	}
	return t.Width == 0 || used <= t.Width
}

// writeStacked writes the cells of a row below each other, each after the name of its
// column: there is not enough room for all beside each other.
func (t *textWriter) writeStacked(indent string, header []string, row []Cell) {
	var facts [][]Cell
	for i, cell := range row {
		if cell.Text == "" {
			continue
		}
		name := ""
		if i < len(header) {
			name = header[i]
		}
		facts = append(facts, []Cell{{Text: name}, cell})
	}
	widths := columnWidths(facts)
	for i, fact := range facts {
		if i == 1 {
			indent += "  "
		}
		t.writeCells(indent, fact, widths)
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
	if t.Width == 0 {
		t.text.WriteString(strings.TrimRight(line+t.setOff(strings.TrimSpace(CleanText(last.Text)), last.Alert), " ") + "\n")
		return
	}
	if room := t.Width - used; len(row) > 0 && utf8.RuneCountInString(last.Text) > room && (room < narrow || longestWord(last.Text) > room) {
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

func (t *textWriter) praise(text string) string {
	if t.Good == nil || text == "" {
		return text
	}
	return t.Good(text)
}

// longestWord is how long the longest word of a text is.
func longestWord(s string) int {
	longest := 0
	for word := range strings.FieldsSeq(CleanText(s)) {
		longest = max(longest, utf8.RuneCountInString(word))
	}
	return longest
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
