package console

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/farmtrust/farmtrust/internal/farm"
)

// Progress shows a rotation as it proceeds: on a terminal as a table that is
// repainted in place, elsewhere as one line for each change.
type Progress struct {
	// Starter is how people call the starter, in the commands that a wait
	// shows.
	Starter string

	w      io.Writer
	screen func() (screen, bool)
	// painted is how many lines of the table stand on the terminal.
	painted int
	// told holds what was last said of each step, and phase of the rotation.
	told  map[place]string
	phase farm.Phase
	// waited is what was last said of a wait.
	waited []string
}

// place is a step on a server.
type place struct {
	host string
	step farm.Step
}

// screen is the size of a terminal in characters.
type screen struct{ width, height int }

// NewProgress shows progress on w, which is a terminal if it is an [*os.File]
// that says so.
func NewProgress(w io.Writer) *Progress {
	return newProgress(w, terminal(w))
}

func newProgress(w io.Writer, screen func() (screen, bool)) *Progress {
	return &Progress{Starter: starter, w: w, screen: screen, told: map[place]string{}}
}

// Show shows s, as of now.
func (p *Progress) Show(s farm.Status, now time.Time) error {
	var text string
	if size, ok := p.screen(); ok {
		text = p.repaint(frame(s, waiting(p.Starter, s), now, size))
	} else {
		text = p.changes(s, now)
	}
	return p.write(text)
}

// Close takes the table off the terminal, so that the report has its place. It
// does nothing elsewhere.
func (p *Progress) Close() error {
	return p.write(p.repaint(nil))
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

// Follow shows what ask answers, every so often, until the rotation is done or
// ctx ends, and returns the last answer. The answer false means that there is
// nothing to show yet. An error of ask ends it; the end of ctx is no error.
func (p *Progress) Follow(ctx context.Context, every time.Duration, ask func(context.Context) (farm.Status, bool, error)) (farm.Status, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last farm.Status
	for {
		s, ok, err := ask(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return last, nil
		case err != nil:
			return last, err
		case ok:
			last = s
			if err := p.Show(s, time.Now()); err != nil {
				return last, err
			}
		}
		if last.Phase == farm.PhaseDone {
			return last, nil
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-tick.C:
		}
	}
}

// changes has a line for the phase, for each step that ended since the last
// time, and for what is waited for. A step that runs twice on a server, as the two issuers do, is told
// each time.
func (p *Progress) changes(s farm.Status, now time.Time) string {
	var lines []string
	at := seconds(now.Sub(s.Report.StartedAt))
	if s.Phase != p.phase && s.Phase != farm.PhaseDone {
		p.phase = s.Phase
		lines = append(lines, fmt.Sprintf("%7s  %s", at, s.Phase))
	}
	for _, server := range s.Report.Servers {
		for _, step := range server.Steps {
			if step.State == farm.StateRunning {
				continue
			}
			what := strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s", server.Host, step.Step, step.State, step.Detail), " ")
			if here := (place{server.Host, step.Step}); p.told[here] != what {
				p.told[here] = what
				lines = append(lines, fmt.Sprintf("%7s  %s", at, what))
			}
		}
	}
	if waits := waiting(p.Starter, s); !slices.Equal(waits, p.waited) {
		p.waited = waits
		for i, l := range waits {
			if i > 0 {
				at = ""
			}
			lines = append(lines, fmt.Sprintf("%7s  %s", at, l))
		}
	}
	return joinLines(lines)
}

func joinLines(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(flat(l) + "\n")
	}
	return b.String()
}

// The three control sequences that are used. Windows consoles know them since
// Windows Server 2016.
//
// Source: ECMA-48; Microsoft, "Console Virtual Terminal Sequences".
const (
	up        = "\x1b[%dA"
	eraseLine = "\x1b[K"
	eraseRest = "\x1b[J"
)

// repaint puts lines where the last ones stand.
func (p *Progress) repaint(lines []string) string {
	var b strings.Builder
	if p.painted > 0 {
		fmt.Fprintf(&b, up, p.painted)
	}
	for _, l := range lines {
		b.WriteString(flat(l) + eraseLine + "\r\n")
	}
	if p.painted > len(lines) {
		b.WriteString(eraseRest)
	}
	p.painted = len(lines)
	return b.String()
}
