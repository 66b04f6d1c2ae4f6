package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// Progress shows a run as it proceeds: on a terminal as a table that is
// repainted in place, elsewhere as one line for each change.
type Progress struct {
	// Program is how the command line is called, in the commands that a wait
	// shows.
	Program string

	w        io.Writer
	terminal terminal
	colour   bool
	// painted are the widths of the lines of the table that stand on the terminal.
	painted []int
	// shown is what was last said of each step, of the phase and of a wait.
	shown struct {
		steps map[serverStep]string
		phase farm.Phase
		wait  []string
	}
}

// serverStep is a step on a server.
type serverStep struct {
	host string
	step farm.Step
}

// NewProgress shows progress on w, in place if it is a terminal.
func NewProgress(w io.Writer, c Color) *Progress {
	t := findTerminal(w)
	return newProgress(w, t, c.isOn(t))
}

func newProgress(w io.Writer, t terminal, colour bool) *Progress {
	p := &Progress{Program: report.Program, w: w, terminal: t, colour: colour}
	p.shown.steps = map[serverStep]string{}
	return p
}

// Show shows s, as of now.
func (p *Progress) Show(s farm.Status, now time.Time) error {
	if size := p.terminal.size(); p.terminal.paints && size.isTerminal() {
		return p.write(p.repaint(drawFrame(s, p.Program, now, size), size))
	}
	return p.write(joinLines(p.newLines(s, now)))
}

// Say shows a line between two statuses.
func (p *Progress) Say(line string) error {
	text := report.CleanText(line) + "\n"
	if p.terminal.paints {
		text = p.repaint(nil, p.terminal.size()) + text
	}
	return p.write(text)
}

// Close takes the table off the terminal, so that the report, or what is said after
// Ctrl-C, has its place. It does nothing elsewhere.
func (p *Progress) Close() error {
	if !p.terminal.paints {
		return nil
	}
	return p.write(p.repaint(nil, p.terminal.size()))
}

func (p *Progress) write(text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(p.w, text); err != nil {
		return fmt.Errorf("show progress: %w", err)
	}
	return nil
}

// newLines has a line for the phase, for each step that ended, or failed and is tried
// again, since the last time, and for what is waited for.
func (p *Progress) newLines(s farm.Status, now time.Time) []string {
	at := farm.FormatDuration(now.Sub(s.Report.StartedAt))
	var lines []string
	add := func(at, text string) { lines = append(lines, fmt.Sprintf("%7s  %s", at, text)) }
	if s.Phase != p.shown.phase && s.Phase != farm.PhaseDone {
		p.shown.phase = s.Phase
		add(at, string(s.Phase))
	}
	for _, text := range p.newSteps(s) {
		add(at, text)
	}
	for i, text := range p.newWait(s) {
		if i > 0 {
			at = ""
		}
		add(at, text)
	}
	return lines
}

// newSteps are the steps that ended, or failed and are tried again, since the last
// time. One that runs twice on a server, as trusting the two issuers does, is among
// them each time.
func (p *Progress) newSteps(s farm.Status) []string {
	var lines []string
	for _, server := range s.Report.Servers {
		for _, step := range server.Steps {
			if step.State == farm.StateRunning && step.LastError == "" {
				continue
			}
			text := strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s", server.Host, step.Step, step.State, step.Detail), " ")
			text = strings.Join(append([]string{text}, step.Warnings...), "; warned: ")
			if step.State == farm.StateRunning {
				text = fmt.Sprintf("%s  %s  attempt %d failed  %s", server.Host, step.Step, max(step.Attempts-1, 1), farm.TrimHost(step.LastError, server.Host))
			}
			if at := (serverStep{server.Host, step.Step}); p.shown.steps[at] != text {
				p.shown.steps[at] = text
				lines = append(lines, text)
			}
		}
	}
	return lines
}

// newWait is what is waited for and the commands that decide, when that has
// changed.
func (p *Progress) newWait(s farm.Status) []string {
	wait := report.WaitLines(s, time.Time{})
	for _, c := range report.DecisionCommands(s) {
		wait = append(wait, c.Line(p.Program))
	}
	if slices.Equal(wait, p.shown.wait) {
		return nil
	}
	p.shown.wait = wait
	return wait
}

func joinLines(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(report.CleanText(line) + "\n")
	}
	return b.String()
}

// The three control sequences that repaint. Windows consoles know them since
// Windows Server 2016.
//
// Source: ECMA-48; Microsoft, "Console Virtual Terminal Sequences".
const (
	cursorUp  = "\x1b[%dA"
	eraseLine = "\x1b[K"
	eraseRest = "\x1b[J"
)

// repaint puts lines where the last ones stand. It begins at the left: a terminal has
// echoed what was typed meanwhile, as the ^C of Ctrl-C.
func (p *Progress) repaint(lines []frameLine, size screen) string {
	var b strings.Builder
	b.WriteString("\r")
	if rows := countRows(p.painted, size.width); rows > 0 {
		fmt.Fprintf(&b, cursorUp, rows)
	}
	p.painted = nil
	for _, line := range lines {
		text := report.CleanText(line.text)
		p.painted = append(p.painted, utf8.RuneCountInString(text))
		if line.alert && p.colour {
			text = paintAlert(text)
		}
		b.WriteString(text + eraseLine + "\r\n")
	}
	b.WriteString(eraseRest)
	return b.String()
}

// countRows is how many rows lines take on a terminal that may have become narrower
// since they were painted.
func countRows(widths []int, width int) int {
	rows := 0
	for _, w := range widths {
		rows += 1 + max(w-1, 0)/max(width, 1)
	}
	return rows
}
