// Package console is the terminal: it shows pages as wide as it is, and a run
// live while it proceeds. What is shown is package report's.
//
// It asks nobody for anything: what it shows, it is given. Its own words and
// lines are ASCII and mean the same without colour, so that they can be read
// on any Windows console and in any log.
package console

import (
	"fmt"
	"io"

	"github.com/farmtrust/farmtrust/internal/report"
)

// WritePage writes a page as text. On a terminal it is as wide as that, with what
// presses last, next to the prompt; elsewhere no line is wrapped.
func WritePage(w io.Writer, p report.Page, c Color) error {
	t := findTerminal(w)
	return p.WriteText(w, textStyle(t.size(), c.isOn(t)))
}

func textStyle(size screen, colour bool) report.TextStyle {
	style := report.TextStyle{PressingLast: size.isTerminal()}
	if size.isTerminal() {
		// A line that fills the last column wraps on some terminals.
		style.Width = size.width - 1
	}
	if colour {
		style.Alert, style.Good = paintAlert, paintGood
	}
	return style
}

// BeginLine takes the ^C that a terminal echoes off its line, so that what is said
// next has a line to itself. It does nothing elsewhere.
func BeginLine(w io.Writer) error {
	if !findTerminal(w).paints {
		return nil
	}
	if _, err := io.WriteString(w, "\r"+eraseLine); err != nil {
		return fmt.Errorf("begin a line: %w", err)
	}
	return nil
}
