package console

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// display is a terminal that knows what [Progress] uses, and fails the test on
// anything else.
type display struct {
	t     *testing.T
	size  screen
	lines []string
	row   int
	// column is where the next character goes, and coloured whether it is set off.
	column   int
	coloured bool
}

var sequence = regexp.MustCompile(`^\x1b\[([\d;]*)([AKJm])`)

func (d *display) Write(b []byte) (int, error) {
	text := string(b)
	for text != "" {
		if m := sequence.FindStringSubmatch(text); m != nil {
			d.control(m[1], m[2])
			text = text[len(m[0]):]
			continue
		}
		switch c := text[0]; {
		case c == '\r' && !strings.HasPrefix(text, "\r\n"):
			d.column = 0
		case strings.HasPrefix(text, "\r\n"):
			d.row, d.column, text = d.row+1, 0, text[1:]
		case c < ' ' || c > '~':
			d.t.Fatalf("unknown character %q", text)
		default:
			d.put(c)
		}
		text = text[1:]
	}
	return len(b), nil
}

func (d *display) control(n, letter string) {
	switch letter {
	case "A":
		up, err := strconv.Atoi(n)
		if err != nil || up > d.row || up >= d.size.height {
			d.t.Fatalf("moves %s lines up from row %d of a screen of %d", n, d.row, d.size.height)
		}
		d.row -= up
	case "K":
		if d.row < len(d.lines) {
			d.lines[d.row] = d.lines[d.row][:min(d.column, len(d.lines[d.row]))]
		}
	case "J":
		d.lines = d.lines[:min(d.row, len(d.lines))]
	case "m":
		d.coloured = n != "0"
	}
}

func (d *display) put(c byte) {
	if d.column >= d.size.width {
		d.t.Fatalf("writes beyond column %d", d.size.width)
	}
	for len(d.lines) <= d.row {
		d.lines = append(d.lines, "")
	}
	line := []byte(d.lines[d.row])
	for len(line) <= d.column {
		line = append(line, ' ')
	}
	line[d.column] = c
	d.lines[d.row] = string(line)
	d.column++
}

// newDisplay is a terminal, and progress that is shown on it.
func newDisplay(t *testing.T, size screen) (*display, *Progress) {
	d := &display{t: t, size: size}
	return d, newProgress(d, terminal{size: func() screen { return d.size }, paints: true}, false)
}

// assertShows shows a status and compares what then stands on the display.
func (d *display) assertShows(p *Progress, s farm.Status, after time.Duration, want ...string) {
	d.t.Helper()
	if err := p.Show(s, start.Add(after)); err != nil {
		d.t.Fatal(err)
	}
	if diff := cmp.Diff(want, d.lines); diff != "" {
		d.t.Error(diff)
	}
}
