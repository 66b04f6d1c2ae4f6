package console

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
	"github.com/farmtrust/farmtrust/internal/report"
)

// Progress shows a run as it proceeds: on a terminal as a table that is
// repainted in place, elsewhere as one line for each change.
type Progress struct {
	// Program is how the command line is called, in the commands that a wait
	// shows.
	Program string

	w    io.Writer
	size func() (screen, bool)
	// painted is how many lines of the table stand on the terminal.
	painted int
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
func NewProgress(w io.Writer) *Progress { return newProgress(w, findTerminal(w)) }

func newProgress(w io.Writer, size func() (screen, bool)) *Progress {
	p := &Progress{Program: report.Program, w: w, size: size}
	p.shown.steps = map[serverStep]string{}
	return p
}

// Show shows s, as of now.
func (p *Progress) Show(s farm.Status, now time.Time) error {
	if size, ok := p.size(); ok {
		return p.write(p.repaint(drawFrame(s, p.Program, now, size)))
	}
	return p.write(joinLines(p.newLines(s, now)))
}

// Close takes the table off the terminal, so that the report has its place. It
// does nothing elsewhere.
func (p *Progress) Close() error { return p.write(p.repaint(nil)) }

func (p *Progress) write(text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(p.w, text); err != nil {
		return fmt.Errorf("show progress: %w", err)
	}
	return nil
}

// newLines has a line for the phase, for each step that ended since the last
// time, and for what is waited for.
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

// newSteps are the steps that ended since the last time. One that runs twice on
// a server, as trusting the two issuers does, is among them each time.
func (p *Progress) newSteps(s farm.Status) []string {
	var lines []string
	for _, server := range s.Report.Servers {
		for _, step := range server.Steps {
			if step.State == farm.StateRunning {
				continue
			}
			text := strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s", server.Host, step.Step, step.State, step.Detail), " ")
			text = strings.Join(append([]string{text}, step.Warnings...), "; warned: ")
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

// repaint puts lines where the last ones stand.
func (p *Progress) repaint(lines []string) string {
	var b strings.Builder
	if p.painted > 0 {
		fmt.Fprintf(&b, cursorUp, p.painted)
	}
	for _, line := range lines {
		b.WriteString(report.CleanText(line) + eraseLine + "\r\n")
	}
	if p.painted > len(lines) {
		b.WriteString(eraseRest)
	}
	p.painted = len(lines)
	return b.String()
}
