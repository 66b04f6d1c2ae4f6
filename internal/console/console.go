// Package console is the terminal: it shows pages as wide as it is, and a run
// live while it proceeds. What is shown is package report's.
//
// It asks nobody for anything: what it shows, it is given. Its own words and
// lines are ASCII and mean the same without colour, so that they can be read
// on any Windows console and in any log.
package console

import (
	"io"
	"os"

	"github.com/farmtrust/farmtrust/internal/report"
)

// fallbackWidth is what text is wrapped to where there is no terminal.
const fallbackWidth = 100

// WritePage writes a page as text, as wide as the terminal that w is, if it is
// one. What needs attention is red there, unless NO_COLOR is set.
//
// Source: https://no-color.org.
func WritePage(w io.Writer, p report.Page) error {
	size, ok := findTerminal(w)()
	return p.WriteText(w, textStyle(size, ok, os.Getenv("NO_COLOR") == ""))
}

func textStyle(size screen, isTerminal, colour bool) report.TextStyle {
	style := report.TextStyle{Width: fallbackWidth}
	if isTerminal {
		// A line that fills the last column wraps on some terminals.
		style.Width = size.width - 1
	}
	if isTerminal && colour {
		style.Alert = paintAlert
	}
	return style
}

// paintAlert makes a text bold and red.
//
// Source: ECMA-48, Select Graphic Rendition.
func paintAlert(text string) string { return "\x1b[1;31m" + text + "\x1b[0m" }
