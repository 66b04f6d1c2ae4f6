package report

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Temporal keeps 20,000 bytes of a workflow's current details. What does not
// fit is left out where it is least missed, and pointed to.
//
// Source: Temporal, "User Metadata": the details are up to 20 KB.
const maxMarkdown = 20_000

// Limits of a page that would not fit.
const (
	// blockLimit is what each block may take. Those that may be large at the same time
	// are five: blocked steps, or the steps and the restarts that are approved, decisions,
	// findings, and servers or differences; the others take less than what is left.
	blockLimit = 3_000
	// cellLimit is what a cell may take, in characters.
	cellLimit = 250
)

// Markdown writes a page for the Temporal UI, in at most 20,000 bytes. A page
// that is larger has shorter cells and, in each block, fewer rows, and says how
// many are missing.
func (p Page) Markdown() string {
	all := markdownWriter{page: p}
	all.writePage()
	if all.text.Len() <= maxMarkdown {
		return all.text.String()
	}
	some := markdownWriter{page: p, limited: true}
	some.writePage()
	return cutMarkdown(some.text.String(), p)
}

// cutMarkdown cuts a page that even limits did not make small enough.
func cutMarkdown(text string, p Page) string {
	if len(text) <= maxMarkdown {
		return text
	}
	more := "\n\n... see the rest with " + formatCode(StatusCommand(p.Title).Line(p.program())) + "\n"
	return strings.ToValidUTF8(text[:maxMarkdown-len(more)], "") + more
}

type markdownWriter struct {
	page    Page
	limited bool
	text    strings.Builder
	// left is what the block being written may still take.
	left int
}

func (m *markdownWriter) writePage() {
	m.text.WriteString("**" + m.escape(m.page.Title) + "**: " + m.escape(m.page.State))
	if m.page.NeedsOperator {
		m.text.WriteString(", **" + needsOperator + "**")
	}
	m.text.WriteString("\n")
	for _, b := range m.page.Blocks {
		m.writeBlock(b)
	}
}

func (m *markdownWriter) writeBlock(b Block) {
	m.left = blockLimit
	m.text.WriteString("\n")
	switch {
	case b.Title != "" && b.Text != "":
		m.text.WriteString("**" + m.escape(b.Title) + "**: " + m.escape(b.Text) + "\n")
	case b.Title != "":
		m.text.WriteString("**" + m.escape(b.Title) + "**\n\n")
	case b.Text != "":
		m.text.WriteString(escapeLineStart(m.escape(b.Text)) + "\n")
	}
	m.writeFacts(b.Facts)
	m.writeTable(b.Table)
	for _, c := range b.Commands {
		m.text.WriteString("- " + m.formatHeading(c) + ": " + formatCode(c.Line(m.page.program())) + "\n")
	}
}

// formatHeading says what a command is for, with what it decides set off.
func (m *markdownWriter) formatHeading(c Command) string {
	if c.Name == "" {
		return m.escape(c.Heading())
	}
	return "**" + m.escape(c.Name) + "**: " + m.escape(c.Effect)
}

// takeRoom takes room for a line from the block's, and reports whether there is
// enough.
func (m *markdownWriter) takeRoom(line string) bool {
	m.left -= len(line)
	return !m.limited || m.left >= 0
}

// writeFacts writes facts as long as there is room.
func (m *markdownWriter) writeFacts(facts []Fact) {
	for i, f := range facts {
		line := "- " + m.escape(f.Name) + ": " + m.formatCell(f.Value) + "\n"
		if !m.takeRoom(line) {
			m.writeRest(len(facts) - i)
			return
		}
		m.text.WriteString(line)
	}
}

// writeTable writes rows as long as there is room, and then how many are
// missing.
func (m *markdownWriter) writeTable(t Table) {
	rows := t.countRows()
	if rows == 0 {
		return
	}
	if len(t.Header) == 0 {
		m.writeList(t, rows)
		return
	}
	columns := len(t.Header)
	header := make([]Cell, columns)
	for i, name := range t.Header {
		header[i].Text = name
	}
	m.text.WriteString(m.formatRow(header) + "|" + strings.Repeat(" --- |", columns) + "\n")
	for _, g := range t.Groups {
		title := ""
		if g.Title != "" {
			title = "| **" + m.escape(g.Title) + "** |" + strings.Repeat(" |", columns-1) + "\n"
		}
		for _, row := range g.Rows {
			line := title + m.formatRow(row)
			if !m.takeRoom(line) {
				m.writeRest(rows)
				return
			}
			m.text.WriteString(line)
			title, rows = "", rows-1
		}
	}
}

// writeList writes the rows of a table without names of columns as a list, as long as
// there is room.
func (m *markdownWriter) writeList(t Table, rows int) {
	for _, g := range t.Groups {
		for _, row := range g.Rows {
			line := "- " + escapeLineStart(m.formatCell(Cell{Text: joinCells(row)})) + "\n"
			if !m.takeRoom(line) {
				m.writeRest(rows)
				return
			}
			m.text.WriteString(line)
			rows--
		}
	}
}

func (m *markdownWriter) writeRest(rows int) {
	m.text.WriteString("\nand " + countThings(rows, "more row") + ": " + formatCode(StatusCommand(m.page.Title).Line(m.page.program())) + "\n")
}

func (m *markdownWriter) formatRow(row []Cell) string {
	var b strings.Builder
	b.WriteString("|")
	for _, cell := range row {
		b.WriteString(" " + m.formatCell(cell) + " |")
	}
	return b.String() + "\n"
}

func (m *markdownWriter) formatCell(c Cell) string {
	if c.Alert && strings.TrimSpace(c.Text) != "" {
		return "**" + m.escape(strings.TrimSpace(c.Text)) + "**"
	}
	return m.escape(c.Text)
}

// escape makes a text harmless and, where there is little room, short.
func (m *markdownWriter) escape(s string) string {
	s = CleanText(s)
	if m.limited && utf8.RuneCountInString(s) > cellLimit {
		s = string([]rune(s)[:cellLimit-3]) + "..."
	}
	return escapeMarkdown(s)
}

// MarkdownLine writes a text as one line of Markdown that shows it as it is, in at most
// limit bytes, for what the Temporal UI shows of a run in one line.
func MarkdownLine(text string, limit int) string {
	line := escapeLineStart(escapeMarkdown(CleanText(text)))
	if len(line) <= limit {
		return line
	}
	const more = "..."
	line = strings.ToValidUTF8(line[:limit-len(more)], "")
	if kept := strings.TrimRight(line, `\`); (len(line)-len(kept))%2 == 1 {
		line = line[:len(line)-1] // it would escape what follows
	}
	return line + more
}

// special are the characters that begin something inside a line of GitHub
// Flavored Markdown, HTML included.
const special = "\\`*_[]<>&|~$"

// escapeMarkdown escapes what would not be shown as it is inside a line.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// blockStart matches what begins a heading, a list or a rule at the start of a
// line, up to the character that is to be escaped.
var blockStart = regexp.MustCompile(`^(?:[#=+-]|\d{1,9}[.)])`)

// escapeLineStart escapes what would begin a block at the start of a line.
func escapeLineStart(s string) string { return blockStart.ReplaceAllStringFunc(s, escapeLast) }

func escapeLast(s string) string { return s[:len(s)-1] + "\\" + s[len(s)-1:] }

// formatCode is a text as code, between more backticks than it has.
func formatCode(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}
