package console

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// width is what lines are wrapped to, in characters.
const width = 100

// page collects text and writes it at once.
type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) {
	p.text.WriteString(flat(fmt.Sprintf(format, args...)) + "\n")
}

func (p *page) gap() { p.text.WriteString("\n") }

// table writes rows with aligned columns and two blanks before each; the last
// column is wrapped, below itself.
func (p *page) table(rows ...[]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(flat(cell)))
		}
	}
	for _, row := range rows {
		var start strings.Builder
		for i, cell := range row[:len(row)-1] {
			cell = flat(cell)
			start.WriteString("  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		start.WriteString("  ")
		indent := strings.Repeat(" ", utf8.RuneCountInString(start.String()))
		for i, part := range wrap(row[len(row)-1], max(width-len(indent), 30)) {
			if i > 0 {
				start.Reset()
				start.WriteString(indent)
			}
			p.text.WriteString(strings.TrimRight(start.String()+part, " ") + "\n")
		}
	}
}

// flush writes the page to w.
func (p *page) flush(w io.Writer) error {
	if _, err := io.WriteString(w, p.text.String()); err != nil {
		return fmt.Errorf("write to the console: %w", err)
	}
	return nil
}

// flat brings a text that came from elsewhere onto one line and takes away
// what could steer a terminal or reorder what is read.
func flat(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return '?'
		default:
			return r
		}
	}, s)
}

// wrap breaks a text between words into lines of at most limit characters; a
// longer word has a line of its own. There is always one line.
func wrap(s string, limit int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(flat(s)) {
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

// findings lists what was found besides differences, what stops first.
func (p *page) findings(all []farm.Finding) {
	var rows [][]string
	for _, severity := range []farm.Severity{farm.Stop, farm.Warn} {
		for _, f := range all {
			if f.Severity != severity {
				continue
			}
			rows = append(rows, []string{string(severity), f.Server, f.Text + remedy(f.Remedy)})
		}
	}
	if len(rows) > 0 {
		p.gap()
		p.line("findings")
		p.table(rows...)
	}
}

func remedy(s string) string {
	if s == "" {
		return ""
	}
	return " - " + s
}

// differences lists step by step what runs on which server and why.
func (p *page) differences(all []farm.Difference) {
	for _, step := range steps() {
		var rows [][]string
		for _, d := range all {
			if d.Step == step {
				rows = append(rows, []string{d.Server, d.Text})
			}
		}
		if len(rows) > 0 {
			p.gap()
			p.line("%s", step)
			p.table(rows...)
			if step == farm.StepIssuer {
				p.issuers()
			}
		}
	}
}

// issuers says which registered names stand behind the two products.
func (p *page) issuers() {
	var rows [][]string
	for _, i := range farm.Issuers() {
		rows = append(rows, []string{"  " + i.Product, "is " + i.RegisteredName})
	}
	p.table(rows...)
}
